//! Batches out: whole ones, as many as are asked for, at once or when they come; offsets by position, time and epoch.

use super::{Served, batch};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_client::{Client, NewTopic, Record};
use cairn_proto::{
    kafka::{
        ApiKey, ErrorCode,
        fetch::{FetchPartition, ForgottenTopic, PartitionData},
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata::MetadataRequest,
        offset_for_leader_epoch::{
            OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
        },
    },
    record::{Batch, DecompressLimit},
};
use cairn_tests::{
    kafka::{Fetch, KafkaConnection, expect_code, metadata_request},
    load::read_all,
};
use std::time::{Duration, Instant};
use uuid::Uuid;

const TOPIC: &str = "consumed";
const FETCH: i16 = 16;
const LATE: Duration = Duration::from_secs(20);

fn fetch(topic_id: Uuid, offset: i64) -> Fetch<'static> {
    Fetch { topic: TOPIC, topic_id, offset, min_bytes: 0, max_wait_ms: 0, max_bytes: 16 << 20 }
}

fn values(data: &PartitionData) -> Result<Vec<(i64, Vec<u8>)>> {
    let mut rest = data.records.clone().context("records")?;
    let mut values = Vec::new();
    while let Some(batch) = Batch::split_first(&mut rest)? {
        batch.check_crc()?;
        for record in batch.records(DecompressLimit { bytes_max: 1 << 20 })? {
            let record = record?;
            values.push((record.offset, record.value.context("a value")?.to_vec()));
        }
    }
    Ok(values)
}

/// Trap 10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_10_whole_batches_and_at_least_one_in_every_version() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let mut sizes = Vec::new();
    for number in 0..5_u8 {
        let records = batch(&[&[number; 1000], &[number; 1000]])?;
        sizes.push(i32::try_from(records.len())?);
        served.kafka.produce(11, TOPIC, records).await?;
    }
    let two = sizes[0] + sizes[1];
    for version in ApiKey::Fetch.served() {
        for (offset, max_bytes, expected) in [
            (0, 16 << 20, 0..10),
            // In the middle of a batch: the whole of it.
            (3, 16 << 20, 2..10),
            // At least one batch, and never a part of one.
            (4, 0, 4..6),
            (4, 1, 4..6),
            (4, two - 1, 4..6),
            (4, two, 4..8),
            (10, 16 << 20, 10..10),
        ] {
            let data = served.kafka.fetch(version, &Fetch { max_bytes, ..fetch(topic_id, offset) }).await?;
            expect_code(data.error_code, ErrorCode::NONE, "Fetch")?;
            let offsets: Vec<_> = values(&data)?.into_iter().map(|(offset, _)| offset).collect();
            let what = format!("version {version}, offset {offset}, {max_bytes} bytes");
            ensure!(offsets == expected.collect::<Vec<_>>(), "{what}: {offsets:?}");
            ensure!(data.high_watermark == 10 && data.last_stable_offset == 10, "{what}: {data:?}");
        }
        for offset in [-1, 11] {
            let data = served.kafka.fetch(version, &fetch(topic_id, offset)).await?;
            expect_code(data.error_code, ErrorCode::OFFSET_OUT_OF_RANGE, "beyond the log")?;
        }
    }
    served.end().await
}

