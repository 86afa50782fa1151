//! Clients that send much and read nothing: the broker stops reading from them, and holds no more than its limits.

use super::{Attack, TOPIC};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_proto::{
    record::BatchOptions,
    v1::{ErrorCode, FetchRequest, Subscribe, log_client::LogClient},
};
use cairn_tests::wire::{batch, channel, end_offset, produce_request};
use std::time::Duration;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

const REQUESTS: u64 = 10_000;
/// Of eight requests of half a megabyte: four times what the broker takes in at once.
const ROUNDS: u64 = 64;
const REPLY_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_pipelined_requests_are_answered_in_order() -> Result<()> {
    let attack = Attack::begin().await?;
    let valid: Bytes = batch(BatchOptions::default(), &[&[7; 100]])?.into();
    let topic_id = attack.topic_id.clone();
    let requests = tokio_stream::iter(0..REQUESTS)
        .map(move |request_id| produce_request(request_id, topic_id.clone(), valid.clone()));
    let mut replies = LogClient::new(attack.channel.clone()).produce(requests).await?.into_inner();
    for expected in 0..REQUESTS {
        let reply = tokio::time::timeout(REPLY_WITHIN, replies.message()).await??.context("a reply")?;
        ensure!(reply.error() == ErrorCode::None, "{reply:?}");
        ensure!(reply.request_id == expected, "reply {} came as number {expected}", reply.request_id);
        ensure!(reply.base_offset == i64::try_from(expected)?, "{reply:?}");
    }
    attack.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_nobody_reads_stop_the_reading_of_requests() -> Result<()> {
    let attack = Attack::begin().await?;
    let large: Bytes = batch(BatchOptions::default(), &[&vec![7; 500_000]])?.into();
    let mut streams = Vec::new();
    for _ in 0..8 {
        let (sender, requests) = tokio::sync::mpsc::channel(1);
        let own = channel(attack.address()).await?;
        // No reply is ever read: the stream of replies is kept, and that is all.
        let replies = LogClient::new(own).produce(ReceiverStream::new(requests)).await?.into_inner();
        streams.push((sender, replies));
    }
    let mut sent = 0;
    for round in 0..ROUNDS {
        for (sender, _) in &streams {
            let request = produce_request(round, attack.topic_id.clone(), large.clone());
            let stuck = tokio::time::timeout(Duration::from_millis(50), sender.send(request)).await.is_err();
            sent += u64::from(!stuck);
        }
    }
    println!("{sent} of {} large requests were taken", ROUNDS * 8);
    ensure!(end_offset(&attack.channel, attack.topic_id.clone()).await? > 0, "nothing was appended");
    drop(streams);
    attack.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushed_batches_that_nobody_reads_are_held_back() -> Result<()> {
    let attack = Attack::begin().await?;
    let large: Bytes = batch(BatchOptions::default(), &[&vec![7; 700_000]])?.into();
    let topic_id = attack.topic_id.clone();
    let requests = tokio_stream::iter(0..60_u64)
        .map(move |request_id| produce_request(request_id, topic_id.clone(), large.clone()));
    let mut replies = LogClient::new(attack.channel.clone()).produce(requests).await?.into_inner();
    while let Some(reply) = replies.message().await? {
        ensure!(reply.error() == ErrorCode::None, "{reply:?}");
    }
    let mut streams = Vec::new();
    for _ in 0..40 {
        let subscribe = (0..50)
            .map(|subscription_id| Subscribe {
                subscription_id,
                topic_id: attack.topic_id.clone(),
                leader_epoch: -1,
                last_epoch: -1,
                ..Default::default()
            })
            .collect();
        let request = FetchRequest { subscribe, unsubscribe: Vec::new(), add_credit_bytes: u64::MAX };
        let (sender, requests) = tokio::sync::mpsc::channel(2);
        sender.send(request.clone()).await?;
        sender.send(request).await?;
        let own = channel(attack.address()).await?;
        let pushed = LogClient::new(own).fetch(ReceiverStream::new(requests)).await?.into_inner();
        streams.push((sender, pushed));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(attack.scene.data().exists(), "{TOPIC} lies there");
    drop(streams);
    attack.end().await
}
