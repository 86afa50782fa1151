"""The adapter of confluent-kafka, which is librdkafka."""

import confluent_kafka
from adapter import HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, Record, end_of_input, records_to_produce, run, say, say_record
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TIMEOUT_SECONDS = 30
# What a commit may say while the group rebalances; the records are then committed by the next one.
REBALANCING = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError._NO_OFFSET,
    KafkaError._ASSIGNMENT_LOST,
}


def _record(message):
    if message.error() is not None:
        raise KafkaException(message.error())
    return Record(message.partition(), message.key(), message.value(), message.headers() or [], message.offset())


class ConfluentKafka:
    def about(self, _):
        library = confluent_kafka.libversion()[0]
        version = f"{confluent_kafka.version()} (librdkafka {library})"
        say({"client": "confluent-kafka", "version": version, "language": "Python", "cannot": {}})

    def _admin(self, arguments):
        self.admin = AdminClient({"bootstrap.servers": arguments.bootstrap})  # Kept: its requests end with it.
        return self.admin

    def metadata(self, arguments):
        found = self._admin(arguments).list_topics(timeout=TIMEOUT_SECONDS)
        topics = {name: len(topic.partitions) for name, topic in found.topics.items()}
        say({"brokers": len(found.brokers), "topics": topics})

    def create(self, arguments):
        topic = NewTopic(arguments.topic, num_partitions=arguments.partitions)
        for future in self._admin(arguments).create_topics([topic]).values():
            future.result(TIMEOUT_SECONDS)

    def produce(self, arguments):
        failures = []

        def delivered(error, _):
            if error is not None:
                failures.append(error)

        producer = Producer(
            {
                "bootstrap.servers": arguments.bootstrap,
                "compression.type": arguments.codec,
                "enable.idempotence": arguments.idempotent,
                "linger.ms": 50,
            }
        )
        for record in records_to_produce():
            producer.produce(
                arguments.topic,
                partition=record.partition,
                key=record.key,
                value=record.value,
                headers=record.headers,
                on_delivery=delivered,
            )
        if producer.flush(TIMEOUT_SECONDS) > 0 or failures:
            raise RuntimeError(f"not delivered: {failures}")

    def consume(self, arguments):
        consumer = Consumer({"bootstrap.servers": arguments.bootstrap, "group.id": "unused", "enable.auto.commit": False})
        consumer.assign([TopicPartition(arguments.topic, index, 0) for index in range(arguments.partitions)])
        left = arguments.count
        while left > 0:
            for message in consumer.consume(left, 1):
                say_record(_record(message))
                left -= 1
        consumer.close()

    def group(self, arguments):
        ended = end_of_input()
        consumer = Consumer(
            {
                "bootstrap.servers": arguments.bootstrap,
                "group.id": arguments.group,
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        consumer.subscribe([arguments.topic])
        left = arguments.count
        while left != 0 and not ended.is_set():
            messages = consumer.consume(min(left or 100, 100), 0.2)
            for message in messages:
                say_record(_record(message))
            if messages:
                self._commit(consumer)
            if left is not None:
                left -= len(messages)
        consumer.close()

    @staticmethod
    def _commit(consumer):
        try:
            consumer.commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in REBALANCING:
                raise

    def groups(self, arguments):
        found = self._admin(arguments).list_consumer_groups().result(TIMEOUT_SECONDS)
        if found.errors:
            raise found.errors[0]
        say({"groups": [group.group_id for group in found.valid]})

    def delete_group(self, arguments):
        for future in self._admin(arguments).delete_consumer_groups([arguments.group]).values():
            future.result(TIMEOUT_SECONDS)

    def delete_topic(self, arguments):
        for future in self._admin(arguments).delete_topics([arguments.topic]).values():
            future.result(TIMEOUT_SECONDS)


if __name__ == "__main__":
    run(ConfluentKafka())
