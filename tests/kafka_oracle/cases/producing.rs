//! Batches that are appended, and batches that are not.

use super::batches::{at, batch, batch_of, changed, compressed, now_ms, old_message, spoiled};
use crate::side::Side;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use cairn_proto::{
    kafka::{
        ApiKey,
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata::MetadataRequest,
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
    record::{BatchOptions, Compression},
};

use std::time::{Duration, Instant};
use tokio::time::timeout;

const TOPIC: &str = "produced";
/// Longer than any answer takes that comes.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
const HOUR_MS: i64 = 3_600_000;

fn request(topic: &str, acks: i16, rows: Vec<(i32, Option<Bytes>)>) -> ProduceRequest {
    let one = |(index, records)| PartitionProduceData { index, records };
    let partition_data = rows.into_iter().map(one).collect();
    let topic_data = vec![TopicProduceData { name: topic.into(), partition_data }];
    ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..Default::default() }
}

pub(crate) async fn producing(side: &mut Side) -> Result<()> {
    side.topic(TOPIC, 2, &[]).await?;
    side.topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).await?;
    side.topic("narrow", 1, &[("max.message.bytes", "2000")]).await?;
    for version in ApiKey::Produce.served() {
        let good = batch(&[b"one", b"two"])?;
        let to = |acks| request(TOPIC, acks, vec![(0, Some(good.clone()))]);
        side.ask("acknowledged by all", version, &to(-1)).await?;
        side.ask("acknowledged by the leader", version, &to(1)).await?;
        side.ask("acks of 2", version, &to(2)).await?;
        side.ask("acks of -2", version, &to(-2)).await?;
        side.ask("no time", version, &ProduceRequest { timeout_ms: 0, ..to(1) }).await?;
        let both = request(TOPIC, -1, vec![(0, Some(good.clone())), (1, Some(good.clone()))]);
        side.ask("two partitions", version, &both).await?;
        let unknown = vec![(0, Some(good.clone())), (7, Some(good.clone())), (-1, Some(good.clone()))];
        side.ask("a good partition and unknown ones", version, &request(TOPIC, -1, unknown)).await?;
        for (case, topic) in [("an unknown topic", "absent"), ("a bad name", "a/b"), ("an empty name", "")] {
            side.ask(case, version, &request(topic, -1, vec![(0, Some(good.clone()))])).await?;
        }
        side.ask(
            "an internal topic that is not there",
            version,
            &request("__x", -1, vec![(0, Some(good.clone()))]),
        )
        .await?;
        side.ask("no partitions", version, &request(TOPIC, -1, Vec::new())).await?;
        side.ask("no topics", version, &ProduceRequest { topic_data: Vec::new(), ..to(-1) }).await?;
        side.ask("append time", version, &request("stamped", -1, vec![(0, Some(good.clone()))])).await?;
        let long = batch(&[&[b'x'; 2000]])?;
        side.ask("beyond the topic's limit", version, &request("narrow", -1, vec![(0, Some(long))])).await?;
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let records = compressed(codec, &[b"one", &[b'x'; 300], b""])?;
            side.ask(&format!("{codec}"), version, &request(TOPIC, -1, vec![(1, Some(records))])).await?;
        }
    }
    Ok(())
}

