//! Where leader epochs end.

use super::batches::batch;
use crate::side::Side;
use anyhow::{Context as _, Result};
use cairn_proto::kafka::{
    ApiKey,
    offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic},
};

const TOPIC: &str = "led";

fn request(topic: &str, rows: &[(i32, i32, i32)]) -> OffsetForLeaderEpochRequest {
    let one = |(partition, current_leader_epoch, leader_epoch): &(i32, i32, i32)| OffsetForLeaderPartition {
        partition: *partition,
        current_leader_epoch: *current_leader_epoch,
        leader_epoch: *leader_epoch,
    };
    let partitions = rows.iter().map(one).collect();
    let topics = vec![OffsetForLeaderTopic { topic: topic.into(), partitions }];
    OffsetForLeaderEpochRequest { replica_id: -1, topics }
}

pub(crate) async fn leader_epochs(side: &mut Side) -> Result<()> {
    side.topic(TOPIC, 2, &[]).await?;
    side.kafka.produce(11, TOPIC, batch(&[b"x", b"y", b"z"])?).await?;
    let answer = side.kafka.call(12, &cairn_tests::kafka::metadata_request(TOPIC, false)).await?;
    let known = answer.topics.first().and_then(|topic| topic.partitions.first()).context("a partition")?;
    let epoch = known.leader_epoch;
    for version in ApiKey::OffsetForLeaderEpoch.served() {
        for (case, row) in [
            ("the current epoch", (0, -1, epoch)),
            ("the current epoch, known", (0, epoch, epoch)),
            ("the next epoch", (0, -1, epoch + 1)),
            ("the epoch before", (0, -1, epoch - 1)),
            ("no epoch", (0, -1, -1)),
            ("an epoch far below 0", (0, -1, -9)),
            ("believing in the next epoch", (0, epoch + 1, epoch)),
            ("believing in the epoch before", (0, epoch - 1, epoch)),
            ("of an empty partition", (1, -1, epoch)),
            ("the next of an empty partition", (1, -1, epoch + 1)),
            ("of an unknown partition", (7, -1, epoch)),
            ("of a partition below 0", (-1, -1, epoch)),
        ] {
            side.ask(case, version, &request(TOPIC, &[row])).await?;
        }
        side.ask("of an unknown topic", version, &request("absent", &[(0, -1, epoch)])).await?;
        side.ask("of a bad name", version, &request("a/b", &[(0, -1, epoch)])).await?;
        side.ask("no partitions", version, &request(TOPIC, &[])).await?;
        side.ask("good and bad together", version, &request(TOPIC, &[(0, -1, epoch), (9, -1, epoch)]))
            .await?;
        side.ask("a partition twice", version, &request(TOPIC, &[(0, -1, epoch), (0, -1, epoch + 1)]))
            .await?;
    }
    Ok(())
}
