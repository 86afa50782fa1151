//! The public API below the client library: single requests, right or wrong in any field, and the answer as it came.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use cairn_proto::{
    record::{BatchBuilder, BatchOptions, crc32c},
    v1::{
        DescribeTopicRequest, InitProducerIdRequest, ListOffsetsRequest, OffsetQuery, ProduceRequest,
        ProduceResponse, admin_client::AdminClient, log_client::LogClient, offset_query::At,
    },
};
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::transport::{Channel, Endpoint};

/// A connection of its own to a broker.
///
/// # Errors
/// Nobody answers there.
pub async fn channel(address: &str) -> anyhow::Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{address}"))?.connect().await?)
}

/// The id of a topic.
///
/// # Errors
/// There is no such topic.
pub async fn topic_id(channel: &Channel, name: &str) -> anyhow::Result<Bytes> {
    let request = DescribeTopicRequest { name: name.into() };
    let described = AdminClient::new(channel.clone()).describe_topic(request).await?.into_inner();
    Ok(described.topic.context("a topic in the reply")?.topic_id)
}

/// A new producer id with its epoch.
///
/// # Errors
/// The broker gives none.
pub async fn producer_id(channel: &Channel) -> anyhow::Result<(i64, i16)> {
    let request = InitProducerIdRequest { producer_id: -1, producer_epoch: -1 };
    let reply = LogClient::new(channel.clone()).init_producer_id(request).await?.into_inner();
    ensure!(reply.error == 0 && reply.producer_id >= 0, "{reply:?}");
    Ok((reply.producer_id, i16::try_from(reply.producer_epoch)?))
}

/// A request to partition 0 with acks=all.
pub fn produce_request(request_id: u64, topic_id: Bytes, batch: Bytes) -> ProduceRequest {
    ProduceRequest { request_id, topic_id, partition: 0, acks: 0, leader_epoch: -1, batch }
}

/// Sends one request on a stream of its own.
///
/// # Errors
/// The stream ended with a status, or without a reply.
pub async fn produce(channel: &Channel, request: ProduceRequest) -> anyhow::Result<ProduceResponse> {
    let limit = 64 << 20;
    let mut client = LogClient::new(channel.clone()).max_encoding_message_size(limit);
    let mut replies = client.produce(tokio_stream::once(request)).await?.into_inner();
    replies.message().await?.context("the stream ended without a reply")
}

/// The offset behind the last readable record of partition 0.
///
/// # Errors
/// The broker does not say.
pub async fn end_offset(channel: &Channel, topic_id: Bytes) -> anyhow::Result<i64> {
    let at = Some(At::Latest(true));
    let query = OffsetQuery { topic_id, partition: 0, leader_epoch: -1, isolation: 0, at };
    let request = ListOffsetsRequest { queries: vec![query] };
    let reply = LogClient::new(channel.clone()).list_offsets(request).await?.into_inner();
    let answer = reply.answers.first().context("an answer")?;
    ensure!(answer.error == 0, "{answer:?}");
    Ok(answer.offset)
}

/// A valid batch of records with these values.
///
/// # Errors
/// It cannot be built.
pub fn batch(options: BatchOptions, values: &[&[u8]]) -> anyhow::Result<Vec<u8>> {
    let mut builder = BatchBuilder::new(options);
    // Of today: retention by age is on by default.
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    for (index, value) in values.iter().enumerate() {
        builder.append(now_ms + i64::try_from(index)?, None, Some(value), &[])?;
    }
    Ok(builder.finish()?.to_vec())
}

/// Puts the checksum of a changed batch right.
pub fn repair_checksum(batch: &mut [u8]) {
    let crc = batch.get(21..).map_or(0, crc32c);
    if let Some(place) = batch.get_mut(17..21) {
        place.copy_from_slice(&crc.to_be_bytes());
    }
}
