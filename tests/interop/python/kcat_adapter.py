"""The adapter of kcat, Debian's, with Debian's librdkafka.

kcat writes one set of headers a run, and takes an empty key or value for null in a whole run or not at all; so records that
differ in that are written by runs of their own, one after the other.
"""

import itertools
import json
import re
import signal
import subprocess
import threading

from adapter import HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, Record, end_of_input, records_to_produce, run, say, say_record

# Bytes that stand in no record of these tests.
AFTER_KEY = "<kcat:value>"
AFTER_RECORD = "<kcat:end>"
# Partition, offset, the lengths of key and value (-1 for null), then key, value and headers.
FORMAT = "%p %o %K %S %k%s%h" + AFTER_RECORD


def _kcat(arguments, *words, configuration=None):
    options = [word for name, value in (configuration or {}).items() for word in ("-X", f"{name}={value}")]
    return ["kcat", "-b", arguments.bootstrap, *options, *words]


def _headers(text):
    """kcat prints `name=value` with commas between, and `NULL` for null."""
    pairs = [pair.split(b"=", 1) for pair in text.split(b",")] if text else []
    return [(name.decode(), None if value == b"NULL" else value) for name, value in pairs]


def _say_records(stream):
    """Says each record that kcat prints, as soon as it is complete."""
    buffered = b""
    while chunk := stream.read1(1 << 16):
        buffered += chunk
        while (taken := _first_record(buffered)) is not None:
            record, buffered = taken
            say_record(record)
    if buffered:
        raise RuntimeError(f"kcat printed more than records: {buffered[:200]!r}")


def _first_record(data):
    fields = re.match(rb"(\d+) (\d+) (-?\d+) (-?\d+) ", data)
    if fields is None:
        return None
    partition, offset, key_bytes, value_bytes = map(int, fields.groups())
    value_at = fields.end() + max(key_bytes, 0)
    headers_at = value_at + max(value_bytes, 0)
    end = data.find(AFTER_RECORD.encode(), headers_at)
    if end < 0:
        return None
    key = data[fields.end() : value_at] if key_bytes >= 0 else None
    value = data[value_at:headers_at] if value_bytes >= 0 else None
    record = Record(partition, key, value, _headers(data[headers_at:end]), offset)
    return record, data[end + len(AFTER_RECORD) :]


def _run_kind(record):
    """What has to be the same in all records of one run."""
    return record.partition, record.headers, record.key is None, record.value is None


class Kcat:
    def about(self, _):
        banner = subprocess.run(["kcat", "-V"], check=True, capture_output=True, text=True).stdout
        version, library = re.search(r"Version (\S+) .*librdkafka (\S+)", banner).groups()
        no_administration = "it does not administer"
        cannot = {
            "create a topic": no_administration,
            "list groups": no_administration,
            "delete a group": no_administration,
            "delete a topic": no_administration,
            "write binary header values": "it takes headers from its command line, which holds no zero bytes",
            "read binary header values": "it prints them up to the first zero byte",
        }
        say({"client": "kcat", "version": f"{version} (librdkafka {library})", "language": "C", "cannot": cannot})

    def metadata(self, arguments):
        printed = subprocess.run(_kcat(arguments, "-L", "-J"), check=True, capture_output=True).stdout
        found = json.loads(printed)
        topics = {topic["topic"]: len(topic["partitions"]) for topic in found["topics"]}
        say({"brokers": len(found["brokers"]), "topics": topics})

    def produce(self, arguments):
        configuration = {
            "compression.codec": arguments.codec,
            "enable.idempotence": str(arguments.idempotent).lower(),
            "linger.ms": 50,
        }
        for (partition, headers, no_key, no_value), records in itertools.groupby(records_to_produce(), _run_kind):
            words = ["-P", "-t", arguments.topic, "-p", str(partition), "-D", AFTER_RECORD]
            words += [] if no_key else ["-K", AFTER_KEY]
            words += ["-Z"] if no_value else []
            for name, value in headers:
                words += ["-H", name.encode() if value is None else name.encode() + b"=" + value]
            messages = [self._message(record, no_key) for record in records]
            command = _kcat(arguments, *words, configuration=configuration)
            subprocess.run(command, check=True, input=AFTER_RECORD.encode().join(messages))

    @staticmethod
    def _message(record, no_key):
        value = record.value or b""
        return value if no_key else record.key + AFTER_KEY.encode() + value

    def consume(self, arguments):
        words = ["-C", "-t", arguments.topic, "-o", "beginning", "-c", str(arguments.count), "-u", "-q", "-f", FORMAT]
        with subprocess.Popen(_kcat(arguments, *words), stdout=subprocess.PIPE) as kcat:
            _say_records(kcat.stdout)
        if kcat.returncode != 0:
            raise RuntimeError(f"kcat ended with {kcat.returncode}")

    def group(self, arguments):
        ended = end_of_input()
        configuration = {
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
            "auto.offset.reset": "earliest",
        }
        words = ["-u", "-q", "-f", FORMAT]
        words += [] if arguments.count is None else ["-c", str(arguments.count)]
        command = _kcat(arguments, *words, "-G", arguments.group, arguments.topic, configuration=configuration)
        with subprocess.Popen(command, stdout=subprocess.PIPE) as kcat:

            def stop():
                ended.wait()
                kcat.send_signal(signal.SIGTERM)

            threading.Thread(target=stop, daemon=True).start()
            _say_records(kcat.stdout)
        if kcat.returncode != 0:
            raise RuntimeError(f"kcat ended with {kcat.returncode}")


if __name__ == "__main__":
    run(Kcat())
