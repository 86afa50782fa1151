//! Steady traffic by the real client, every send and its outcome on record, and the reading back of a whole topic.

use crate::history::{Outcome, Reading, RecordId, Recorder, Seen, SendHandle, digest, identify, value_of};
use anyhow::{Context as _, bail, ensure};
use cairn_client::{Client, Compression, Delivery, OffsetAt, ProduceError, Producer, Record, StartAt};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet, time::MissedTickBehavior};

/// How often a producer sends a handful of records.
const TICK: Duration = Duration::from_millis(5);
/// A read may stand still for this long.
const READ_STALLS_AFTER: Duration = Duration::from_secs(60);

/// What to send.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where to.
    pub topic: String,
    /// The producers' numbers; each has a producer id of its own.
    pub producers: Range<u32>,
    /// Different keys.
    pub keys: u64,
    /// Size of a value in bytes; it varies by the record's number up to twice this.
    pub value_bytes: usize,
    /// Of each producer.
    pub records_per_second: u32,
    /// Small, so that many batches are in flight.
    pub batch_bytes: usize,
    /// From a send to the last possible answer.
    pub delivery_timeout: Duration,
}

impl LoadOptions {
    /// Some traffic to a topic.
    pub fn to(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            producers: 0..2,
            keys: 64,
            value_bytes: 100,
            records_per_second: 2000,
            batch_bytes: 2000,
            delivery_timeout: Duration::from_secs(120),
        }
    }
}

/// The key of a producer's record.
pub fn key_of(id: RecordId, keys: u64) -> String {
    format!("{}-{}", id.producer, id.number % keys)
}

/// Running producers.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<anyhow::Result<LoadReport>>,
}

/// What became of the sends.
#[derive(Clone, Debug, Default)]
pub struct LoadReport {
    /// Acknowledged records.
    pub acknowledged: u64,
    /// The longest time from a send to its answer.
    pub slowest: Duration,
    /// Everything that the application was told instead of an acknowledgement.
    pub errors: Vec<ProduceError>,
}

impl Load {
    /// Begins to send.
    ///
    /// # Errors
    /// A producer cannot be made.
    pub async fn start(client: &Client, options: &LoadOptions, recorder: &Recorder) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for id in options.producers.clone() {
            let codec = if id % 2 == 0 { Compression::None } else { Compression::Lz4 };
            let built = client.producer().batch_bytes(options.batch_bytes).compression(codec);
            let built = built.linger(Duration::from_millis(2)).delivery_timeout(options.delivery_timeout);
            let producer = built.build().await.context("a producer")?;
            let (to_answers, answers) = mpsc::unbounded_channel();
            let (stop, options, recorder) = (Arc::clone(&stop), options.clone(), recorder.clone());
            tasks.spawn(collect(answers, recorder.clone()));
            tasks.spawn(Worker { stop, options, id, producer, recorder, to_answers }.run());
        }
        Ok(Self { stop, tasks })
    }

    /// Sends no more, waits until everything is answered.
    ///
    /// # Errors
    /// A send was refused outright.
    pub async fn stop(mut self) -> anyhow::Result<LoadReport> {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = LoadReport::default();
        while let Some(joined) = self.tasks.join_next().await {
            let report = joined??;
            total.acknowledged += report.acknowledged;
            total.slowest = total.slowest.max(report.slowest);
            total.errors.extend(report.errors);
        }
        Ok(total)
    }
}

struct Pending {
    sent: Instant,
    send: SendHandle,
    delivery: Delivery,
}

/// One producer at work.
struct Worker {
    stop: Arc<AtomicBool>,
    options: LoadOptions,
    id: u32,
    producer: Producer,
    recorder: Recorder,
    to_answers: mpsc::UnboundedSender<Pending>,
}

