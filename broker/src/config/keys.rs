//! Every configuration key of the broker, in one table: its name, what it takes, its default and what it is for. Flags,
//! environment variables, the file, `--print-config` and the help text are all made from it, so that they cannot differ.
//! No key is required; at most 80 exist.

use figment::value::Value;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A path.
    Path,
    /// `HOST:PORT`, or `off`.
    Listen,
    /// `HOST:PORT`, or nothing.
    Advertise,
    /// true or false.
    Switch,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number in this range, both ends included. The unit is the end of the key's name.
    Number(u64, u64),
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As in the file and behind `--`; `CAIRN_` and capitals with underscores in the environment.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The default, as it would be typed.
    pub default: &'static str,
    /// For people.
    pub help: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key { name, kind, default, help }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// All of them, in the order of `--help`.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("data-dir", Kind::Path, "./cairn-data", "Where everything durable lives; one broker at a time"),
    key("broker-id", Kind::Number(0, i32::MAX as u64), "1", "This broker's number in its cluster; a data directory keeps it"),
    key("listen-grpc", Kind::Listen, "127.0.0.1:9095", "Address for clients over gRPC, or off"),
    key("listen-kafka", Kind::Listen, "127.0.0.1:9092", "Address for Kafka clients, or off"),
    key("listen-internal", Kind::Listen, "127.0.0.1:9096", "Address for other brokers, or off. Accepted, and not bound by this version"),
    key("listen-http", Kind::Listen, "127.0.0.1:9644", "Address for /livez, /readyz and /metrics, or off"),
    key("advertise-grpc", Kind::Advertise, "", "Address told to gRPC clients; the listener's own if empty"),
    key("advertise-kafka", Kind::Advertise, "", "Address told to Kafka clients; the listener's own if empty"),
    key("advertise-internal", Kind::Advertise, "", "Address told to other brokers; the listener's own if empty"),
    key("insecure", Kind::Switch, "false", "Allow listeners beyond loopback although nobody is authenticated"),
    key("log-format", Kind::OneOf(&["text", "json"]), "text", "Format of the log on stderr"),
    key("log-level", Kind::Text, "info", "What is logged: a level, or directives such as info,cairn_broker=debug"),

    key("default-partitions", Kind::Number(1, 10_000), "1", "Partitions of a topic that asks for none"),
    key("default-replication-factor", Kind::Number(1, 1), "1", "Replicas of a topic that asks for none; one in this version"),
    key("partitions-per-topic-max", Kind::Number(1, 1_000_000), "10000", "Partitions that one topic may have"),
    key("partitions-max", Kind::Number(1, 10_000_000), "200000", "Partitions of all topics together"),

    key("auto-create-topics", Kind::Switch, "true", "Make a topic that a Kafka client asks for and that does not exist"),

    key("offsets-topic-partitions", Kind::Number(1, 10_000), "50", "Partitions of the internal topic of consumer groups; fixed once it is made"),
    key("offsets-retention-ms", Kind::Number(60_000, i64::MAX as u64), "604800000", "A group without members and commits for this long is forgotten, with its offsets"),
    key("group-initial-rebalance-delay-ms", Kind::Number(0, 600_000), "3000", "A group's first member waits this long for more of them"),
    key("group-session-timeout-min-ms", Kind::Number(1, 86_400_000), "6000", "The shortest session that a group member may ask for"),
    key("group-session-timeout-max-ms", Kind::Number(1, 86_400_000), "1800000", "The longest session that a group member may ask for"),
    key("group-members-max", Kind::Number(1, 1_000_000), "10000", "Members of one group"),

    key("connections-max", Kind::Number(1, 1_000_000), "10000", "Connections of each client listener at a time; more are closed at once"),
    key("kafka-idle-timeout-ms", Kind::Number(100, 86_400_000), "600000", "A Kafka connection on which nothing happens for this long is closed"),
    key("streams-per-connection-max", Kind::Number(1, 100_000), "256", "Concurrent calls on one connection; more wait in the client"),
    key("stream-window-bytes", Kind::Number(64 * KIB, GIB), "1048576", "Bytes of one call that a client may send before they are taken"),
    key("connection-window-bytes", Kind::Number(64 * KIB, GIB), "4194304", "The same for all calls of one connection"),
    key("request-bytes-max", Kind::Number(64 * KIB, GIB), "16777216", "The largest request; larger ones are refused"),
    key("request-memory-bytes-max", Kind::Number(64 * KIB, 2 * GIB), "33554432", "Bytes of batches in flight from all clients; beyond it reading pauses"),
    key("produce-stream-bytes-max", Kind::Number(64 * KIB, 2 * GIB), "16777216", "Unanswered bytes of one produce stream; beyond it reading pauses"),
    key("produce-stream-requests-max", Kind::Number(1, 1_000_000), "10000", "Unanswered requests of one produce stream; beyond it reading pauses"),
    key("subscriptions-per-stream-max", Kind::Number(1, 1_000_000), "100000", "Subscriptions of one fetch stream"),
    key("fetch-response-bytes", Kind::Number(KIB, 64 * MIB), "1048576", "Bytes of batches in one fetch response when the client does not say"),
    key("fetch-response-bytes-max", Kind::Number(KIB, 256 * MIB), "8388608", "Bytes of batches in one fetch response at most, one batch excepted"),
    key("offset-queries-max", Kind::Number(1, 1_000_000), "10000", "Queries in one request for offsets"),
    key("watch-topics-max", Kind::Number(1, 1_000_000), "10000", "Topics that one watch may name"),
    key("cold-reads-max", Kind::Number(1, 512), "4", "Reads from disk at a time, all clients together"),
    key("request-timeout-ms", Kind::Number(1, 3_600_000), "30000", "A call without a deadline of its own gets this one"),
    key("keepalive-interval-ms", Kind::Number(100, 3_600_000), "30000", "A silent connection is asked for a sign of life this often"),
    key("keepalive-timeout-ms", Kind::Number(100, 3_600_000), "20000", "A connection that gives none for this long is closed"),
    key("handshake-timeout-ms", Kind::Number(100, 600_000), "10000", "A connection that has not said what it speaks after this is closed"),
    key("shutdown-timeout-ms", Kind::Number(0, 3_600_000), "10000", "Graceful shutdown waits this long for what is in flight"),

    key("async-threads", Kind::Number(1, 256), "2", "Threads that serve connections"),
    key("blocking-threads-max", Kind::Number(2, 512), "16", "Threads for calls that may wait for the disk"),
    key("append-lanes", Kind::Number(1, 64), "2", "Threads that validate and append batches; a partition keeps to one"),

    key("segment-open-max", Kind::Number(16, 60_000), "400", "Segment files kept open, with their maps"),
    key("journal-ring-bytes-max", Kind::Number(8 * MIB, 64 * GIB), "1073741824", "All journal files together"),
    key("journal-file-bytes-max", Kind::Number(2 * MIB, GIB), "67108864", "One journal file; no batch can be larger than one file"),
    key("journal-group-bytes-max", Kind::Number(64 * KIB, 256 * MIB), "8388608", "Bytes that one write and sync of the journal covers"),
    key("journal-queue-bytes-max", Kind::Number(64 * KIB, GIB), "33554432", "Bytes waiting for the journal; beyond it appends wait"),
    key("checkpoint-after-bytes", Kind::Number(MIB, 16 * GIB), "67108864", "Journal bytes after which a checkpoint begins"),
    key("index-interval-bytes", Kind::Number(4 * KIB, 16 * MIB), "16384", "One index entry per so many bytes of a segment"),
    key("reserve-bytes", Kind::Number(0, GIB), "4194304", "Space held back so that a full disk can still be started on and deleted from"),
    key("compaction-memory-bytes", Kind::Number(64 * KIB, 16 * GIB), "16777216", "Memory for the keys of the one partition that is being compacted; each key takes 30 bytes"),
    key("compaction-bytes-per-second", Kind::Number(64 * KIB, i64::MAX as u64), "67108864", "Bytes that compaction reads and writes in a second at most"),
    key("compaction-interval-ms", Kind::Number(10, 86_400_000), "15000", "How often partitions that may be due are looked at for compaction"),
    key("producer-expiry-ms", Kind::Number(60_000, i64::MAX as u64), "86400000", "Idempotent producers that wrote nothing for this long are forgotten"),
];

