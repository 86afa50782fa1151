//! Offsets by time, and the ends of partitions.

use super::batches::{Made, batch_of, now_ms};
use crate::side::Side;
use anyhow::{Context as _, Result, ensure};
use cairn_proto::{
    kafka::{
        ApiKey,
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
    },
    record::BatchOptions,
};

const TOPIC: &str = "listed";

fn request(topic: &str, partitions: &[ListOffsetsPartition]) -> ListOffsetsRequest {
    let topics = vec![ListOffsetsTopic { name: topic.into(), partitions: partitions.to_vec() }];
    ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }
}

fn at(partition_index: i32, timestamp: i64) -> ListOffsetsPartition {
    ListOffsetsPartition { partition_index, timestamp, ..Default::default() }
}

pub(crate) async fn listing_offsets(side: &mut Side) -> Result<()> {
    side.topic(TOPIC, 2, &[]).await?;
    let first_ms = now_ms() - 60_000;
    // The times go up, down, and stand still.
    for times in [[0, 10], [30, 20], [20, 30]] {
        let records = times.map(|time| -> Made<'_> { (first_ms + time, None, Some(b"x")) });
        let produced = side.kafka.produce(11, TOPIC, batch_of(BatchOptions::default(), &records)?).await?;
        ensure!(produced.error_code.is_none(), "{produced:?}");
    }
    let answer = side.kafka.call(12, &cairn_tests::kafka::metadata_request(TOPIC, false)).await?;
    let known = answer.topics.first().and_then(|topic| topic.partitions.first()).context("a partition")?;
    let epoch = known.leader_epoch;
    for version in ApiKey::ListOffsets.served() {
        for timestamp in [-1, -2, -3, -4, -5, -6, -7, -99, 0] {
            for (what, index) in [("", 0), (", empty", 1)] {
                let asked = request(TOPIC, &[at(index, timestamp)]);
                side.ask(&format!("timestamp {timestamp}{what}"), version, &asked).await?;
            }
        }
        for after in [-1, 0, 1, 10, 11, 20, 25, 30, 31, 120_000] {
            let asked = request(TOPIC, &[at(0, first_ms + after)]);
            side.ask(&format!("{after} ms after the first"), version, &asked).await?;
        }
        side.ask("the end of time", version, &request(TOPIC, &[at(0, i64::MAX)])).await?;
        for (case, topic, index) in [
            ("an unknown partition", TOPIC, 7),
            ("a partition below 0", TOPIC, -1),
            ("an unknown topic", "absent", 0),
            ("a bad name", "a/b", 0),
            ("an empty name", "", 0),
        ] {
            side.ask(case, version, &request(topic, &[at(index, -1)])).await?;
        }
        side.ask("a partition twice", version, &request(TOPIC, &[at(0, -1), at(0, -2)])).await?;
        side.ask("good and bad together", version, &request(TOPIC, &[at(0, -1), at(9, -1)])).await?;
        side.ask("no partitions", version, &request(TOPIC, &[])).await?;
        side.ask("no topics", version, &ListOffsetsRequest { topics: Vec::new(), ..request("", &[]) })
            .await?;
        for replica_id in [-2, 1, 99] {
            let asked = ListOffsetsRequest { replica_id, ..request(TOPIC, &[at(0, -1)]) };
            side.ask(&format!("replica {replica_id}"), version, &asked).await?;
        }
        if version >= 2 {
            for isolation_level in [1, 2, -1] {
                let asked = ListOffsetsRequest { isolation_level, ..request(TOPIC, &[at(0, -1)]) };
                side.ask(&format!("isolation level {isolation_level}"), version, &asked).await?;
            }
        }
        if version >= 4 {
            for (case, current_leader_epoch) in [
                ("the current epoch", epoch),
                ("the next epoch", epoch + 1),
                ("the epoch before", epoch - 1),
                ("an epoch far below 0", -7),
            ] {
                let wanted = ListOffsetsPartition { current_leader_epoch, ..at(0, -1) };
                side.ask(case, version, &request(TOPIC, &[wanted])).await?;
            }
        }
    }
    Ok(())
}
