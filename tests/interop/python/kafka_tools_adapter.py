"""The adapter of Kafka's own command-line tools.

The console tools move lines of text: keys, values and headers stand in one line with separators that occur in no record of
these tests. Beyond what every adapter does, the tools for measuring and verifying are run: command `tool`.
"""

import itertools
import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

from adapter import HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, Record, end_of_input, records_to_produce, run, say, say_record

JAVA = Path(os.environ["INTEROP_HOME"], "java")
PACKAGE = "org.apache.kafka.tools"
BETWEEN = "<tools:field>"
BETWEEN_HEADERS = "<tools:header>"
END = "<tools:end>"
NULL = "<tools:null>"
NO_HEADERS = "NO_HEADERS"


def _java(name, *words):
    """The command line of a tool."""
    options = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return ["java", *options, "-cp", f"{JAVA}/classes:{JAVA}/lib/*", f"{PACKAGE}.{name}", *map(str, words)]


def _printed(name, *words):
    """What a tool prints; it fails if the tool does."""
    finished = subprocess.run(_java(name, *words), capture_output=True, text=True)
    if finished.returncode != 0:
        raise RuntimeError(f"{name} ended with {finished.returncode}: {finished.stdout} {finished.stderr}")
    return finished.stdout


def _properties(option, **values):
    return [word for name, value in values.items() for word in (option, f"{name.replace('_', '.')}={value}")]


def _decoded(text):
    return None if text == NULL.encode() else text


def _record(text):
    """A record as the console consumer prints it."""
    partition, offset, headers, key, value = text.split(BETWEEN.encode())
    pairs = [] if headers == NO_HEADERS.encode() else [pair.split(b":", 1) for pair in headers.split(BETWEEN_HEADERS.encode())]
    return Record(
        int(partition.removeprefix(b"Partition:")),
        _decoded(key),
        _decoded(value),
        [(name.decode(), _decoded(data)) for name, data in pairs],
        int(offset.removeprefix(b"Offset:")),
    )


def _console_consumer(arguments, *words):
    wanted = [] if arguments.count is None else ["--max-messages", arguments.count]
    printed = _properties(
        "--formatter-property",
        print_key="true",
        print_headers="true",
        print_partition="true",
        print_offset="true",
        key_separator=BETWEEN,
        headers_separator=BETWEEN_HEADERS,
        line_separator=END,
        null_literal=NULL,
    )
    topic = ["--bootstrap-server", arguments.bootstrap, "--topic", arguments.topic]
    return _java("consumer.ConsoleConsumer", *topic, *wanted, *printed, *words)


