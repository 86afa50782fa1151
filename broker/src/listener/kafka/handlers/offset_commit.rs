//! How far a group has read. Partitions that do not exist and notes that are too long are refused one by one; the others are
//! stored together, or none of them.

use super::Call;
use crate::{
    coordinator::{METADATA_BYTES_MAX, groups::Committer, record::CommittedOffset},
    listener::kafka::{
        error_code::Coded as _,
        names::{TopicKey, partition},
    },
    metadata::ClusterState,
    service::Refusal,
};
use cairn_proto::kafka::{
    ErrorCode,
    offset_commit::{
        OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse, OffsetCommitResponsePartition,
        OffsetCommitResponseTopic,
    },
};
use std::collections::BTreeMap;

pub(super) async fn handle(call: &Call, request: OffsetCommitRequest) -> Result<OffsetCommitResponse, Refusal> {
    let broker = &call.shared.broker;
    let image = broker.cluster(&call.context)?;
    let now_ms = broker.clock().wall_ms();
    let mut offsets = BTreeMap::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut taken = |wanted: OffsetCommitRequestPartition| {
            let index = wanted.partition_index;
            let understood = understood(&image, &topic.name, wanted, now_ms);
            let outcome = understood.map(|committed| {
                offsets.insert((topic.name.clone(), index), committed);
            });
            (index, outcome.err())
        };
        let partitions: Vec<_> = topic.partitions.into_iter().map(&mut taken).collect();
        topics.push((topic.name, partitions));
    }
    let who = Committer {
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        generation: request.generation_id_or_member_epoch,
    };
    let committed = broker.commit_offsets(&call.context, (&request.group_id, &who), offsets).await;
    let of_all = committed.map_or_else(|error| error.code(), |()| ErrorCode::NONE);
    let answered = |(partition_index, own): (i32, Option<ErrorCode>)| OffsetCommitResponsePartition {
        partition_index,
        error_code: own.unwrap_or(of_all),
    };
    let topics = topics.into_iter().map(|(name, partitions)| OffsetCommitResponseTopic {
        name,
        partitions: partitions.into_iter().map(answered).collect(),
    });
    Ok(OffsetCommitResponse { topics: topics.collect(), ..Default::default() })
}

fn understood(
    image: &ClusterState,
    topic: &str,
    wanted: OffsetCommitRequestPartition,
    now_ms: i64,
) -> Result<CommittedOffset, ErrorCode> {
    let topic = TopicKey::Name(topic).find(image)?;
    partition(topic, wanted.partition_index)?;
    let metadata = wanted.committed_metadata.unwrap_or_default();
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
    }
    Ok(CommittedOffset {
        topic: topic.id,
        offset: wanted.committed_offset,
        leader_epoch: Some(wanted.committed_leader_epoch).filter(|epoch| *epoch >= 0),
        metadata,
        committed_ms: now_ms,
    })
}
