//! Batches in: order, acknowledgements, identities, and what is refused.

use super::{Served, batch, compressed};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_proto::{
    kafka::{
        ApiKey, ErrorCode,
        init_producer_id::InitProducerIdRequest,
        metadata::MetadataRequest,
        produce::{PartitionProduceData, ProduceRequest},
    },
    record::{Batch, BatchOptions, Compression, HEADER_BYTES},
};
use cairn_tests::{
    kafka::{Fetch, KafkaConnection, expect_code, produce_request},
    wire,
};
use uuid::Uuid;

const TOPIC: &str = "produced";
const PRODUCE: i16 = 11;

/// Everything that partition 0 holds.
async fn content(kafka: &mut KafkaConnection, topic_id: Uuid) -> Result<(i64, Bytes)> {
    let fetch =
        Fetch { topic: TOPIC, topic_id, offset: 0, min_bytes: 0, max_wait_ms: 0, max_bytes: 64 << 20 };
    let data = kafka.fetch(16, &fetch).await?;
    expect_code(data.error_code, ErrorCode::NONE, "Fetch")?;
    Ok((data.high_watermark, data.records.context("records")?))
}

/// rskafka rounds the records' timestamps and the batch's differently.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_max_timestamp_that_is_not_the_records_is_put_right() -> Result<()> {
    const MAX_TIMESTAMP: std::ops::Range<usize> = 35..43;
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let right = batch(&[b"one", b"two"])?;
    let mut sent = right.to_vec();
    let later_ms = i64::from_be_bytes(sent[MAX_TIMESTAMP].try_into()?) + 1;
    sent[MAX_TIMESTAMP].copy_from_slice(&later_ms.to_be_bytes());
    wire::repair_checksum(&mut sent);
    let result = served.kafka.produce(PRODUCE, TOPIC, sent.into()).await?;
    expect_code(result.error_code, ErrorCode::NONE, "a millisecond ahead")?;
    let (high_watermark, mut stored) = content(&mut served.kafka, topic_id).await?;
    let stored = Batch::split_first(&mut stored)?.context("a batch")?;
    stored.check_crc()?;
    ensure!(high_watermark == 2 && stored.body() == right[HEADER_BYTES..], "{stored:?}");
    ensure!(stored.header().max_timestamp_ms == later_ms - 1, "{stored:?}");
    served.end().await
}

/// What is put right is held to the topic's limits: no header hides records that are too far ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_max_timestamp_hides_no_record_that_is_too_far_ahead() -> Result<()> {
    const BASE_TIMESTAMP: std::ops::Range<usize> = 27..35;
    const TWO_HOURS_MS: i64 = 2 * 60 * 60 * 1000;
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let now_ms = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?;
    let mut sent = batch(&[b"one", b"two"])?.to_vec();
    sent[BASE_TIMESTAMP].copy_from_slice(&(now_ms + TWO_HOURS_MS).to_be_bytes());
    wire::repair_checksum(&mut sent);
    let result = served.kafka.produce(PRODUCE, TOPIC, sent.into()).await?;
    expect_code(result.error_code, ErrorCode::INVALID_TIMESTAMP, "two hours ahead")?;
    ensure!(content(&mut served.kafka, topic_id).await?.0 == 0, "nothing is kept of it");
    served.end().await
}

