//! Compacted topics as clients see them: the last record of each key is there, at its offset, and reads go over what is
//! not.

use super::Served;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_client::{Client, NewTopic, ProduceError, Record, StartAt};
use cairn_proto::{
    kafka::ErrorCode,
    record::{Batch, BatchBuilder, BatchOptions, Compression, DecompressLimit},
};
use cairn_tests::{
    kafka::{Fetch, KafkaConnection, expect_code},
    process::BrokerProcess,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

const TOPIC: &str = "compacted";
const OFTEN: &[&str] = &["--compaction-interval-ms=50"];
const LATE: Duration = Duration::from_secs(30);

/// Key and value.
type Pair<'a> = (Option<&'a str>, Option<&'a str>);

fn keyed(compression: Compression, pairs: &[Pair<'_>]) -> Result<Bytes> {
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..BatchOptions::default() });
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    for (key, value) in pairs {
        builder.append(now_ms, key.map(str::as_bytes), value.map(str::as_bytes), &[])?;
    }
    Ok(builder.finish()?)
}

async fn make_topic(broker: &BrokerProcess, configs: &[(&str, &str)]) -> Result<Client> {
    let client = Client::connect(broker.grpc_address()).await?;
    let topic = NewTopic::named(TOPIC)
        .config("cleanup.policy", "compact")
        .config("segment.bytes", "65536")
        .config("min.cleanable.dirty.ratio", "0.01");
    let topic = configs.iter().fold(topic, |topic, (name, value)| topic.config(*name, *value));
    client.admin().create_topic(topic).await?;
    Ok(client)
}

/// Every record there is, by offset: the key, and the value if there is one. Fetches end.
async fn read_all(kafka: &mut KafkaConnection) -> Result<BTreeMap<i64, (String, Option<String>)>> {
    let (mut offset, mut found) = (0, BTreeMap::new());
    loop {
        let fetch = Fetch {
            topic: TOPIC,
            topic_id: Uuid::nil(),
            offset,
            min_bytes: 0,
            max_wait_ms: 0,
            max_bytes: 100_000,
        };
        let data = kafka.fetch(12, &fetch).await?;
        expect_code(data.error_code, ErrorCode::NONE, "Fetch")?;
        if offset >= data.high_watermark {
            return Ok(found);
        }
        let before = offset;
        let mut rest = data.records.context("records")?;
        while let Some(batch) = Batch::split_first(&mut rest)? {
            batch.check_crc()?;
            for record in batch.records(DecompressLimit { bytes_max: 1 << 20 })? {
                let record = record?;
                let text = |bytes: Bytes| String::from_utf8(bytes.to_vec());
                let key = text(record.key.context("a key")?)?;
                found.insert(record.offset, (key, record.value.map(text).transpose()?));
            }
            offset = batch.header().next_offset();
        }
        ensure!(offset > before, "nothing is served at {before}");
    }
}