impl Worker {
    async fn run(self) -> anyhow::Result<LoadReport> {
        let per_tick = u64::from(self.options.records_per_second) * u64::try_from(TICK.as_millis())? / 1000;
        let topic: Arc<str> = self.options.topic.as_str().into();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            for _ in 0..per_tick.max(1) {
                self.send(&topic, RecordId { producer: self.id, number }).await?;
                number += 1;
            }
        }
        self.producer.close(self.options.delivery_timeout).await?;
        Ok(LoadReport::default())
    }

    async fn send(&self, topic: &Arc<str>, id: RecordId) -> anyhow::Result<()> {
        let key = key_of(id, self.options.keys);
        let extra = usize::try_from(id.number)? % self.options.value_bytes.max(1);
        let value = value_of(id, self.options.value_bytes + extra);
        let send = self.recorder.sending(id, None, digest(Some(key.as_bytes()), Some(&value)));
        let sent = Instant::now();
        let record = Record::to(Arc::clone(topic)).key(key).value(value);
        match self.producer.send(record).await {
            Ok(delivery) => {
                self.to_answers.send(Pending { sent, send, delivery }).ok().context("no collector")
            }
            Err(error) => {
                self.recorder.resolved(send, Outcome::Failed);
                bail!("a send was refused: {error}")
            }
        }
    }
}

async fn collect(
    mut answers: mpsc::UnboundedReceiver<Pending>,
    recorder: Recorder,
) -> anyhow::Result<LoadReport> {
    let mut report = LoadReport::default();
    while let Some(Pending { sent, send, delivery }) = answers.recv().await {
        let answer = delivery.await;
        report.slowest = report.slowest.max(sent.elapsed());
        match answer {
            Ok(delivered) => {
                let (partition, offset) = (delivered.partition, delivered.offset);
                recorder.resolved(send, Outcome::Acknowledged { partition, offset });
                report.acknowledged += 1;
            }
            Err(error) => {
                let absent = error.nothing_appended();
                recorder.resolved(send, if absent { Outcome::Failed } else { Outcome::Unknown });
                report.errors.push(error);
            }
        }
    }
    Ok(report)
}

/// Reads all that a topic holds now, from the beginning.
///
/// # Errors
/// It cannot be read, or the consumer stands still before the end.
pub async fn read_all(client: &Client, topic: &str) -> anyhow::Result<Reading> {
    let count = client.admin().describe_topic(topic).await?.summary.partitions;
    let partitions: Vec<u32> = (0..count).collect();
    let ends = client.admin().list_offsets(topic, &partitions, OffsetAt::Latest).await?;
    let ends: Vec<(u32, i64)> = ends.iter().map(|end| (end.partition, end.offset.unwrap_or(0))).collect();
    let mut consumer = client.consumer().assign_all(topic).from(StartAt::Beginning).build().await?;
    let mut reading = Reading::default();
    while ends.iter().any(|(partition, end)| consumer.position(topic, *partition).unwrap_or(0) < *end) {
        let next = tokio::time::timeout(READ_STALLS_AFTER, consumer.next_batch()).await;
        let run = next.context("the consumer stands still")?.context("the client is closed")??;
        for record in run {
            let record = record?;
            let value = record.value.as_deref();
            reading.seen.push(Seen {
                partition: record.partition,
                offset: record.offset,
                id: value.and_then(identify),
                digest: digest(record.key.as_deref(), value),
            });
        }
    }
    for partition in partitions {
        let position = consumer.position(topic, partition).context("is assigned")?;
        reading.read_to.insert(partition, position);
    }
    Ok(reading)
}

/// That the records of each key lie in one partition, as their acknowledgements say.
///
/// # Errors
/// They do not.
pub fn one_partition_per_key(recorder: &Recorder, keys: u64) -> anyhow::Result<()> {
    let mut homes = std::collections::HashMap::new();
    for send in recorder.history().sends {
        let Outcome::Acknowledged { partition, .. } = send.outcome else { continue };
        let home = *homes.entry(key_of(send.id, keys)).or_insert(partition);
        ensure!(home == partition, "{:?} went to partition {partition}, its key before to {home}", send.id);
    }
    Ok(())
}
