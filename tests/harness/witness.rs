//! A well-behaved client beside badly behaved ones: it must notice nothing, and the broker's memory stays bounded.

use crate::process_status::anonymous_bytes;
use anyhow::{Context as _, ensure};
use cairn_client::{Client, NewTopic, Record};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// What a broker may hold in memory of its own, whatever its clients do.
const ANONYMOUS_BYTES_MAX: u64 = 256 << 20;
/// An answer may take this long on a machine that is busy with other tests.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const TOPIC: &str = "witness";

/// Sends a record every few milliseconds and looks at the broker's memory.
#[derive(Debug)]
pub struct Witness {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<anyhow::Result<Observed>>,
}

/// What it noticed.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// Records sent and acknowledged.
    pub records: u64,
    /// The slowest of them.
    pub slowest: Duration,
    /// The most anonymous memory that the broker had.
    pub anonymous_bytes_max: u64,
}

impl Witness {
    /// Begins, with a topic and a connection of its own.
    ///
    /// # Errors
    /// The broker cannot be reached.
    pub async fn start(address: &str, broker: u32) -> anyhow::Result<Self> {
        let client = Client::connect(address).await?;
        client.admin().create_topic(NewTopic::named(TOPIC)).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        tasks.spawn(observe(client, broker, Arc::clone(&stop)));
        Ok(Self { stop, tasks })
    }

    /// Ends, and says what it noticed.
    ///
    /// # Errors
    /// It noticed something that it must not.
    pub async fn finish(mut self) -> anyhow::Result<Observed> {
        self.stop.store(true, Ordering::Relaxed);
        let observed = self.tasks.join_next().await.context("a task")???;
        ensure!(observed.records > 0, "the witness sent nothing");
        ensure!(observed.slowest < ANSWERED_WITHIN, "a well-behaved client waited {:?}", observed.slowest);
        let mib = observed.anonymous_bytes_max >> 20;
        ensure!(observed.anonymous_bytes_max < ANONYMOUS_BYTES_MAX, "the broker held {mib} MiB");
        Ok(observed)
    }
}

async fn observe(client: Client, broker: u32, stop: Arc<AtomicBool>) -> anyhow::Result<Observed> {
    let producer = client.producer().build().await?;
    let mut observed = Observed { records: 0, slowest: Duration::ZERO, anonymous_bytes_max: 0 };
    while !stop.load(Ordering::Relaxed) || observed.records == 0 {
        let sent = Instant::now();
        producer.send(Record::to(TOPIC).value("all is well")).await?.await?;
        observed.slowest = observed.slowest.max(sent.elapsed());
        observed.records += 1;
        observed.anonymous_bytes_max = observed.anonymous_bytes_max.max(anonymous_bytes(broker)?);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    producer.close(ANSWERED_WITHIN).await?;
    Ok(observed)
}
