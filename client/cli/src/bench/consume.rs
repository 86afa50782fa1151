//! `cairn bench consume`: how fast a topic is read from its beginning. Each connection reads partitions of its own.

use super::{
    ConnectionArgs, LoadArgs,
    report::{Latencies, Report},
};
use crate::{failure::Failure, progress::Progress, session::Session, stopwatch::Stopwatch};
use cairn_client::{ConsumeError, Consumer, RecordRun, StartAt};
use clap::Args;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::task::JoinSet;

/// What to read.
#[derive(Debug, Args)]
pub(crate) struct ConsumeBenchArgs {
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    connections: ConnectionArgs,
}

/// Measures.
pub(super) async fn run(args: &ConsumeBenchArgs, session: &Session) -> Result<Report, Failure> {
    let (topic, records) = (&args.load.topic, args.load.records);
    let partitions = session.describe(topic, None).await?.summary.partitions;
    let connections = u32::try_from(args.connections.connections).unwrap_or(u32::MAX);
    if connections > partitions {
        let message =
            format!("--connections {connections}, but '{topic}' has {partitions} partitions to share");
        return Err(Failure::usage(message).advise(format!("use at most --connections {partitions}")));
    }
    let (mut clients, mut consumers) = (Vec::new(), Vec::new());
    for index in 0..connections {
        let client = if index == 0 { session.client.clone() } else { session.another_client().await? };
        let own = (index..partitions).step_by(usize::try_from(connections).unwrap_or(usize::MAX));
        consumers.push(client.consumer().assign(topic, own).from(StartAt::Beginning).build().await?);
        // A connection ends with its client.
        clients.push(client);
    }
    require_records(topic, records, &consumers)?;
    let progress = Arc::new(Progress::records(records));
    let wanted = Arc::new(Wanted { records, read: AtomicU64::new(0) });
    let stopwatch = Stopwatch::start();
    let mut tasks = JoinSet::new();
    for consumer in consumers {
        tasks.spawn(read_all(consumer, Arc::clone(&wanted), Arc::clone(&progress), stopwatch));
    }
    let mut total = Counted::new();
    while let Some(joined) = tasks.join_next().await {
        total.add(&joined.map_err(|error| Failure::failed(error.to_string()))??);
    }
    Ok(Report::new(total.records, total.bytes, stopwatch.elapsed(), &total.latencies))
}

/// A topic with too little in it would be waited for.
fn require_records(topic: &str, wanted: u64, consumers: &[Consumer]) -> Result<(), Failure> {
    let available: i64 = consumers.iter().flat_map(unread).map(|(_, first, end)| end - first).sum();
    let missing = wanted.saturating_sub(available.unsigned_abs());
    if missing == 0 {
        return Ok(());
    }
    Err(Failure::failed(format!("'{topic}' holds {available} records, not {wanted}"))
        .advise(format!("add some with: cairn bench produce {topic} --records {missing}"))
        .detail("available", available))
}

/// Partition, position and end of what a consumer has before it.
fn unread(consumer: &Consumer) -> Vec<(u32, i64, i64)> {
    let known = |(topic, partition): (Arc<str>, u32)| {
        let position = consumer.position(&topic, partition)?;
        Some((partition, position, consumer.high_watermark(&topic, partition)?.max(position)))
    };
    consumer.assignment().into_iter().filter_map(known).collect()
}

/// What all connections read together.
struct Wanted {
    records: u64,
    read: AtomicU64,
}

/// What one connection read.
struct Counted {
    records: u64,
    bytes: u64,
    latencies: Latencies,
}

impl Counted {
    fn new() -> Self {
        Self { records: 0, bytes: 0, latencies: Latencies::new() }
    }

    fn add(&mut self, other: &Counted) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.latencies.add(&other.latencies);
    }

    /// Looks at every record of a run, as an application would. Returns how many there were.
    fn count(&mut self, run: RecordRun) -> Result<u64, ConsumeError> {
        let before = self.records;
        for record in run {
            let value_bytes = record?.value.map_or(0, |value| value.len());
            self.records += 1;
            self.bytes += u64::try_from(value_bytes).unwrap_or(u64::MAX);
        }
        Ok(self.records - before)
    }
}

async fn read_all(
    mut consumer: Consumer,
    wanted: Arc<Wanted>,
    progress: Arc<Progress>,
    stopwatch: Stopwatch,
) -> Result<Counted, Failure> {
    let mut counted = Counted::new();
    let mut ends: BTreeMap<u32, i64> = unread(&consumer)
        .into_iter()
        .filter(|(_, first, end)| first < end)
        .map(|(p, _, end)| (p, end))
        .collect();
    while !ends.is_empty() && wanted.read.load(Ordering::Relaxed) < wanted.records {
        let asked = stopwatch.elapsed();
        let run = consumer.next_batch().await.ok_or(ConsumeError::Closed)??;
        counted.latencies.record(stopwatch.elapsed().saturating_sub(asked));
        let (partition, next_offset) = (RecordRun::partition(&run), run.next_offset());
        let count = counted.count(run)?;
        wanted.read.fetch_add(count, Ordering::Relaxed);
        progress.advance(count);
        if ends.get(&partition).is_some_and(|end| next_offset >= *end) {
            ends.remove(&partition);
        }
        // Runs that are ready one after the other must not keep Ctrl-C and the connection's tasks waiting.
        tokio::task::yield_now().await;
    }
    Ok(counted)
}
