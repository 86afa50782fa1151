"""The adapter of aiokafka."""

import asyncio

import aiokafka
from adapter import HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, Record, end_of_input, records_to_produce, run, say, say_record
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import CommitFailedError, for_code


def _record(message):
    return Record(message.partition, message.key, message.value, list(message.headers), message.offset)


def _in_loop(command):
    """The command as a plain function."""
    return lambda self, arguments: asyncio.run(command(self, arguments))


def _expect_no_error(code, message):
    if code != 0:
        raise for_code(code)(message)


class AioKafka:
    def about(self, _):
        cannot = {"delete a group": "its admin client has no such call"}
        say({"client": "aiokafka", "version": aiokafka.__version__, "language": "Python", "cannot": cannot})

    async def _admin(self, arguments):
        admin = AIOKafkaAdminClient(bootstrap_servers=arguments.bootstrap)
        await admin.start()
        return admin

    @_in_loop
    async def metadata(self, arguments):
        admin = await self._admin(arguments)
        topics = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
        say({"brokers": len((await admin.describe_cluster())["brokers"]), "topics": topics})
        await admin.close()

    @_in_loop
    async def create(self, arguments):
        admin = await self._admin(arguments)
        topic = NewTopic(arguments.topic, num_partitions=arguments.partitions, replication_factor=1)
        response = await admin.create_topics([topic])
        for name, code, *_ in response.topic_errors:
            _expect_no_error(code, name)
        await admin.close()

    @_in_loop
    async def produce(self, arguments):
        producer = AIOKafkaProducer(
            bootstrap_servers=arguments.bootstrap,
            compression_type=None if arguments.codec == "none" else arguments.codec,
            enable_idempotence=arguments.idempotent,
            linger_ms=50,
        )
        await producer.start()
        sent = [
            await producer.send(arguments.topic, record.value, record.key, record.partition, headers=record.headers)
            for record in records_to_produce()
        ]
        for future in sent:
            await future
        await producer.stop()

    @_in_loop
    async def consume(self, arguments):
        consumer = AIOKafkaConsumer(bootstrap_servers=arguments.bootstrap, enable_auto_commit=False)
        await consumer.start()
        partitions = [TopicPartition(arguments.topic, index) for index in range(arguments.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        left = arguments.count
        while left > 0:
            for messages in (await consumer.getmany(timeout_ms=1000, max_records=left)).values():
                for message in messages:
                    say_record(_record(message))
                    left -= 1
        await consumer.stop()

    @_in_loop
    async def group(self, arguments):
        ended = end_of_input()
        consumer = AIOKafkaConsumer(
            arguments.topic,
            bootstrap_servers=arguments.bootstrap,
            group_id=arguments.group,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        left = arguments.count
        while left != 0 and not ended.is_set():
            polled = await consumer.getmany(timeout_ms=200, max_records=min(left or 100, 100))
            for messages in polled.values():
                for message in messages:
                    say_record(_record(message))
                    left = left if left is None else left - 1
            if polled:
                await self._commit(consumer)
        await consumer.stop()

    @staticmethod
    async def _commit(consumer):
        try:
            await consumer.commit()
        except CommitFailedError:
            pass  # The group rebalances: whoever has the partition next reads these records again.

    @_in_loop
    async def groups(self, arguments):
        admin = await self._admin(arguments)
        say({"groups": [group[0] for group in await admin.list_consumer_groups()]})
        await admin.close()

    @_in_loop
    async def delete_topic(self, arguments):
        admin = await self._admin(arguments)
        response = await admin.delete_topics([arguments.topic])
        for name, code, *_ in response.topic_error_codes:
            _expect_no_error(code, name)
        await admin.close()


if __name__ == "__main__":
    run(AioKafka())