/// Trap 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_07_replies_come_in_the_order_of_the_requests() -> Result<()> {
    let mut served = Served::begin().await?;
    served.kafka.create_topic(TOPIC, 1).await?;
    let mut sent = Vec::new();
    let mut request = produce_request(TOPIC, -1, Bytes::new());
    for number in 0..300 {
        if number % 50 == 7 {
            sent.push((served.kafka.send(12, &MetadataRequest::default()).await?, None));
        }
        let value = number.to_string();
        let records = batch(&[value.as_bytes()])?;
        request.topic_data[0].partition_data =
            vec![PartitionProduceData { index: 0, records: Some(records) }];
        // One with nothing to wait for, between those that wait for a sync.
        let unknown = number % 10 == 3;
        request.topic_data[0].name = if unknown { "unknown".into() } else { TOPIC.into() };
        sent.push((served.kafka.send(PRODUCE, &request).await?, Some(unknown)));
    }
    let mut next_offset = 0;
    for (correlation_id, produced) in sent {
        let Some(unknown) = produced else {
            let (received, _) = served.kafka.receive::<MetadataRequest>(12).await?;
            ensure!(received == correlation_id, "{received} overtook {correlation_id}");
            continue;
        };
        let (received, response) = served.kafka.receive::<ProduceRequest>(PRODUCE).await?;
        ensure!(received == correlation_id, "{received} overtook {correlation_id}");
        let result = &response.responses[0].partition_responses[0];
        if unknown {
            expect_code(result.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "unknown")?;
            continue;
        }
        expect_code(result.error_code, ErrorCode::NONE, "produce")?;
        ensure!(result.base_offset == next_offset, "{result:?}, expected offset {next_offset}");
        next_offset += 1;
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_codec_in_each_version_comes_back_byte_for_byte() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let long = vec![b'x'; 30_000];
    let mut expected = Vec::new();
    for version in ApiKey::Produce.served() {
        for codec in
            [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
        {
            let records = compressed(codec, &[b"short", &long, b""])?;
            let result = served.kafka.produce(version, TOPIC, records.clone()).await?;
            if codec == Compression::Zstd && version < 7 {
                expect_code(result.error_code, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, "zstd")?;
                continue;
            }
            expect_code(result.error_code, ErrorCode::NONE, &format!("{codec} in version {version}"))?;
            expected.push((result.base_offset, records));
        }
    }
    let (end, mut content) = content(&mut served.kafka, topic_id).await?;
    ensure!(end == i64::try_from(expected.len())? * 3, "the end is {end}");
    for (base_offset, sent) in expected {
        let found = content.split_to(sent.len());
        // Offset and epoch are the broker's to set: they are not in the checksum.
        ensure!(found[..8] == base_offset.to_be_bytes(), "at offset {base_offset}");
        ensure!(found[8..12] == sent[8..12] && found[16..] == sent[16..], "at offset {base_offset}");
    }
    ensure!(content.is_empty(), "{} bytes more", content.len());
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_acknowledgements_there_is_no_reply_and_an_error_ends_the_connection() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    for _ in 0..10 {
        served.kafka.send(PRODUCE, &produce_request(TOPIC, 0, batch(&[b"quiet"])?)).await?;
    }
    // The next reply is that of the next request that wants one.
    let result = served.kafka.produce(PRODUCE, TOPIC, batch(&[b"loud"])?).await?;
    expect_code(result.error_code, ErrorCode::NONE, "acks=all")?;
    ensure!(result.base_offset == 10, "{result:?}");
    served.kafka.send(PRODUCE, &produce_request("unknown", 0, batch(&[b"lost"])?)).await?;
    let (_, rest) = served.kafka.closed(std::time::Duration::from_secs(10)).await?;
    ensure!(rest.is_empty(), "{rest:?} was replied");
    served.kafka = served.another().await?;
    ensure!(content(&mut served.kafka, topic_id).await?.0 == 11, "eleven records");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_batch_is_refused_and_appends_nothing() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let good = batch(&[b"good"])?;
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        Bytes::from(bytes)
    };
    let repaired = |at: usize, byte: u8| {
        let mut bytes = changed(at, byte).to_vec();
        wire::repair_checksum(&mut bytes);
        Bytes::from(bytes)
    };
    let two = Bytes::from([&good[..], &good[..]].concat());
    let transactional = BatchOptions {
        producer_id: 1,
        producer_epoch: 0,
        base_sequence: 0,
        transactional: true,
        ..BatchOptions::default()
    };
    let rows = [
        ("nothing", Bytes::new(), ErrorCode::INVALID_RECORD),
        ("two batches", two, ErrorCode::INVALID_RECORD),
        ("message format 0", changed(16, 0), ErrorCode::INVALID_RECORD),
        ("message format 1", changed(16, 1), ErrorCode::INVALID_RECORD),
        ("message format 3", changed(16, 3), ErrorCode::CORRUPT_MESSAGE),
        ("a flipped bit", changed(65, 0x55), ErrorCode::CORRUPT_MESSAGE),
        ("cut short", good.slice(..good.len() - 1), ErrorCode::INVALID_RECORD),
        ("noise", Bytes::from_static(b"this is no batch"), ErrorCode::INVALID_RECORD),
        ("gzip that is none", repaired(22, 1), ErrorCode::INVALID_RECORD),
        ("a record longer than its batch", repaired(61, 120), ErrorCode::INVALID_RECORD),
        ("too large", batch(&[&vec![7; 2 << 20]])?, ErrorCode::MESSAGE_TOO_LARGE),
        ("a transaction", wire::batch(transactional, &[b"x"])?.into(), ErrorCode::INVALID_TXN_STATE),
    ];
    for (what, records, expected) in rows {
        let result = served.kafka.produce(PRODUCE, TOPIC, records).await?;
        expect_code(result.error_code, expected, what)?;
        ensure!(result.base_offset == -1 && result.error_message.is_some(), "{what}: {result:?}");
    }
    for (acks, partition, topic, expected) in [
        (2, 0, TOPIC, ErrorCode::INVALID_REQUIRED_ACKS),
        (-1, 1, TOPIC, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (-1, -1, TOPIC, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (-1, 0, "other", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        let mut request = produce_request(topic, acks, good.clone());
        request.topic_data[0].partition_data[0].index = partition;
        let response = served.kafka.call(PRODUCE, &request).await?;
        expect_code(response.responses[0].partition_responses[0].error_code, expected, topic)?;
    }
    ensure!(content(&mut served.kafka, topic_id).await?.0 == 0, "something was appended");
    served.end().await
}

/// Trap 8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_08_five_idempotent_batches_in_flight_are_there_once() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let mut seen = std::collections::BTreeSet::new();
    for version in ApiKey::InitProducerId.served() {
        for transactional_id in [None, Some("named".to_owned())] {
            let request = InitProducerIdRequest {
                transactional_id,
                transaction_timeout_ms: 60_000,
                ..Default::default()
            };
            let response = served.kafka.call(version, &request).await?;
            expect_code(response.error_code, ErrorCode::NONE, "InitProducerId")?;
            ensure!(seen.insert(response.producer_id) && response.producer_epoch == 0, "{response:?}");
        }
    }
    let producer_id = *seen.first().context("an id")?;
    let numbered = |sequence: i32| {
        let options = BatchOptions {
            producer_id,
            producer_epoch: 0,
            base_sequence: sequence,
            ..BatchOptions::default()
        };
        wire::batch(options, &[b"once"]).map(Bytes::from)
    };
    // Five in flight, all of them again, and then one that leaves a gap.
    for sequence in (0..5).chain(0..5) {
        served.kafka.send(PRODUCE, &produce_request(TOPIC, -1, numbered(sequence)?)).await?;
    }
    for expected in (0..5).chain(0..5) {
        let (_, response) = served.kafka.receive::<ProduceRequest>(PRODUCE).await?;
        let result = &response.responses[0].partition_responses[0];
        expect_code(result.error_code, ErrorCode::NONE, "idempotent")?;
        ensure!(result.base_offset == expected, "{result:?}, expected offset {expected}");
    }
    let gap = served.kafka.produce(PRODUCE, TOPIC, numbered(7)?).await?;
    expect_code(gap.error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, "a gap")?;
    ensure!(content(&mut served.kafka, topic_id).await?.0 == 5, "five records");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_identity_and_a_transaction_without_time_are_refused() -> Result<()> {
    let mut served = Served::begin().await?;
    let named = Some("named".to_owned());
    for (transactional_id, producer_id, producer_epoch, transaction_timeout_ms, expected) in [
        (None, 5, -1, 0, ErrorCode::INVALID_REQUEST),
        (None, -1, 0, 0, ErrorCode::INVALID_REQUEST),
        (named.clone(), -1, 0, 60_000, ErrorCode::INVALID_REQUEST),
        (named.clone(), -1, -1, 0, ErrorCode::INVALID_TRANSACTION_TIMEOUT),
        (named.clone(), -1, -1, -1, ErrorCode::INVALID_TRANSACTION_TIMEOUT),
        (named.clone(), -1, -1, 900_001, ErrorCode::INVALID_TRANSACTION_TIMEOUT),
        (named, -1, -1, 900_000, ErrorCode::NONE),
        (None, -1, -1, 0, ErrorCode::NONE),
    ] {
        let request =
            InitProducerIdRequest { transactional_id, transaction_timeout_ms, producer_id, producer_epoch };
        let response = served.kafka.call(5, &request).await?;
        expect_code(response.error_code, expected, &format!("{request:?}"))?;
    }
    served.end().await
}