type Row = (&'static str, Option<Bytes>);

/// Bytes that are no batch, or a batch whose parts do not fit together.
fn broken_batches() -> Result<Vec<Row>> {
    let good = batch(&[b"one", b"two"])?;
    let one = batch(&[b"one"])?;
    Ok(vec![
        ("nothing", Some(Bytes::new())),
        ("noise", Some(Bytes::from_static(b"this is no batch"))),
        ("long noise", Some(Bytes::from(vec![b'n'; 200]))),
        ("two batches", Some([&one[..], &one[..]].concat().into())),
        ("a batch and noise", Some([&one[..], b"noise"].concat().into())),
        ("cut short", Some(good.slice(..good.len() - 1))),
        ("only a header", Some(good.slice(..at::RECORDS))),
        ("a flipped bit", Some(spoiled(&good, at::RECORDS + 4, &[0x55]))),
        ("another checksum", Some(spoiled(&good, 17, &[1, 2, 3, 4]))),
        ("message format 0", Some(old_message(0, b"old"))),
        ("message format 1", Some(old_message(1, b"old"))),
        ("a batch that says format 0", Some(spoiled(&good, at::MAGIC, &[0]))),
        ("a batch that says format 1", Some(spoiled(&good, at::MAGIC, &[1]))),
        ("a batch that says format 3", Some(spoiled(&good, at::MAGIC, &[3]))),
        ("a batch that says format -1", Some(spoiled(&good, at::MAGIC, &[255]))),
        ("a length that is too short", Some(spoiled(&good, at::LENGTH, &48_i32.to_be_bytes()))),
        ("a length that is too long", Some(spoiled(&good, at::LENGTH, &9999_i32.to_be_bytes()))),
        ("a length below 0", Some(spoiled(&good, at::LENGTH, &(-1_i32).to_be_bytes()))),
        ("an offset of its own", Some(changed(&good, at::BASE_OFFSET, &77_i64.to_be_bytes()))),
        ("an offset below 0", Some(changed(&good, at::BASE_OFFSET, &(-5_i64).to_be_bytes()))),
        ("a leader epoch of its own", Some(changed(&good, at::LEADER_EPOCH, &9_i32.to_be_bytes()))),
        ("more records than it says", Some(changed(&good, at::RECORD_COUNT, &1_i32.to_be_bytes()))),
        ("fewer records than it says", Some(changed(&good, at::RECORD_COUNT, &3_i32.to_be_bytes()))),
        ("fewer than no records", Some(changed(&good, at::RECORD_COUNT, &(-1_i32).to_be_bytes()))),
        ("no records", Some(changed(&good, at::RECORD_COUNT, &0_i32.to_be_bytes()))),
        ("a greater last offset", Some(changed(&good, at::LAST_OFFSET_DELTA, &5_i32.to_be_bytes()))),
        ("a smaller last offset", Some(changed(&good, at::LAST_OFFSET_DELTA, &0_i32.to_be_bytes()))),
        ("a last offset below 0", Some(changed(&good, at::LAST_OFFSET_DELTA, &(-1_i32).to_be_bytes()))),
        ("an offset delta twice", Some(changed(&one, at::RECORDS + 3, &[2]))),
        ("a record longer than the batch", Some(changed(&one, at::RECORDS, &[40]))),
        ("a record shorter than it is", Some(changed(&one, at::RECORDS, &[2]))),
        ("a record's length below 0", Some(changed(&one, at::RECORDS, &[1]))),
    ])
}

/// Whole batches that say what a producer may not say, and some that it may.
fn odd_batches() -> Result<Vec<Row>> {
    let good = batch(&[b"one", b"two"])?;
    let one = batch(&[b"one"])?;
    let now = now_ms();
    let of = |timestamp_ms| batch_of(BatchOptions::default(), &[(timestamp_ms, None, Some(b"x"))]);
    let gzip = compressed(Compression::Gzip, &[b"one", b"two"])?;
    let transactional = BatchOptions { transactional: true, ..BatchOptions::default() };
    let numbered = |producer_id, producer_epoch, base_sequence| {
        let options = BatchOptions { producer_id, producer_epoch, base_sequence, ..BatchOptions::default() };
        batch_of(options, &[(now, None, Some(b"x"))])
    };
    let codec = |number: i16| changed(&one, at::ATTRIBUTES, &number.to_be_bytes());
    Ok(vec![
        (
            "a greatest time that is too late",
            Some(changed(&good, at::MAX_TIMESTAMP, &(now + 77).to_be_bytes())),
        ),
        ("a greatest time that is too early", Some(changed(&good, at::MAX_TIMESTAMP, &1_i64.to_be_bytes()))),
        ("no first time", Some(changed(&good, at::BASE_TIMESTAMP, &(-1_i64).to_be_bytes()))),
        ("half an hour ahead", Some(of(now + HOUR_MS / 2)?)),
        ("two hours ahead", Some(of(now + 2 * HOUR_MS)?)),
        ("no time", Some(of(-1)?)),
        ("a time of 1970", Some(of(1)?)),
        ("a control batch", Some(changed(&one, at::ATTRIBUTES, &0x20_i16.to_be_bytes()))),
        ("append time", Some(changed(&one, at::ATTRIBUTES, &0x08_i16.to_be_bytes()))),
        ("an unknown attribute", Some(changed(&one, at::ATTRIBUTES, &0x80_i16.to_be_bytes()))),
        ("codec 5", Some(codec(5))),
        ("codec 7", Some(codec(7))),
        ("gzip that is none", Some(codec(1))),
        ("snappy that is none", Some(codec(2))),
        ("lz4 that is none", Some(codec(3))),
        ("zstd that is none", Some(codec(4))),
        ("gzip cut short", Some(changed(&gzip, gzip.len() - 8, &[0; 8]))),
        ("gzip with another count", Some(changed(&gzip, at::RECORD_COUNT, &1_i32.to_be_bytes()))),
        ("a transaction of nobody", Some(batch_of(transactional, &[(now, None, Some(b"x"))])?)),
        ("a producer without a sequence", Some(numbered(1000, 0, -1)?)),
        ("a producer without an epoch", Some(numbered(1000, -1, 0)?)),
        ("a sequence without a producer", Some(numbered(-1, -1, 0)?)),
        ("a producer that nobody knows", Some(numbered(123_456, 0, 0)?)),
        ("a late sequence of nobody known", Some(numbered(123_457, 0, 7)?)),
        ("too large", Some(batch(&[&vec![7; 2 << 20]])?)),
        ("good", Some(good)),
    ])
}

pub(crate) async fn what_is_no_batch(side: &mut Side) -> Result<()> {
    let topics = [3, 11].map(|version| (version, format!("no-batch-{version}")));
    for (version, name) in topics {
        let rows = [broken_batches()?, odd_batches()?].concat();
        side.topic(&name, i32::try_from(rows.len())?, &[]).await?;
        for (index, (case, records)) in (0..).zip(rows) {
            side.ask(case, version, &request(&name, -1, vec![(index, records)])).await?;
        }
    }
    let good = batch(&[b"one"])?;
    null_records(side).await?;
    side.topic("transactional", 3, &[]).await?;
    for (index, (case, records)) in (0..).zip([
        ("a transactional id, and a batch without", good.clone()),
        ("a transactional id, and nothing", Bytes::new()),
    ]) {
        let transactional_id = Some("named".to_owned());
        let asked = request("transactional", -1, vec![(index, Some(records))]);
        side.ask(case, 11, &ProduceRequest { transactional_id, ..asked }).await?;
    }
    side.topic("twice", 1, &[]).await?;
    let twice = vec![(0, Some(good.clone())), (0, Some(good))];
    side.ask("a partition twice", 11, &request("twice", -1, twice)).await?;
    Ok(())
}

/// Whether there is an answer at all is what is asked.
async fn null_records(side: &mut Side) -> Result<()> {
    side.topic("null", 1, &[]).await?;
    let mut connection = side.another().await?;
    connection.send(11, &request("null", -1, vec![(0, None)])).await?;
    let answer = timeout(ANSWERS_WITHIN, connection.receive::<ProduceRequest>(11)).await;
    let what = match answer {
        Err(_) => "no answer".to_owned(),
        Ok(Err(_)) => "closed".to_owned(),
        Ok(Ok((_, response))) => response.responses[0].partition_responses[0].error_code.to_string(),
    };
    side.note("null instead of batches", [("answer".to_owned(), what)]);
    Ok(())
}

/// What comes for the next request tells whether something came for the one before.
pub(crate) async fn without_acknowledgement(side: &mut Side) -> Result<()> {
    side.topic("quiet", 2, &[]).await?;
    let good = batch(&[b"quiet"])?;
    let rows = [
        ("good", "quiet", 0, Some(good.clone())),
        ("an unknown topic", "absent", 0, Some(good.clone())),
        ("an unknown partition", "quiet", 7, Some(good.clone())),
        ("a flipped bit", "quiet", 0, Some(spoiled(&good, at::RECORDS + 4, &[0x55]))),
        ("null", "quiet", 0, None),
    ];
    for version in [3, 11] {
        for (case, topic, index, records) in rows.clone() {
            let mut connection = side.another().await?;
            connection.send(version, &request(topic, 0, vec![(index, records)])).await?;
            let next = connection
                .call(12, &MetadataRequest { topics: Some(Vec::new()), ..Default::default() })
                .await;
            let what = if next.is_ok() { "goes on" } else { "closed" };
            side.note(&format!("{case} in version {version}"), [("connection".to_owned(), what.to_owned())]);
        }
    }
    let partitions = vec![ListOffsetsPartition { timestamp: -1, ..Default::default() }];
    let topics = vec![ListOffsetsTopic { name: "quiet".into(), partitions }];
    let end = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    // Nobody was told when they were there.
    let deadline = Instant::now() + ANSWERS_WITHIN;
    while side.kafka.call(9, &end).await?.topics[0].partitions[0].offset < 2 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    side.ask("what was appended", 9, &end).await?.context("an end")?;
    Ok(())
}