impl Key {
    /// The key of a name.
    pub fn named(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The environment variable of this key.
    pub fn variable(&self) -> String {
        format!("CAIRN_{}", self.name.to_uppercase().replace('-', "_"))
    }

    /// What may be given, for help and errors.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Text => "text".into(),
            Kind::Path => "a path".into(),
            Kind::Listen => "HOST:PORT or off".into(),
            Kind::Advertise => "HOST:PORT".into(),
            Kind::Switch => "true or false".into(),
            Kind::OneOf(words) => words.join(" or "),
            Kind::Number(min, max) => format!("a whole number from {min} to {max}"),
        }
    }

    /// Takes a value as it was typed; `None` when it is not allowed here.
    pub fn parse(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Text | Kind::Path => (!text.is_empty()).then(|| text.into()),
            Kind::Listen => (text == "off" || is_address(text)).then(|| text.into()),
            Kind::Advertise => (text.is_empty() || is_address(text)).then(|| text.into()),
            Kind::Switch => text.parse::<bool>().ok().map(Value::from),
            Kind::OneOf(words) => words.contains(&text).then(|| text.into()),
            Kind::Number(min, max) => {
                text.parse::<u64>().ok().filter(|number| (min..=max).contains(number)).map(Value::from)
            }
        }
    }
}

/// `HOST:PORT`, an IPv6 host in brackets. Whether the host exists is asked when it is bound.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    !host.is_empty()
        && (bracketed || !host.contains(':'))
        && !host.contains(char::is_whitespace)
        && port.parse::<u16>().is_ok()
}
