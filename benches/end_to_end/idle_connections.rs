//! Ten thousand Kafka connections that have asked once and say nothing more: what they cost in memory, and whether those
//! who work notice them.

use super::machine::Machine;
use anyhow::{Context as _, ensure};
use cairn_benches::{
    figures::{percentile_us, row},
    process_usage::ProcessUsage,
};
use cairn_proto::{kafka::api_versions::ApiVersionsRequest, record::BatchOptions};
use cairn_tests::{kafka::KafkaConnection, process::BrokerProcess, wire};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CONNECTIONS: u64 = 10_000;
/// Opened at a time.
const OPENING: usize = 50;
const ACTIVE: usize = 4;
const ROUNDS: usize = 5;
const TOPIC: &str = "active";
const PRODUCE: i16 = 11;

/// The row.
pub(crate) fn run(machine: &Machine) -> anyhow::Result<Vec<String>> {
    // This process has one descriptor for each.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(measure(machine))
}

async fn measure(machine: &Machine) -> anyhow::Result<Vec<String>> {
    let directory = machine.directory()?;
    let mut command = machine.broker(&directory.path().join("data"));
    for argument in ["--connections-max", "11000"] {
        command = command.argument(argument);
    }
    let broker = command.start()?;
    KafkaConnection::open(broker.kafka_address()).await?.create_topic(TOPIC, 1).await?;
    let each = usize::try_from(machine.amount(10_000))? / ACTIVE;
    active(&broker, each).await?;
    let (mut alone, mut beside, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.extend(active(&broker, each).await?);
        let before = ProcessUsage::of(broker.id())?.resident_bytes;
        let idle = open(&broker, machine.amount(CONNECTIONS)).await?;
        costs.push(ProcessUsage::of(broker.id())?.resident_bytes.saturating_sub(before));
        beside.extend(active(&broker, each).await?);
        drop(idle);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let greatest = costs.into_iter().max().unwrap_or_default() as f64 / (1024.0 * 1024.0);
    Ok(vec![
        format!(
            "{} idle connections: {greatest:.1} MiB more resident memory; to reach: <= 200",
            machine.amount(CONNECTIONS)
        ),
        row(
            ("p99 of produce beside them", percentile_us(&mut beside, 0.99)),
            ("alone", percentile_us(&mut alone, 0.99)),
            "us",
            "<= 1.2",
        ),
    ])
}

/// Connections that have asked what every client asks first.
async fn open(broker: &BrokerProcess, count: u64) -> anyhow::Result<Vec<KafkaConnection>> {
    let (mut opening, mut idle) = (JoinSet::new(), Vec::new());
    for _ in 0..count {
        let address = broker.kafka_address().to_owned();
        opening.spawn(async move {
            let mut connection = KafkaConnection::open(&address).await?;
            connection.call(0, &ApiVersionsRequest::default()).await?;
            Ok::<_, anyhow::Error>(connection)
        });
        if opening.len() == OPENING {
            idle.push(opening.join_next().await.context("one of many")???);
        }
    }
    while let Some(opened) = opening.join_next().await {
        idle.push(opened??);
    }
    Ok(idle)
}

/// How long each record took, one at a time on each of some connections.
async fn active(broker: &BrokerProcess, each: usize) -> anyhow::Result<Vec<Duration>> {
    let records = bytes::Bytes::from(wire::batch(BatchOptions::default(), &[&[7_u8; 1024][..]])?);
    let mut clients = JoinSet::new();
    for _ in 0..ACTIVE {
        let mut connection = KafkaConnection::open(broker.kafka_address()).await?;
        let records = records.clone();
        clients.spawn(async move {
            let mut times = Vec::with_capacity(each);
            for _ in 0..each {
                let started = Instant::now();
                let result = connection.produce(PRODUCE, TOPIC, records.clone()).await?;
                ensure!(result.error_code.is_none(), "{result:?}");
                times.push(started.elapsed());
            }
            Ok::<_, anyhow::Error>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(client) = clients.join_next().await {
        times.extend(client??);
    }
    Ok(times)
}
