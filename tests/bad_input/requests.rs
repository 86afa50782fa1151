//! Requests whose fields lie: an error that says so, for every service.

use super::{Attack, TOPIC};
use anyhow::{Result, ensure};
use bytes::Bytes;
use cairn_proto::{
    record::BatchOptions,
    v1::{
        AlterTopicRequest, CreateTopicRequest, CreateTopicResponse, DeleteRecordsRequest, DeleteTopicRequest,
        DescribeTopicRequest, ErrorCode, FetchRequest, ListOffsetsRequest, ListTopicsRequest, OffsetQuery,
        ProduceRequest, Subscribe, WatchRequest, admin_client::AdminClient, cluster_client::ClusterClient,
        log_client::LogClient, offset_query::At,
    },
};
use cairn_tests::wire::{batch, end_offset, produce, produce_request, topic_id};
use std::time::Duration;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_prost::ProstCodec;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

fn ids_that_are_none() -> Vec<Bytes> {
    let lengths = [0, 1, 15, 17, 1000];
    lengths.iter().map(|length| vec![7; *length].into()).chain([vec![7; 16].into()]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn produce_requests_with_wrong_fields() -> Result<()> {
    let attack = Attack::begin().await?;
    let valid: Bytes = batch(BatchOptions::default(), &[b"one"])?.into();
    let good = produce_request(u64::MAX, attack.topic_id.clone(), valid.clone());
    let mut bad: Vec<ProduceRequest> =
        ids_that_are_none().into_iter().map(|topic_id| ProduceRequest { topic_id, ..good.clone() }).collect();
    bad.push(ProduceRequest { partition: 2, ..good.clone() });
    bad.push(ProduceRequest { partition: u32::MAX, ..good.clone() });
    bad.push(ProduceRequest { acks: 99, ..good.clone() });
    bad.push(ProduceRequest { acks: -1, ..good.clone() });
    bad.push(ProduceRequest { leader_epoch: i32::MAX, ..good.clone() });
    for request in bad {
        let what = format!("{} bytes of id, {request:?}", request.topic_id.len());
        match produce(&attack.channel, request).await {
            Ok(reply) => {
                ensure!(reply.error() != ErrorCode::None && !reply.message.is_empty(), "{what}: {reply:?}");
                ensure!(reply.request_id == u64::MAX, "{what}: {reply:?}");
            }
            Err(status) => ensure!(status.to_string().len() > 10, "{what}: {status}"),
        }
    }
    ensure!(end_offset(&attack.channel, attack.topic_id.clone()).await? == 0, "something was appended");
    attack.end().await
}

fn topic_names() -> Vec<String> {
    let mut names: Vec<_> =
        ["", ".", "..", "/", "a/b", "../../etc", "a b", "a\0b", "grün", "a\nb"].map(Into::into).to_vec();
    names.extend(["a".repeat(250), "a".repeat(32 << 10)]);
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_requests_with_wrong_fields() -> Result<()> {
    let attack = Attack::begin().await?;
    let mut admin = AdminClient::new(attack.channel.clone());
    for name in topic_names() {
        let shown: String = name.chars().take(20).collect();
        let create = CreateTopicRequest { name: name.clone(), partitions: 1, ..Default::default() };
        let created = admin.create_topic(create).await?.into_inner();
        ensure!(created.error() == ErrorCode::InvalidTopic, "{shown:?}: {created:?}");
        ensure!(
            created.message.len() < 2000,
            "{shown:?}: the message repeats {} bytes",
            created.message.len()
        );
        let described = admin.describe_topic(DescribeTopicRequest { name: name.clone() }).await?.into_inner();
        ensure!(described.error() != ErrorCode::None, "{shown:?}: {described:?}");
        let deleted = admin.delete_topic(DeleteTopicRequest { name }).await?.into_inner();
        ensure!(deleted.error() != ErrorCode::None, "{shown:?}: {deleted:?}");
    }
    let name = "a".repeat(2 << 20);
    let beyond_any_request = admin.create_topic(CreateTopicRequest { name, ..Default::default() }).await;
    ensure!(beyond_any_request.is_err(), "a name of 2 MiB");
    let numbers = [i32::MIN, -2, i32::MAX];
    for partitions in numbers {
        let create = CreateTopicRequest { name: "fine".into(), partitions, ..Default::default() };
        let created = admin.create_topic(create).await?.into_inner();
        ensure!(created.error() == ErrorCode::InvalidPartitions, "{partitions} partitions: {created:?}");
        let alter = AlterTopicRequest { name: TOPIC.into(), partitions, ..Default::default() };
        let altered = admin.alter_topic(alter).await?.into_inner();
        ensure!(altered.error() == ErrorCode::InvalidPartitions, "{partitions} partitions: {altered:?}");
    }
    for replication_factor in numbers {
        let name = "fine".into();
        let create = CreateTopicRequest { name, partitions: 1, replication_factor, ..Default::default() };
        let created = admin.create_topic(create).await?.into_inner();
        ensure!(created.error() == ErrorCode::InvalidReplicationFactor, "{created:?}");
    }
    for (key, value) in [
        ("retention.ms", "soon"),
        ("segment.bytes", "-1"),
        ("segment.bytes", "99999999999999999999"),
        ("max.message.bytes", "0"),
        ("cleanup", "x"),
        ("", ""),
        ("durability", &"x".repeat(100_000)),
    ] {
        let configs = [(key.to_owned(), value.to_owned())].into();
        let create = CreateTopicRequest { name: "fine".into(), configs, ..Default::default() };
        let created = admin.create_topic(create).await?.into_inner();
        ensure!(created.error() == ErrorCode::InvalidConfig, "{key}: {created:?}");
        ensure!(created.message.len() < 2000, "the message repeats {} bytes", created.message.len());
    }
    for (partition, before_offset) in [(0, 1), (0, i64::MAX), (0, -2), (9, 0)] {
        let request = DeleteRecordsRequest { name: TOPIC.into(), partition, before_offset };
        let deleted = admin.delete_records(request).await?.into_inner();
        ensure!(deleted.error() != ErrorCode::None, "{partition} {before_offset}: {deleted:?}");
    }
    let listed = admin.list_topics(ListTopicsRequest { after: String::new(), limit: u32::MAX }).await?;
    let names: Vec<_> = listed.into_inner().topics.into_iter().map(|topic| topic.name).collect();
    ensure!(names == [TOPIC, "witness"], "{names:?}");
    attack.end().await
}

/// Kafka's rules: names that differ by case are two topics, names that differ by '.' and '_' alone cannot both be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_look_alike() -> Result<()> {
    let attack = Attack::begin().await?;
    let mut admin = AdminClient::new(attack.channel.clone());
    let mut create = async |name: &str| -> Result<CreateTopicResponse> {
        let request = CreateTopicRequest { name: name.into(), partitions: 1, ..Default::default() };
        Ok(admin.create_topic(request).await?.into_inner())
    };
    for name in ["twin", "Twin", "TWIN", "a.b"] {
        let created = create(name).await?;
        ensure!(created.error() == ErrorCode::None, "{name}: {created:?}");
    }
    for name in ["twin", "Twin", "a.b"] {
        let created = create(name).await?;
        ensure!(created.error() == ErrorCode::TopicExists, "{name}: {created:?}");
    }
    let collided = create("a_b").await?;
    ensure!(collided.error() == ErrorCode::InvalidTopic, "{collided:?}");
    ensure!(collided.message.contains("\"a.b\"") && collided.message.contains("'_'"), "{collided:?}");
    let lower = topic_id(&attack.channel, "twin").await?;
    let upper = topic_id(&attack.channel, "Twin").await?;
    ensure!(lower != upper, "case twins are two topics");
    let batch = batch(BatchOptions::default(), &[b"for one of them"])?;
    let reply = produce(&attack.channel, produce_request(1, upper.clone(), batch.into())).await?;
    ensure!(reply.error() == ErrorCode::None, "{reply:?}");
    ensure!(end_offset(&attack.channel, lower).await? == 0, "it went to the other one");
    ensure!(end_offset(&attack.channel, upper).await? == 1, "it went nowhere");
    attack.end().await
}

/// `CreateTopicRequest` as a client could send it that does not care for UTF-8.
#[derive(Clone, PartialEq, prost::Message)]
struct NameOfBytes {
    #[prost(bytes, tag = "1")]
    name: Vec<u8>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_not_utf_8() -> Result<()> {
    let attack = Attack::begin().await?;
    let mut grpc = tonic::client::Grpc::new(attack.channel.clone());
    grpc.ready().await?;
    let request = tonic::Request::new(NameOfBytes { name: b"\xff\xfe".to_vec() });
    let path = PathAndQuery::from_static("/cairn.v1.Admin/CreateTopic");
    let codec = ProstCodec::<NameOfBytes, CreateTopicResponse>::default();
    let answer = grpc.unary(request, path, codec).await;
    ensure!(answer.is_err(), "{answer:?}");
    attack.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetch_requests_with_wrong_fields() -> Result<()> {
    let attack = Attack::begin().await?;
    let good = Subscribe {
        subscription_id: 1,
        topic_id: attack.topic_id.clone(),
        leader_epoch: -1,
        last_epoch: -1,
        ..Default::default()
    };
    let mut bad: Vec<Subscribe> =
        ids_that_are_none().into_iter().map(|topic_id| Subscribe { topic_id, ..good.clone() }).collect();
    bad.push(Subscribe { partition: u32::MAX, ..good.clone() });
    bad.push(Subscribe { offset: 1, ..good.clone() });
    bad.push(Subscribe { offset: -1, ..good.clone() });
    bad.push(Subscribe { offset: i64::MAX, ..good.clone() });
    bad.push(Subscribe { offset: i64::MIN, ..good.clone() });
    bad.push(Subscribe { leader_epoch: i32::MAX, ..good.clone() });
    bad.push(Subscribe { isolation: 77, ..good.clone() });
    for subscribe in bad {
        let what = format!("{subscribe:?}");
        let request =
            FetchRequest { subscribe: vec![subscribe], unsubscribe: vec![9], add_credit_bytes: u64::MAX };
        let (sender, requests) = tokio::sync::mpsc::channel(1);
        sender.send(request).await?;
        let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
        let mut log = LogClient::new(attack.channel.clone());
        let answered = tokio::time::timeout(ANSWER_WITHIN, async {
            let mut replies = log.fetch(requests).await?.into_inner();
            replies.message().await
        });
        match answered.await? {
            Ok(Some(reply)) => {
                ensure!(reply.error() != ErrorCode::None && !reply.message.is_empty(), "{what}: {reply:?}");
            }
            Ok(None) => anyhow::bail!("{what}: the stream ended without a word"),
            Err(status) => ensure!(!status.message().is_empty(), "{what}: {status}"),
        }
        drop(sender);
    }
    attack.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offset_and_watch_requests_with_wrong_fields() -> Result<()> {
    let attack = Attack::begin().await?;
    let mut log = LogClient::new(attack.channel.clone());
    let good = OffsetQuery {
        topic_id: attack.topic_id.clone(),
        partition: 0,
        leader_epoch: -1,
        isolation: 0,
        at: Some(At::Latest(true)),
    };
    let mut queries: Vec<OffsetQuery> =
        ids_that_are_none().into_iter().map(|topic_id| OffsetQuery { topic_id, ..good.clone() }).collect();
    queries.push(OffsetQuery { partition: u32::MAX, ..good.clone() });
    queries.push(OffsetQuery { leader_epoch: i32::MAX, ..good.clone() });
    queries.push(OffsetQuery { at: None, ..good.clone() });
    let count = queries.len();
    let answers = log.list_offsets(ListOffsetsRequest { queries }).await?.into_inner().answers;
    ensure!(answers.len() == count, "{} answers to {count} queries", answers.len());
    for answer in answers {
        ensure!(answer.error() != ErrorCode::None && !answer.message.is_empty(), "{answer:?}");
    }
    let twice = ListOffsetsRequest { queries: vec![good.clone(), good.clone()] };
    ensure!(log.list_offsets(twice).await?.into_inner().answers.len() == 2, "the same query twice");
    ensure!(log.list_offsets(ListOffsetsRequest::default()).await?.into_inner().answers.is_empty(), "none");
    let flood = ListOffsetsRequest { queries: vec![good; 50_000] };
    ensure!(log.list_offsets(flood).await.is_err(), "50,000 queries in one request");

    let mut cluster = ClusterClient::new(attack.channel.clone());
    let mut watch = cluster.watch(WatchRequest { topics: topic_names() }).await?.into_inner();
    let image = tokio::time::timeout(ANSWER_WITHIN, watch.message()).await??;
    ensure!(image.is_some_and(|image| image.topics.is_empty()), "topics that cannot exist");
    let topics = (0..50_000).map(|number| number.to_string()).collect();
    ensure!(cluster.watch(WatchRequest { topics }).await.is_err(), "50,000 topics in one watch");
    attack.end().await
}