/// Reads until the log shows what is awaited.
async fn await_compaction(
    kafka: &mut KafkaConnection,
    is_done: impl Fn(&BTreeMap<i64, (String, Option<String>)>) -> bool,
) -> Result<BTreeMap<i64, (String, Option<String>)>> {
    let started = Instant::now();
    loop {
        let found = read_all(kafka).await?;
        if is_done(&found) {
            return Ok(found);
        }
        ensure!(started.elapsed() < LATE, "not compacted: {} records are left", found.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Trap 11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_11_the_last_record_of_each_key_is_there_and_reads_go_over_what_is_not() -> Result<()> {
    let mut served = Served::begin_with(OFTEN).await?;
    let client = make_topic(&served.broker, &[]).await?;
    let mut newest = BTreeMap::new();
    for round in 0..30 {
        let compression = Compression::ALL[round % Compression::ALL.len()];
        let keys: Vec<String> = (0..20).map(|key| format!("key {}", (key * 7 + round) % 40)).collect();
        // Incompressible enough that segments fill.
        let values: Vec<String> =
            keys.iter().map(|_| (0..40).map(|_| Uuid::new_v4().to_string()).collect()).collect();
        let pairs: Vec<Pair<'_>> =
            keys.iter().zip(&values).map(|(key, value)| (Some(key.as_str()), Some(value.as_str()))).collect();
        let produced = served.kafka.produce(9, TOPIC, keyed(compression, &pairs)?).await?;
        expect_code(produced.error_code, ErrorCode::NONE, "Produce")?;
        for (offset, (key, value)) in (produced.base_offset..).zip(keys.into_iter().zip(values)) {
            newest.insert(key, (offset, value));
        }
    }
    let found = await_compaction(&mut served.kafka, |found| found.len() < 300).await?;
    for (key, (offset, value)) in &newest {
        ensure!(found.get(offset) == Some(&(key.clone(), Some(value.clone()))), "{key} at {offset}");
    }
    // The library reads the same, in order, and so does a reader after a restart.
    let mut consumer = client.consumer().assign_all(TOPIC).from(StartAt::Beginning).build().await?;
    let mut last = -1;
    while last < 599 {
        let next = tokio::time::timeout(LATE, consumer.next_record()).await.context("it stands still")?;
        let record = next.context("the client is closed")??;
        ensure!(record.offset > last, "{} behind {last}", record.offset);
        last = record.offset;
        let key = String::from_utf8(record.key.context("a key")?.to_vec())?;
        let (offset, _) = newest.get(&key).context("a known key")?;
        ensure!(record.offset <= *offset, "{key} at {last}");
    }
    drop(consumer);
    let Served { scene, broker, kafka } = served;
    drop((kafka, client));
    let broker = tokio::task::block_in_place(|| {
        broker.kill()?;
        scene.small_broker().start()
    })?;
    let mut served = Served { kafka: KafkaConnection::open(broker.kafka_address()).await?, scene, broker };
    let again = read_all(&mut served.kafka).await?;
    for (key, (offset, value)) in &newest {
        ensure!(again.get(offset) == Some(&(key.clone(), Some(value.clone()))), "{key} at {offset}");
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_without_a_value_is_deleted_and_then_gone() -> Result<()> {
    let mut served = Served::begin_with(OFTEN).await?;
    make_topic(&served.broker, &[("delete.retention.ms", "0")]).await?;
    let filling = "x".repeat(10_000);
    let (mut reader, started) = (served.another().await?, Instant::now());
    let mut produce = async |pairs: &[Pair<'_>]| -> Result<i64> {
        let produced = served.kafka.produce(9, TOPIC, keyed(Compression::None, pairs)?).await?;
        expect_code(produced.error_code, ErrorCode::NONE, "Produce")?;
        Ok(produced.base_offset)
    };
    let value = produce(&[(Some("deleted"), Some("value"))]).await?;
    let tombstone = produce(&[(Some("deleted"), None)]).await?;
    loop {
        for _ in 0..20 {
            produce(&[(Some("other"), Some(&filling))]).await?;
        }
        let found = read_all(&mut reader).await?;
        let is_there = |offset: i64| found.contains_key(&offset);
        ensure!(is_there(tombstone) || !is_there(value), "the value outlives what deleted it");
        if !is_there(tombstone) {
            break;
        }
        ensure!(started.elapsed() < LATE, "the tombstone stays");
    }
    served.end().await
}

/// Trap 20.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_20_records_without_a_key_are_refused_one_by_one() -> Result<()> {
    let mut served = Served::begin().await?;
    let client = make_topic(&served.broker, &[]).await?;
    let pairs = [(Some("a"), Some("1")), (None, Some("2")), (Some(""), None), (None, None)];
    for version in [3, 7, 8, 9, 11] {
        let produced = served.kafka.produce(version, TOPIC, keyed(Compression::Lz4, &pairs)?).await?;
        expect_code(produced.error_code, ErrorCode::INVALID_RECORD, "a record without a key")?;
        let named: Vec<i32> = produced.record_errors.iter().map(|record| record.batch_index).collect();
        let expected: &[i32] = if version >= 8 { &[1, 3] } else { &[] };
        ensure!(named == expected, "version {version}: {named:?}");
    }
    let producer = client.producer().build().await?;
    let refused = producer.send(Record::to(TOPIC).value("without a key")).await?.await;
    ensure!(matches!(refused, Err(ProduceError::InvalidRecord { .. })), "{refused:?}");
    ensure!(read_all(&mut served.kafka).await?.is_empty(), "nothing of them is in the log");
    let produced = served.kafka.produce(9, TOPIC, keyed(Compression::None, &[(Some(""), None)])?).await?;
    expect_code(produced.error_code, ErrorCode::NONE, "an empty key is one")?;
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_long_ago_are_refused_where_a_topic_says_so() -> Result<()> {
    let mut served = Served::begin().await?;
    let configs = [("cleanup.policy", "delete"), ("message.timestamp.before.max.ms", "60000")];
    make_topic(&served.broker, &configs).await?;
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(1_000, None, Some(b"1970"), &[])?;
    let produced = served.kafka.produce(9, TOPIC, builder.finish()?).await?;
    expect_code(produced.error_code, ErrorCode::INVALID_TIMESTAMP, "a record of 1970")?;
    let produced = served.kafka.produce(9, TOPIC, keyed(Compression::None, &[(None, Some("now"))])?).await?;
    expect_code(produced.error_code, ErrorCode::NONE, "a record of now")?;
    served.end().await
}
