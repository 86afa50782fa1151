//! Counts what one request allocates, broker and client side together in one process: it must not grow with the records in
//! the batch. Plain counts, no times: `cargo bench -p cairn-benches --bench allocations`.
#![expect(clippy::print_stdout, reason = "it prints its figures")]

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use cairn_broker::{
    config::{Config, Listen},
    node::Node,
};
use cairn_proto::{
    record::{BatchBuilder, BatchOptions},
    v1::{self, admin_client::AdminClient, log_client::LogClient},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{alloc::System, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUESTS: usize = 500;
const VALUE: [u8; 16] = [7; 16];

fn batch(records: usize) -> anyhow::Result<Bytes> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for _ in 0..records {
        builder.append(1_700_000_000_000, None, Some(&VALUE), &[])?;
    }
    Ok(builder.finish()?)
}

/// One stream to one partition.
struct Produce {
    topic_id: Bytes,
    requests: mpsc::Sender<v1::ProduceRequest>,
    replies: Streaming<v1::ProduceResponse>,
}

impl Produce {
    async fn open(channel: Channel, topic_id: Bytes) -> anyhow::Result<Self> {
        let (requests, stream) = mpsc::channel(4);
        let replies = LogClient::new(channel).produce(ReceiverStream::new(stream)).await?.into_inner();
        Ok(Self { topic_id, requests, replies })
    }

    /// Sends a batch many times, one after the other, and gives the allocations of each.
    async fn allocations(&mut self, batch: &Bytes) -> anyhow::Result<f64> {
        let region = Region::new(ALLOCATOR);
        for request_id in 0..REQUESTS {
            let (topic_id, batch) = (self.topic_id.clone(), batch.clone());
            let request_id = request_id as u64;
            self.requests
                .send(v1::ProduceRequest {
                    request_id,
                    topic_id,
                    leader_epoch: -1,
                    batch,
                    ..Default::default()
                })
                .await?;
            let reply = self.replies.message().await?.context("a reply")?;
            ensure!(reply.error() == v1::ErrorCode::None, "{}", reply.message);
        }
        Ok(region.change().allocations as f64 / REQUESTS as f64)
    }
}

async fn measure() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let listen = || Listen::At("127.0.0.1:0".into());
    let config = Config {
        data_dir: directory.path().join("data"),
        listen_grpc: listen(),
        listen_kafka: listen(),
        listen_http: listen(),
        ..Config::default()
    };
    let node = Node::start(config).await?;
    let address = node.grpc_address().context("a listener")?;
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let create = v1::CreateTopicRequest { name: "count".into(), partitions: 1, ..Default::default() };
    let created = AdminClient::new(channel.clone()).create_topic(create).await?.into_inner();
    ensure!(created.error() == v1::ErrorCode::None, "{}", created.message);
    let mut produce = Produce::open(channel, created.topic_id).await?;
    let (one, thousand) = (batch(1)?, batch(1000)?);
    produce.allocations(&one).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (small, large) = (produce.allocations(&one).await?, produce.allocations(&thousand).await?);
    println!(
        "allocations a produce request, client's and broker's together: {small:.1} with 1 record, {large:.1} with 1,000"
    );
    ensure!(large < small + 8.0, "the allocations of a request grow with its records");
    drop(produce);
    node.shutdown().await?;
    Ok(())
}

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(measure())
}
