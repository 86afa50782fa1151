//! Reads outside sessions.

use super::batches::{batch, numbered};
use crate::side::Side;
use anyhow::{Context as _, Result};
use cairn_proto::kafka::{
    ApiKey,
    fetch::{FetchPartition, FetchRequest, FetchTopic},
};
use uuid::Uuid;

const TOPIC: &str = "fetched";

fn partition(partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() }
}

fn request(topic: &str, topic_id: Uuid, partitions: Vec<FetchPartition>) -> FetchRequest {
    FetchRequest {
        min_bytes: 0,
        max_wait_ms: 0,
        topics: vec![FetchTopic { topic: topic.into(), topic_id, partitions }],
        ..Default::default()
    }
}

/// Asks, and compares the batches of partition 0 as well.
async fn fetch(side: &mut Side, case: &str, version: i16, request: &FetchRequest) -> Result<()> {
    let response = side.ask(case, version, request).await?;
    let first = response.and_then(|response| response.responses.into_iter().next());
    let records = first.and_then(|topic| topic.partitions.into_iter().next()?.records);
    side.note_batches(&format!("{case} in version {version}"), records.as_ref());
    Ok(())
}

pub(crate) async fn fetching(side: &mut Side) -> Result<()> {
    let id = side.topic(TOPIC, 2, &[]).await?;
    let mut bytes = 0;
    for number in 0..5_u8 {
        let records = match number {
            3 => numbered((5000, 1), 0, &[b"a", b"b"])?,
            _ => batch(&[&[number; 500], &[number; 500]])?,
        };
        bytes = i32::try_from(records.len())?;
        let produced = side.kafka.produce(11, TOPIC, records).await?;
        anyhow::ensure!(produced.error_code.is_none(), "{produced:?}");
    }
    for version in ApiKey::Fetch.served() {
        for offset in [0, 1, 3, 8, 10, 11, 999, -1, -2, i64::MAX] {
            let asked = request(TOPIC, id, vec![partition(0, offset)]);
            fetch(side, &format!("offset {offset}"), version, &asked).await?;
        }
        for (case, partition_max_bytes, max_bytes) in [
            ("one byte", 1, 1 << 20),
            ("no bytes", 0, 1 << 20),
            ("fewer than no bytes", -1, 1 << 20),
            ("one batch", bytes, 1 << 20),
            ("less than two batches", 2 * bytes - 1, 1 << 20),
            ("two batches", 2 * bytes, 1 << 20),
            ("one byte in all", 1 << 20, 1),
            ("no bytes in all", 1 << 20, 0),
            ("fewer than no bytes in all", 1 << 20, -1),
            ("two batches in all", 1 << 20, 2 * bytes),
        ] {
            let wanted = FetchPartition { partition_max_bytes, ..partition(0, 0) };
            fetch(side, case, version, &FetchRequest { max_bytes, ..request(TOPIC, id, vec![wanted]) })
                .await?;
        }
        for isolation_level in [1, 2, -1] {
            let asked = FetchRequest { isolation_level, ..request(TOPIC, id, vec![partition(0, 0)]) };
            fetch(side, &format!("isolation level {isolation_level}"), version, &asked).await?;
        }
        let two = request(TOPIC, id, vec![partition(0, 8), partition(1, 0)]);
        fetch(side, "two partitions", version, &two).await?;
        let poll =
            FetchRequest { min_bytes: 1, max_wait_ms: 50, ..request(TOPIC, id, vec![partition(1, 0)]) };
        fetch(side, "a poll of nothing", version, &poll).await?;
        let poll =
            FetchRequest { min_bytes: 1 << 20, max_wait_ms: 50, ..request(TOPIC, id, vec![partition(0, 0)]) };
        fetch(side, "a poll for more than there is", version, &poll).await?;
        let hasty =
            FetchRequest { min_bytes: 1, max_wait_ms: -1, ..request(TOPIC, id, vec![partition(1, 0)]) };
        fetch(side, "a poll of less than no time", version, &hasty).await?;
    }
    Ok(())
}

pub(crate) async fn fetching_what_is_not_there(side: &mut Side) -> Result<()> {
    let id = side.topic("sought", 1, &[]).await?;
    let other = side.topic("sought-too", 1, &[]).await?;
    side.kafka.produce(11, "sought", batch(&[b"x"])?).await?;
    let answer = side.kafka.call(12, &cairn_tests::kafka::metadata_request("sought", false)).await?;
    let known = answer.topics.first().and_then(|topic| topic.partitions.first()).context("a partition")?;
    let epoch = known.leader_epoch;
    for version in ApiKey::Fetch.served() {
        let rows = [
            ("an unknown partition", "sought", id, 7),
            ("a partition below 0", "sought", id, -1),
            ("an unknown topic", "absent", Uuid::from_u128(7), 0),
            ("a topic without id and name", "", Uuid::nil(), 0),
            ("a bad name", "a/b", Uuid::nil(), 0),
        ];
        for (case, topic, topic_id, index) in rows {
            side.ask(case, version, &request(topic, topic_id, vec![partition(index, 0)])).await?;
        }
        side.ask("no partitions", version, &request("sought", id, Vec::new())).await?;
        side.ask("no topics", version, &FetchRequest { topics: Vec::new(), ..request("", id, Vec::new()) })
            .await?;
        let mut mixed = request("sought", id, vec![partition(0, 0), partition(9, 0)]);
        let unknown = request("absent", Uuid::from_u128(9), vec![partition(0, 0)]);
        mixed.topics.extend(unknown.topics);
        let others = request("sought-too", other, vec![partition(0, 0)]);
        mixed.topics.extend(others.topics);
        side.ask("good and bad together", version, &mixed).await?;
        let twice = request("sought", id, vec![partition(0, 0), partition(0, 1)]);
        side.ask("a partition twice", version, &twice).await?;
        if version >= 9 {
            for (case, current_leader_epoch) in [
                ("the current epoch", epoch),
                ("the next epoch", epoch + 1),
                ("the epoch before", epoch - 1),
                ("an epoch far below 0", -7),
            ] {
                let wanted = FetchPartition { current_leader_epoch, ..partition(0, 0) };
                side.ask(case, version, &request("sought", id, vec![wanted])).await?;
            }
        }
        if version >= 12 {
            for (case, last_fetched_epoch, offset) in [
                ("read in the current epoch", epoch, 1),
                ("read in the next epoch", epoch + 1, 1),
                ("read beyond the end in the current epoch", epoch, 5),
            ] {
                let wanted = FetchPartition { last_fetched_epoch, ..partition(0, offset) };
                side.ask(case, version, &request("sought", id, vec![wanted])).await?;
            }
        }
    }
    Ok(())
}
