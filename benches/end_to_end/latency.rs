//! Latency of one acknowledged, fsynced record at a time, against a bare synced 4 KiB write plus an empty unary call.

use super::machine::{Machine, create_topic};
use cairn_benches::{
    figures::{percentile_us, row},
    raw_disk::PrewrittenFile,
};
use cairn_client::{Client, Record};
use std::time::{Duration, Instant};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// The row.
pub(crate) fn run(machine: &Machine) -> anyhow::Result<Vec<String>> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(measure(machine))
}

async fn measure(machine: &Machine) -> anyhow::Result<Vec<String>> {
    let rounds = 20;
    let each = usize::try_from(machine.amount(10_000))? / rounds;
    let directory = machine.directory()?;
    let broker = machine.broker(&directory.path().join("data")).start()?;
    create_topic(&broker, "latency", 1)?;
    let client = Client::connect(broker.grpc_address()).await?;
    let producer = client.producer().linger(Duration::ZERO).build().await?;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", broker.grpc_address()))?;
    let mut health = HealthClient::new(channel.connect().await?);
    let mut file = PrewrittenFile::new(directory.path(), 64 << 20)?;
    let (mut sends, mut calls, mut writes) = (Vec::new(), Vec::new(), Vec::new());
    let value = bytes::Bytes::from(vec![7_u8; 1024]);
    for _ in 0..rounds {
        writes.extend(file.synced_block_times(each)?);
        for _ in 0..each {
            let started = Instant::now();
            health.check(HealthCheckRequest { service: String::new() }).await?;
            calls.push(started.elapsed());
        }
        for _ in 0..each {
            let started = Instant::now();
            producer.send(Record::to("latency").value(value.clone())).await?.await?;
            sends.push(started.elapsed());
        }
    }
    producer.close(Duration::from_secs(5)).await?;
    let (write, call) = (percentile_us(&mut writes, 0.5), percentile_us(&mut calls, 0.5));
    Ok(vec![
        row(
            ("one record at a time, p50", percentile_us(&mut sends, 0.5)),
            ("write + call", write + call),
            "us",
            "<= 1.3",
        ),
        format!("p50 of a synced 4 KiB write {write:.0} us, of an empty unary call {call:.0} us"),
        format!("p99 of a record {:.0} us", percentile_us(&mut sends, 0.99)),
    ])
}