/// Trap 10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_10_a_long_poll_ends_when_enough_is_there_or_the_time_is_up() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let mut producer = served.another().await?;
    let size = i32::try_from(batch(&[b"awaited"])?.len())?;

    let started = Instant::now();
    let wait = Fetch { min_bytes: 1, max_wait_ms: 300, ..fetch(topic_id, 0) };
    let data = served.kafka.fetch(FETCH, &wait).await?;
    let waited = started.elapsed();
    ensure!(values(&data)?.is_empty() && waited >= Duration::from_millis(295), "after {waited:?}: {data:?}");
    ensure!(waited < LATE, "after {waited:?}");

    for (min_bytes, batches) in [(1, 1), (3 * size, 3), (2 * size + 1, 3)] {
        let (end, _) = ends(&mut producer).await?;
        let long = Fetch { min_bytes, max_wait_ms: 60_000, ..fetch(topic_id, end) };
        let started = Instant::now();
        served.kafka.send(FETCH, &long.request()).await?;
        for _ in 0..batches {
            tokio::time::sleep(Duration::from_millis(50)).await;
            expect_code(
                producer.produce(11, TOPIC, batch(&[b"awaited"])?).await?.error_code,
                ErrorCode::NONE,
                "",
            )?;
        }
        let (_, response) = served.kafka.receive::<cairn_proto::kafka::fetch::FetchRequest>(FETCH).await?;
        let data = &response.responses[0].partitions[0];
        ensure!(values(data)?.len() == batches, "{min_bytes} bytes wanted: {data:?}");
        ensure!(started.elapsed() < LATE, "after {:?}", started.elapsed());
    }

    // Not enough for a long while: what is there comes at the end of it.
    let short = Fetch { min_bytes: 1 << 20, max_wait_ms: 200, ..fetch(topic_id, 0) };
    ensure!(values(&served.kafka.fetch(FETCH, &short).await?)?.len() == 7, "seven records");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_does_not_hold_the_broker_up() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let mut waiting = served.another().await?;
    let long = Fetch { min_bytes: 1, max_wait_ms: 60_000, ..fetch(topic_id, 0) };
    waiting.send(FETCH, &long.request()).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    served.end().await?;
    ensure!(started.elapsed() < Duration::from_secs(5), "the broker ended after {:?}", started.elapsed());
    let (_, response) = waiting.receive::<cairn_proto::kafka::fetch::FetchRequest>(FETCH).await?;
    ensure!(values(&response.responses[0].partitions[0])?.is_empty(), "{response:?}");
    Ok(())
}

/// The end of partition 0, and the current epoch.
async fn ends(kafka: &mut KafkaConnection) -> Result<(i64, i32)> {
    let answer = list_offset(kafka, 9, -1).await?;
    Ok((answer.offset, answer.leader_epoch))
}

async fn list_offset(
    kafka: &mut KafkaConnection,
    version: i16,
    timestamp: i64,
) -> Result<cairn_proto::kafka::list_offsets::ListOffsetsPartitionResponse> {
    let partitions = vec![ListOffsetsPartition { timestamp, ..Default::default() }];
    let topics = vec![ListOffsetsTopic { name: TOPIC.into(), partitions }];
    let response =
        kafka.call(version, &ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }).await?;
    response
        .topics
        .into_iter()
        .next()
        .and_then(|topic| topic.partitions.into_iter().next())
        .context("an answer")
}

/// One request over many partitions, of which one gets a record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_over_many_partitions_hears_of_each() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 50).await?;
    let mut producer = served.another().await?;
    let mut request = Fetch { min_bytes: 1, max_wait_ms: 60_000, ..fetch(topic_id, 0) }.request();
    let template = request.topics[0].partitions[0].clone();
    let one = |partition| FetchPartition { partition, ..template.clone() };
    request.topics[0].partitions = (0..50).map(one).collect();
    served.kafka.send(FETCH, &request).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut produce = cairn_tests::kafka::produce_request(TOPIC, -1, batch(&[b"here"])?);
    produce.topic_data[0].partition_data[0].index = 37;
    producer.call(11, &produce).await?;
    let (_, response) = served.kafka.receive::<cairn_proto::kafka::fetch::FetchRequest>(FETCH).await?;
    for data in &response.responses[0].partitions {
        expect_code(data.error_code, ErrorCode::NONE, "Fetch")?;
        ensure!(values(data)?.len() == usize::from(data.partition_index == 37), "{data:?}");
    }
    // Deleted while it is waited for: told at once.
    request.topics[0].partitions[37].fetch_offset = 1;
    served.kafka.send(FETCH, &request).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    Client::connect(served.broker.grpc_address()).await?.admin().delete_topic(TOPIC).await?;
    let (_, response) = served.kafka.receive::<cairn_proto::kafka::fetch::FetchRequest>(FETCH).await?;
    let told = response.responses[0].partitions.iter().any(|data| !data.error_code.is_none());
    ensure!(told, "nobody told of the deletion");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_listeners_have_the_same_records() -> Result<()> {
    let mut served = Served::begin().await?;
    let client = Client::connect(served.broker.grpc_address()).await?;
    client.admin().create_topic(NewTopic::named(TOPIC)).await?;
    let producer = client.producer().build().await?;
    producer.send(Record::to(TOPIC).value("by gRPC")).await?.await?;
    let metadata = served.kafka.call(12, &metadata_request(TOPIC, false)).await?;
    let topic_id = metadata.topics[0].topic_id;
    served.kafka.produce(11, TOPIC, batch(&[b"by Kafka"])?).await?;
    producer.send(Record::to(TOPIC).value("by gRPC again")).await?.await?;
    let data = served.kafka.fetch(FETCH, &fetch(topic_id, 0)).await?;
    let expected: [(i64, &[u8]); 3] = [(0, b"by gRPC"), (1, b"by Kafka"), (2, b"by gRPC again")];
    let read = values(&data)?;
    ensure!(read.iter().map(|(offset, value)| (*offset, value.as_slice())).eq(expected), "{read:?}");
    let read = read_all(&client, TOPIC).await?;
    ensure!(read.seen.len() == 3, "{read:?}");
    drop((producer, client));
    served.end().await
}