def _say_records(command, ended=None):
    """Runs the console consumer and says each record as soon as it is printed; tells it to end when `ended` is set."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as consumer:

        def stop():
            ended.wait()
            consumer.send_signal(signal.SIGTERM)

        if ended is not None:
            threading.Thread(target=stop, daemon=True).start()
        buffered = b""
        while chunk := consumer.stdout.read1(1 << 16):
            *records, buffered = (buffered + chunk).split(END.encode())
            for record in records:
                say_record(_record(record))
    stopped = (-signal.SIGTERM, 128 + signal.SIGTERM) if ended is not None and ended.is_set() else ()
    if consumer.returncode not in (0, *stopped):
        raise RuntimeError(f"the console consumer ended with {consumer.returncode}")


class KafkaTools:
    def about(self, _):
        (jar,) = JAVA.glob("lib/kafka-tools-[0-9]*.jar")
        text_only = "the console producer takes text"
        cannot = {"write binary keys and values": text_only, "write binary header values": text_only}
        tools = list(self.tools())
        about = {"client": "Kafka's own tools", "version": jar.stem.removeprefix("kafka-tools-"), "language": "Java"}
        say({**about, "cannot": cannot, "tools": tools})

    def metadata(self, arguments):
        server = ["--bootstrap-server", arguments.bootstrap]
        brokers = len(re.findall(r"^\S+ \(id: \d+", _printed("BrokerApiVersionsCommand", *server), re.MULTILINE))
        topics = {}
        for line in _printed("GetOffsetShell", *server).splitlines():
            name = line.rsplit(":", 2)[0]
            topics[name] = topics.get(name, 0) + 1
        say({"brokers": brokers, "topics": topics})

    def create(self, arguments):
        words = ["--create", "--topic", arguments.topic, "--partitions", arguments.partitions]
        _printed("TopicCommand", "--bootstrap-server", arguments.bootstrap, *words)

    def produce(self, arguments):
        for partition, records in itertools.groupby(records_to_produce(), lambda record: record.partition):
            self._produce(arguments, partition, list(records))

    def _produce(self, arguments, partition, records):
        reader = _properties(
            "--reader-property",
            parse_key="true",
            parse_headers="true",
            headers_delimiter=BETWEEN,
            key_separator=BETWEEN,
            headers_separator=BETWEEN_HEADERS,
            null_marker=NULL,
        )
        producer = _properties(
            "--command-property",
            partitioner_class="FixedPartitioner",
            fixed_partition=partition,
            enable_idempotence=str(arguments.idempotent).lower(),
        )
        words = ["--bootstrap-server", arguments.bootstrap, "--topic", arguments.topic]
        command = _java("ConsoleProducer", *words, "--compression-codec", arguments.codec, "--sync", *reader, *producer)
        subprocess.run(command, check=True, input=b"".join(map(self._line, records)))

    @staticmethod
    def _line(record):
        def field(data):
            return NULL.encode() if data is None else data

        pairs = [name.encode() + b":" + field(data) for name, data in record.headers]
        headers = BETWEEN_HEADERS.encode().join(pairs) if pairs else NULL.encode()
        return BETWEEN.encode().join([headers, field(record.key), field(record.value)]) + b"\n"

    def consume(self, arguments):
        # One partition it is assigned; for several it joins a group of its own.
        one = ["--partition", 0, "--offset", "earliest"]
        _say_records(_console_consumer(arguments, *(one if arguments.partitions == 1 else ["--from-beginning"])))

    def group(self, arguments):
        member = _properties(
            "--command-property",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            auto_commit_interval_ms=200,
        )
        command = _console_consumer(arguments, "--group", arguments.group, "--from-beginning", *member)
        _say_records(command, end_of_input())

    def groups(self, arguments):
        printed = _printed("consumer.group.ConsumerGroupCommand", "--bootstrap-server", arguments.bootstrap, "--list")
        say({"groups": printed.split()})

    def delete_group(self, arguments):
        words = ["--bootstrap-server", arguments.bootstrap, "--delete", "--group", arguments.group]
        printed = _printed("consumer.group.ConsumerGroupCommand", *words)
        if "was successful" not in printed:
            raise RuntimeError(printed)

    def delete_topic(self, arguments):
        _printed("TopicCommand", "--bootstrap-server", arguments.bootstrap, "--delete", "--topic", arguments.topic)

    def tools(self):
        """Each tool by name: how it is run on a topic with a number of records, and how many it says it has moved."""
        return {
            "producer performance": self._producer_performance,
            "consumer performance": self._consumer_performance,
            "verifiable producer": self._verifiable_producer,
            "verifiable consumer": self._verifiable_consumer,
            "end-to-end latency": self._end_to_end_latency,
            "offsets": self._offsets,
        }

    def tool(self, arguments):
        say({"records": self.tools()[arguments.name](arguments)})

    @staticmethod
    def _producer_performance(arguments):
        amount = ["--num-records", arguments.count, "--record-size", 100, "--throughput", -1]
        properties = ["--command-property", f"bootstrap.servers={arguments.bootstrap}", "acks=all"]
        printed = _printed("ProducerPerformance", "--topic", arguments.topic, *amount, *properties)
        return int(re.findall(r"^(\d+) records sent", printed, re.MULTILINE)[-1])

    @staticmethod
    def _consumer_performance(arguments):
        words = ["--topic", arguments.topic, "--num-records", arguments.count, "--timeout", 30000, "--hide-header"]
        printed = _printed("ConsumerPerformance", "--bootstrap-server", arguments.bootstrap, *words)
        return int(printed.strip().splitlines()[-1].split(",")[4])

    @staticmethod
    def _verifiable_producer(arguments):
        words = ["--topic", arguments.topic, "--max-messages", arguments.count]
        printed = _printed("VerifiableProducer", "--bootstrap-server", arguments.bootstrap, *words)
        return sum(json.loads(line)["name"] == "producer_send_success" for line in printed.splitlines())

    @staticmethod
    def _verifiable_consumer(arguments):
        words = ["--topic", arguments.topic, "--max-messages", arguments.count, "--group-id", arguments.group]
        words += ["--reset-policy", "earliest", "--session-timeout", SESSION_TIMEOUT_MS]
        printed = _printed("VerifiableConsumer", "--bootstrap-server", arguments.bootstrap, *words)
        events = [json.loads(line) for line in printed.splitlines()]
        return sum(event["count"] for event in events if event["name"] == "records_consumed")

    @staticmethod
    def _end_to_end_latency(arguments):
        words = ["--topic", arguments.topic, "--num-records", arguments.count, "--producer-acks", "all", "--record-size", 100]
        printed = _printed("EndToEndLatency", "--bootstrap-server", arguments.bootstrap, *words)
        if "Percentiles" not in printed:
            raise RuntimeError(printed)
        return arguments.count

    @staticmethod
    def _offsets(arguments):
        printed = _printed("GetOffsetShell", "--bootstrap-server", arguments.bootstrap, "--topic", arguments.topic)
        return sum(int(line.rsplit(":", 1)[1]) for line in printed.splitlines())


if __name__ == "__main__":
    run(KafkaTools())
