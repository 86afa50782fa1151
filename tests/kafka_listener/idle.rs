//! Many connections that have asked once and say nothing more: little memory, and everybody else is served.

use super::Served;
use anyhow::{Context as _, Result, ensure};
use cairn_proto::kafka::{api_versions::ApiVersionsRequest, metadata::MetadataRequest};
use cairn_tests::{kafka::KafkaConnection, process_status::anonymous_bytes, witness::Witness};
use tokio::task::JoinSet;

/// This process and the broker have one descriptor for each.
const CONNECTIONS: usize = 2000;
/// A fifth of what ten thousand may cost.
const EXTRA_BYTES_MAX: u64 = 40 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_hold_next_to_nothing() -> Result<()> {
    let mut served = Served::begin().await?;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?;
    let witness = Witness::start(served.broker.grpc_address(), served.broker.id()).await?;
    let before = anonymous_bytes(served.broker.id())?;
    let mut opening = JoinSet::new();
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let address = served.broker.kafka_address().to_owned();
        opening.spawn(async move {
            let mut connection = KafkaConnection::open(&address).await?;
            connection.call(0, &ApiVersionsRequest::default()).await?;
            Ok::<_, anyhow::Error>(connection)
        });
        if opening.len() == 50 {
            idle.push(opening.join_next().await.context("one of many")???);
        }
    }
    while let Some(opened) = opening.join_next().await {
        idle.push(opened??);
    }
    let extra = anonymous_bytes(served.broker.id())?.saturating_sub(before);
    println!("{} idle connections hold {} KiB", idle.len(), extra >> 10);
    ensure!(idle.len() == CONNECTIONS && extra < EXTRA_BYTES_MAX, "{} hold {extra} bytes", idle.len());
    served.kafka.call(12, &MetadataRequest::default()).await?;
    println!("the witness: {:?}", witness.finish().await?);
    drop(idle);
    served.end().await
}