/// Trap 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_by_position_time_and_epoch() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    served.kafka.produce(11, TOPIC, batch(&[b"a", b"b", b"c"])?).await?;
    let data = served.kafka.fetch(FETCH, &fetch(topic_id, 0)).await?;
    let header = *Batch::parse(data.records.context("records")?)?.header();
    let first_ms = header.base_timestamp_ms;
    for version in ApiKey::ListOffsets.served() {
        for (timestamp, expected) in
            [(-1, 3), (-2, 0), (0, 0), (first_ms, 0), (first_ms + 1, 1), (first_ms + 3, -1)]
        {
            let answer = list_offset(&mut served.kafka, version, timestamp).await?;
            expect_code(answer.error_code, ErrorCode::NONE, "ListOffsets")?;
            ensure!(answer.offset == expected, "version {version}, {timestamp}: {answer:?}");
        }
        let elsewhere = list_offset(&mut served.kafka, version, -5).await?;
        let expected = if version < 9 { ErrorCode::UNSUPPORTED_VERSION } else { ErrorCode::NONE };
        expect_code(elsewhere.error_code, expected, "-5")?;
        ensure!((elsewhere.offset, elsewhere.timestamp) == (-1, -1), "{elsewhere:?}");
        let greatest = list_offset(&mut served.kafka, version, -3).await?;
        match version {
            ..7 => expect_code(greatest.error_code, ErrorCode::UNSUPPORTED_VERSION, "-3")?,
            _ => ensure!((greatest.offset, greatest.timestamp) == (2, first_ms + 2), "{greatest:?}"),
        }
    }
    let (_, epoch) = ends(&mut served.kafka).await?;
    ensure!(epoch == header.leader_epoch, "epoch {epoch}, the batch has {}", header.leader_epoch);
    for version in ApiKey::OffsetForLeaderEpoch.served() {
        for (asked, current, expected) in [
            (epoch, -1, Ok((epoch, 3))),
            (epoch, epoch, Ok((epoch, 3))),
            (epoch + 1, -1, Ok((-1, -1))),
            (epoch, epoch + 1, Err(ErrorCode::UNKNOWN_LEADER_EPOCH)),
        ] {
            let partition =
                OffsetForLeaderPartition { partition: 0, current_leader_epoch: current, leader_epoch: asked };
            let topics = vec![OffsetForLeaderTopic { topic: TOPIC.into(), partitions: vec![partition] }];
            let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
            let response = served.kafka.call(version, &request).await?;
            let found = &response.topics[0].partitions[0];
            let outcome = if found.error_code.is_none() {
                Ok((found.leader_epoch, found.end_offset))
            } else {
                Err(found.error_code)
            };
            ensure!(outcome == expected, "epoch {asked}, current {current}: {found:?}");
        }
    }
    served.end().await
}

