//! Every metric of the broker, declared once: name, meaning and unit. Counters are bumped where things happen; gauges and
//! everything per partition are computed when somebody scrapes, so that an idle broker does nothing and a deleted
//! partition leaves no series behind.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};
use std::fmt;

/// Which error a request was answered with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ErrorLabels {
    /// The operation: produce, fetch, …
    pub operation: &'static str,
    /// The error's stable name.
    pub error: &'static str,
}

/// What is counted while the broker runs. Cheap to clone: the counters are shared.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Batches that producers sent.
    pub produce_requests: Counter,
    /// Their bytes.
    pub produce_bytes: Counter,
    /// From admission to the reply.
    pub produce_seconds: Option<Histogram>,
    /// Responses pushed to consumers.
    pub fetch_responses: Counter,
    /// Bytes of batches in them.
    pub fetch_bytes: Counter,
    /// Reads that had to wait for the disk.
    pub cold_reads: Counter,
    /// Answers that were errors.
    pub errors: Family<ErrorLabels, Counter>,
    /// Client connections now.
    pub connections: Gauge,
    /// Connections closed because there were too many.
    pub connections_refused: Counter,
    /// Produce and fetch streams now.
    pub streams: Gauge,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let bounds = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];
        Self { produce_seconds: Some(Histogram::new(bounds)), ..Self::default() }
    }

    /// Counts an error answer.
    pub fn count_error(&self, operation: &'static str, error: &'static str) {
        self.errors.get_or_create(&ErrorLabels { operation, error }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("produce_requests", "Batches received", self.produce_requests.clone());
        registry.register_with_unit(
            "produce",
            "Bytes of batches received",
            Unit::Bytes,
            self.produce_bytes.clone(),
        );
        if let Some(histogram) = &self.produce_seconds {
            let help = "From admission of a batch to its reply";
            registry.register_with_unit("produce_duration", help, Unit::Seconds, histogram.clone());
        }
        registry.register("fetch_responses", "Responses pushed to consumers", self.fetch_responses.clone());
        registry.register_with_unit(
            "fetch",
            "Bytes of batches pushed",
            Unit::Bytes,
            self.fetch_bytes.clone(),
        );
        registry.register("cold_reads", "Reads that waited for the disk", self.cold_reads.clone());
        registry.register("errors", "Answers that were errors", self.errors.clone());
        registry.register("connections", "Client connections", self.connections.clone());
        let help = "Connections closed because connections-max was reached";
        registry.register("connections_refused", help, self.connections_refused.clone());
        registry.register("streams", "Produce and fetch streams", self.streams.clone());
    }

    /// The text of one scrape.
    ///
    /// # Errors
    /// Never in practice: writing to a string does not fail.
    pub fn render(&self, scrape: Scrape) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("cairn");
        self.register(&mut registry);
        registry.register_collector(Box::new(scrape));
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

/// What is read from the components at a scrape.
#[derive(Debug, Default)]
pub struct Scrape {
    /// Whether the broker serves.
    pub ready: bool,
    /// Whether the data directory takes appends.
    pub directory_healthy: bool,
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// Index of the newest applied metadata command.
    pub metadata_index: u64,
    /// Space left on the data directory's file system.
    pub free_bytes: u64,
    /// Bytes of all logs.
    pub log_bytes: u64,
    /// Journal bytes that no checkpoint covers.
    pub journal_uncheckpointed_bytes: u64,
    /// Bytes of batches in flight.
    pub request_memory_bytes: u64,
    /// Rounds of compaction that came to their end.
    pub compaction_rounds: u64,
    /// Bytes that compaction has read.
    pub compaction_read_bytes: u64,
    /// Bytes that compaction has written.
    pub compaction_written_bytes: u64,
    /// Bytes that logs became smaller by.
    pub compaction_freed_bytes: u64,
    /// Segments that compaction left alone because they are damaged.
    pub compaction_segments_left_alone: u64,
    /// Partitions that may be due for compaction.
    pub compaction_waiting: u64,
    /// One entry for each partition that exists.
    pub partitions: Vec<PartitionScrape>,
}

/// One partition at a scrape.
#[derive(Debug)]
pub struct PartitionScrape {
    /// Name of the topic.
    pub topic: String,
    /// Index of the partition.
    pub partition: u32,
    /// First offset.
    pub log_start_offset: i64,
    /// Exclusive end of what consumers may read.
    pub high_watermark: i64,
    /// Exclusive end of the log.
    pub log_end_offset: i64,
    /// Bytes of the log.
    pub size_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartitionLabels {
    topic: String,
    partition: u32,
}

/// A gauge of a partition: its name, its help text, and how it is read.
type PartitionGauge = (&'static str, &'static str, fn(&PartitionScrape) -> i64);

const PARTITION_GAUGES: [PartitionGauge; 4] = [
    ("partition_log_start_offset", "First offset of the partition", |partition| partition.log_start_offset),
    ("partition_high_watermark", "Exclusive end of what consumers may read", |partition| {
        partition.high_watermark
    }),
    ("partition_log_end_offset", "Exclusive end of the log", |partition| partition.log_end_offset),
    ("partition_size_bytes", "Bytes of the log", |partition| signed(partition.size_bytes)),
];

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let gauges = [
            ("ready", "1 when the broker serves", i64::from(self.ready)),
            (
                "directory_healthy",
                "1 when the data directory takes appends",
                i64::from(self.directory_healthy),
            ),
            ("uptime_ms", "Milliseconds since the start", signed(self.uptime_ms)),
            ("metadata_index", "Newest applied metadata command", signed(self.metadata_index)),
            ("directory_free_bytes", "Space left on the file system", signed(self.free_bytes)),
            ("log_bytes", "Bytes of all logs", signed(self.log_bytes)),
            (
                "journal_uncheckpointed_bytes",
                "Journal bytes that a restart would read",
                signed(self.journal_uncheckpointed_bytes),
            ),
            ("request_memory_bytes", "Bytes of batches in flight", signed(self.request_memory_bytes)),
            (
                "compaction_waiting",
                "Partitions that may be due for compaction",
                signed(self.compaction_waiting),
            ),
            (
                "partitions",
                "Partitions on this broker",
                i64::try_from(self.partitions.len()).unwrap_or(i64::MAX),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        let counters = [
            ("compaction_rounds", "Rounds of compaction over a partition", self.compaction_rounds),
            ("compaction_read_bytes", "Bytes read by compaction", self.compaction_read_bytes),
            ("compaction_written_bytes", "Bytes written by compaction", self.compaction_written_bytes),
            ("compaction_freed_bytes", "Bytes freed by compaction", self.compaction_freed_bytes),
            (
                "compaction_segments_left_alone",
                "Segments that compaction left alone because they are damaged",
                self.compaction_segments_left_alone,
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        for (name, help, read) in PARTITION_GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for partition in &self.partitions {
                let labels =
                    PartitionLabels { topic: partition.topic.clone(), partition: partition.partition };
                ConstGauge::new(read(partition)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_shows_counters_gauges_and_only_partitions_that_exist() {
        let metrics = Metrics::new();
        metrics.produce_requests.inc();
        metrics.count_error("produce", "NOT_LEADER");
        let partition = PartitionScrape {
            topic: "hello".into(),
            partition: 3,
            log_start_offset: 1,
            high_watermark: 5,
            log_end_offset: 6,
            size_bytes: 700,
        };
        let partitions = vec![partition];
        let scrape = Scrape { ready: true, compaction_rounds: 7, partitions, ..Scrape::default() };
        let text = metrics.render(scrape).expect("renders");
        assert!(text.contains("cairn_produce_requests_total 1\n"), "{text}");
        assert!(
            text.contains("cairn_errors_total{operation=\"produce\",error=\"NOT_LEADER\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("cairn_partition_high_watermark{topic=\"hello\",partition=\"3\"} 5\n"),
            "{text}"
        );
        assert!(text.contains("cairn_compaction_rounds_total 7\n"), "{text}");
        let without = metrics.render(Scrape::default()).expect("renders");
        assert!(!without.contains("hello") && without.ends_with("# EOF\n"), "{without}");
    }
}
