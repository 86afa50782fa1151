"""The adapter of kafka-python."""

import kafka
from adapter import HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, Record, end_of_input, records_to_produce, run, say, say_record
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import CommitFailedError, RebalanceInProgressError

TIMEOUT_SECONDS = 30


def _record(message):
    return Record(message.partition, message.key, message.value, list(message.headers), message.offset)


class KafkaPython:
    def about(self, _):
        cannot = {"write null header values": "its producer takes only bytes there"}
        say({"client": "kafka-python", "version": kafka.__version__, "language": "Python", "cannot": cannot})

    def _admin(self, arguments):
        return KafkaAdminClient(bootstrap_servers=arguments.bootstrap)

    def metadata(self, arguments):
        admin = self._admin(arguments)
        topics = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
        say({"brokers": len(admin.describe_cluster()["brokers"]), "topics": topics})
        admin.close()

    def create(self, arguments):
        admin = self._admin(arguments)
        admin.create_topics([NewTopic(arguments.topic, num_partitions=arguments.partitions, replication_factor=-1)])
        admin.close()

    def produce(self, arguments):
        producer = KafkaProducer(
            bootstrap_servers=arguments.bootstrap,
            compression_type=None if arguments.codec == "none" else arguments.codec,
            enable_idempotence=arguments.idempotent,
            linger_ms=50,
        )
        sent = [
            producer.send(arguments.topic, record.value, record.key, record.headers, record.partition)
            for record in records_to_produce()
        ]
        for future in sent:
            future.get(TIMEOUT_SECONDS)
        producer.close()

    def consume(self, arguments):
        consumer = KafkaConsumer(bootstrap_servers=arguments.bootstrap, group_id=None, enable_auto_commit=False)
        partitions = [TopicPartition(arguments.topic, index) for index in range(arguments.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        left = arguments.count
        while left > 0:
            for messages in consumer.poll(1000, left).values():
                for message in messages:
                    say_record(_record(message))
                    left -= 1
        consumer.close()

    def group(self, arguments):
        ended = end_of_input()
        consumer = KafkaConsumer(
            arguments.topic,
            bootstrap_servers=arguments.bootstrap,
            group_id=arguments.group,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        left = arguments.count
        while left != 0 and not ended.is_set():
            polled = consumer.poll(200, min(left or 100, 100))
            for messages in polled.values():
                for message in messages:
                    say_record(_record(message))
                    left = left if left is None else left - 1
            if polled:
                self._commit(consumer)
        consumer.close(autocommit=False)

    @staticmethod
    def _commit(consumer):
        try:
            consumer.commit()
        except (CommitFailedError, RebalanceInProgressError):
            pass  # The group rebalances: whoever has the partition next reads these records again.

    def groups(self, arguments):
        admin = self._admin(arguments)
        say({"groups": [group["group_id"] for group in admin.list_groups()]})
        admin.close()

    def delete_group(self, arguments):
        admin = self._admin(arguments)
        for group, outcome in admin.delete_groups([arguments.group]).items():
            if outcome not in ("OK", None):
                raise RuntimeError(f"{group}: {outcome}")
        admin.close()

    def delete_topic(self, arguments):
        admin = self._admin(arguments)
        admin.delete_topics([arguments.topic])
        admin.close()


if __name__ == "__main__":
    run(KafkaPython())
