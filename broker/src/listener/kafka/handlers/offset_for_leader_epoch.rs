//! Where a leader epoch ends, so that a consumer sees whether what it read was cut off (KIP-101, KIP-320).

use super::Call;
use crate::{
    ids::LeaderEpoch,
    listener::kafka::{
        error_code::Coded as _,
        names::{TopicKey, known_epoch, partition},
    },
    metadata::ClusterState,
    service::{EpochEnd, EpochRequest, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    offset_for_leader_epoch::{
        EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
        OffsetForLeaderTopicResult,
    },
};

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(
    call: &Call,
    request: OffsetForLeaderEpochRequest,
) -> Result<OffsetForLeaderEpochResponse, Refusal> {
    let broker = &call.shared.broker;
    let image = broker.cluster(&call.context)?;
    let one = |topic: &str, wanted: &OffsetForLeaderPartition| {
        let answer = question(&image, topic, wanted)
            .and_then(|question| broker.epoch_end(&question).map_err(|error| error.code()));
        answered(wanted.partition, answer)
    };
    let topics = request.topics.into_iter().map(|topic| OffsetForLeaderTopicResult {
        partitions: topic.partitions.iter().map(|wanted| one(&topic.topic, wanted)).collect(),
        topic: topic.topic,
    });
    Ok(OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() })
}

fn question(
    image: &ClusterState,
    topic: &str,
    wanted: &OffsetForLeaderPartition,
) -> Result<EpochRequest, ErrorCode> {
    let topic = TopicKey::Name(topic).find(image)?;
    Ok(EpochRequest {
        partition: partition(topic, wanted.partition)?,
        leader_epoch: known_epoch(wanted.current_leader_epoch),
        epoch: LeaderEpoch(wanted.leader_epoch),
    })
}

fn answered(partition: i32, answer: Result<EpochEnd, ErrorCode>) -> EpochEndOffset {
    match answer {
        Ok(Some((epoch, end))) if epoch.get() >= 0 => EpochEndOffset {
            error_code: ErrorCode::NONE,
            partition,
            leader_epoch: epoch.get(),
            end_offset: end.get(),
        },
        // Nobody led in it: the client knows more than this broker, or nothing.
        Ok(_) => EpochEndOffset { partition, ..Default::default() },
        Err(error_code) => EpochEndOffset { error_code, partition, ..Default::default() },
    }
}
