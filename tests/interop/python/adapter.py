"""What the adapters in Python have in common: the command line, and records as JSON lines.

An adapter is a class with one method for each command; this module knows no client and no expectation.
"""

import argparse
import base64
import json
import sys
import threading
from dataclasses import dataclass, field

SESSION_TIMEOUT_MS = 6000
HEARTBEAT_INTERVAL_MS = 1500
COMMANDS = ["about", "metadata", "create", "produce", "consume", "group", "groups", "delete-group", "delete-topic", "tool"]


@dataclass
class Record:
    """One record; bytes as they are, or None."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    offset: int | None = None


def _decoded(text):
    return None if text is None else base64.b64decode(text)


def _encoded(data):
    return None if data is None else base64.b64encode(data).decode()


def say(line):
    """One line of the result; it is out before this returns, whatever happens to the process then."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def say_record(record):
    headers = [[name, _encoded(value)] for name, value in record.headers]
    say(
        {
            "partition": record.partition,
            "offset": record.offset,
            "key": _encoded(record.key),
            "value": _encoded(record.value),
            "headers": headers,
        }
    )


def records_to_produce():
    """The records on standard input."""
    for line in sys.stdin:
        fields = json.loads(line)
        headers = [(name, _decoded(value)) for name, value in fields["headers"]]
        yield Record(fields["partition"], _decoded(fields["key"]), _decoded(fields["value"]), headers)


def end_of_input():
    """An event that is set once standard input ends."""
    ended = threading.Event()

    def wait():
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


def run(client):
    """Carries out the command line with the given client."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--bootstrap")
    parser.add_argument("--topic")
    parser.add_argument("--group")
    parser.add_argument("--name")
    parser.add_argument("--codec", choices=["none", "gzip", "snappy", "lz4", "zstd"], default="none")
    parser.add_argument("--idempotent", choices=["true", "false"], default="false")
    parser.add_argument("--partitions", type=int)
    parser.add_argument("--count", type=int)
    arguments = parser.parse_args()
    arguments.idempotent = arguments.idempotent == "true"
    getattr(client, arguments.command.replace("-", "_"))(arguments)
