//! How far groups have read. A partition without an offset is answered with -1; an error stands with the group and with each
//! partition that was asked for, since some clients look only there.

use super::Call;
use crate::{
    coordinator::{FoundOffsets, groups::Place},
    listener::kafka::{error_code::Coded as _, names::NONE},
    service::Refusal,
};
use cairn_proto::kafka::{
    ErrorCode,
    offset_fetch::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
        OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
        OffsetFetchResponseTopic, OffsetFetchResponseTopics,
    },
};
use std::collections::BTreeMap;

/// Since this version many groups are asked for at a time.
const MANY_SINCE: i16 = 8;

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(call: &Call, request: OffsetFetchRequest) -> Result<OffsetFetchResponse, Refusal> {
    let of_one: usize = request.topics.iter().flatten().map(|topic| topic.partition_indexes.len()).sum();
    let of_many = request.groups.iter().map(|group| {
        let topics = group.topics.iter().flatten();
        1 + topics.map(|topic| topic.partition_indexes.len()).sum::<usize>()
    });
    call.shared.broker.check_places(of_one.saturating_add(of_many.sum()))?;
    if call.version >= MANY_SINCE {
        let groups = request.groups.into_iter().map(|group| of_group(call, group)).collect();
        return Ok(OffsetFetchResponse { groups, ..Default::default() });
    }
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
        });
        topics.collect()
    });
    let group = of_group(call, OffsetFetchRequestGroup { group_id: request.group_id, topics });
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(as_before).collect(),
    });
    Ok(OffsetFetchResponse { error_code: group.error_code, topics: topics.collect(), ..Default::default() })
}

/// The same, as it was told for one group.
fn as_before(partition: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    }
}

fn of_group(call: &Call, asked: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let OffsetFetchRequestGroup { group_id, topics } = asked;
    let wanted: Option<Vec<Place>> = topics.as_ref().map(|topics| {
        let places = |topic: &OffsetFetchRequestTopics| {
            let name = topic.name.clone();
            topic.partition_indexes.clone().into_iter().map(move |index| (name.clone(), index))
        };
        topics.iter().flat_map(places).collect()
    });
    let found = call.shared.broker.committed_offsets(&call.context, &group_id, wanted.as_deref());
    let (found, error_code) = match found {
        Ok(found) => (found, ErrorCode::NONE),
        Err(error) => (FoundOffsets::new(), error.code()),
    };
    let topics = topics.unwrap_or_else(|| topics_of(&found));
    let topics = topics.into_iter().map(|topic| {
        let one = |index: i32| partition(&found, (topic.name.clone(), index), error_code);
        let partitions = topic.partition_indexes.iter().map(|index| one(*index)).collect();
        OffsetFetchResponseTopics { name: topic.name.clone(), partitions }
    });
    OffsetFetchResponseGroup { topics: topics.collect(), group_id, error_code }
}

/// Everything that was found, as it would be asked for.
fn topics_of(found: &FoundOffsets) -> Vec<OffsetFetchRequestTopics> {
    let mut topics: BTreeMap<&String, Vec<i32>> = BTreeMap::new();
    for (name, index) in found.keys() {
        topics.entry(name).or_default().push(*index);
    }
    let topic = |(name, partition_indexes): (&String, Vec<i32>)| {
        OffsetFetchRequestTopics { name: name.clone(), partition_indexes }
    };
    topics.into_iter().map(topic).collect()
}

fn partition(found: &FoundOffsets, place: Place, error_code: ErrorCode) -> OffsetFetchResponsePartitions {
    let committed = found.get(&place);
    OffsetFetchResponsePartitions {
        partition_index: place.1,
        committed_offset: committed.map_or(-1, |committed| committed.offset),
        committed_leader_epoch: committed.and_then(|committed| committed.leader_epoch).unwrap_or(NONE),
        metadata: Some(committed.map(|committed| committed.metadata.clone()).unwrap_or_default()),
        error_code,
    }
}