/// KIP-227: partitions are named once; what has nothing new is left out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_session_answers_with_what_is_new() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 3).await?;
    for version in [7, 12, 13, 16] {
        let mut request = fetch(topic_id, 0).request();
        let template = request.topics[0].partitions[0].clone();
        request.topics[0].partitions =
            (0..3).map(|partition| FetchPartition { partition, ..template.clone() }).collect();
        (request.session_epoch, request.min_bytes, request.max_wait_ms) = (0, 1, 100);
        let (end, _) = ends(&mut served.kafka).await?;
        request.topics[0].partitions[0].fetch_offset = end;
        let response = served.kafka.call(version, &request).await?;
        ensure!(response.session_id > 0 && response.responses[0].partitions.len() == 3, "{response:?}");

        request.topics.clear();
        (request.session_id, request.session_epoch) = (response.session_id, 1);
        let response = served.kafka.call(version, &request).await?;
        ensure!(response.session_id == request.session_id && response.responses.is_empty(), "{response:?}");

        served.kafka.produce(11, TOPIC, batch(&[b"new"])?).await?;
        request.session_epoch = 2;
        let response = served.kafka.call(version, &request).await?;
        ensure!(response.responses.len() == 1, "{response:?}");
        let told = &response.responses[0].partitions;
        ensure!(told.len() == 1 && values(&told[0])? == [(end, b"new".to_vec())], "{told:?}");

        request.session_epoch = 2;
        let response = served.kafka.call(version, &request).await?;
        expect_code(response.error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH, "an epoch again")?;
    }
    served.end().await
}

/// Whoever believes in a session that there is not is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_session_that_does_not_exist() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let mut request = fetch(topic_id, 0).request();
    (request.session_id, request.session_epoch) = (5, 1);
    let response = served.kafka.call(FETCH, &request).await?;
    expect_code(response.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND, "a session")?;
    for id in [Uuid::new_v4(), Uuid::nil()] {
        let data = served.kafka.fetch(FETCH, &fetch(id, 0)).await?;
        expect_code(data.error_code, ErrorCode::UNKNOWN_TOPIC_ID, "an unknown id")?;
        ensure!(data.records == Some(Bytes::new()), "{data:?}");
    }
    let _ = served.kafka.call(12, &MetadataRequest::default()).await?;
    served.end().await
}

/// KIP-320 and KIP-595: whoever read beyond the end of an epoch is told where the epoch ends, and not that the log is
/// shorter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beyond_the_end_of_its_epoch_is_told_where_that_is() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    served.kafka.produce(11, TOPIC, batch(&[b"a", b"b", b"c"])?).await?;
    let (_, epoch) = ends(&mut served.kafka).await?;
    for (last_fetched_epoch, offset, expected, diverging) in [
        (epoch, 3, ErrorCode::NONE, -1),
        (epoch, 8, ErrorCode::NONE, 3),
        (-1, 8, ErrorCode::OFFSET_OUT_OF_RANGE, -1),
    ] {
        let mut request = fetch(topic_id, offset).request();
        request.topics[0].partitions[0].last_fetched_epoch = last_fetched_epoch;
        let response = served.kafka.call(FETCH, &request).await?;
        let data = &response.responses[0].partitions[0];
        expect_code(data.error_code, expected, &format!("offset {offset}"))?;
        ensure!(data.diverging_epoch.end_offset == diverging, "offset {offset}: {data:?}");
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_session_ends_with_its_last_partition() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let mut request = fetch(topic_id, 0).request();
    request.session_epoch = 0;
    let opened = served.kafka.call(FETCH, &request).await?;
    ensure!(opened.session_id > 0, "{opened:?}");
    request.topics.clear();
    (request.session_id, request.session_epoch) = (opened.session_id, 1);
    let topic = String::new();
    request.forgotten_topics_data = vec![ForgottenTopic { topic, topic_id, partitions: vec![0] }];
    let last = served.kafka.call(FETCH, &request).await?;
    ensure!(last.error_code.is_none() && last.session_id == 0, "{last:?}");
    request.forgotten_topics_data.clear();
    request.session_epoch = 2;
    let gone = served.kafka.call(FETCH, &request).await?;
    expect_code(gone.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND, "after its end")?;
    served.end().await
}
