//! Messages of the service `Groups` into the broker's words. Every number and name is checked before the coordinator keeps it.

use super::super::convert::{self, Invalid, invalid};
use crate::{
    coordinator::{
        FoundOffsets,
        group::Waiter,
        groups::Place,
        native::{Beat, Profile},
        record::CommittedOffset,
    },
    ids::TopicId,
    metadata::ClusterState,
};
use cairn_proto::v1;
use std::time::Duration;

/// Longer names are refused: of members, of instances, and of topics.
const NAME_BYTES_MAX: usize = 249;

fn name(field: &'static str, given: String) -> Result<String, Invalid> {
    match given.len() {
        1..=NAME_BYTES_MAX => Ok(given),
        length => Err(invalid(field, format!("{length} bytes long"), "1 to 249 bytes long")),
    }
}

/// What is known of a member besides what it says.
pub(super) struct Origin {
    pub(super) client_id: String,
    pub(super) client_host: String,
}

pub(super) fn heartbeat(request: v1::GroupHeartbeatRequest, origin: Origin) -> Result<Beat, Invalid> {
    let instance_id = Some(request.instance_id).filter(|instance| !instance.is_empty());
    let instance_id = instance_id.map(|instance| name("instance_id", instance)).transpose()?;
    let topics = request.topics.into_iter().map(|topic| name("topics", topic)).collect::<Result<_, _>>()?;
    for (field, epoch) in [("member_epoch", request.member_epoch), ("known_epoch", request.known_epoch)] {
        if epoch < 0 {
            return Err(invalid(field, epoch, "0 to 2147483647"));
        }
    }
    let milliseconds = |ms: u32| Duration::from_millis(ms.into());
    Ok(Beat {
        // The coordinator numbers it.
        waiter: Waiter(0),
        member_id: name("member_id", request.member_id)?,
        epoch: request.member_epoch,
        known_epoch: request.known_epoch,
        profile: Profile {
            instance_id,
            client_id: origin.client_id,
            client_host: origin.client_host,
            session_timeout: milliseconds(request.session_timeout_ms),
            rebalance_timeout: milliseconds(request.rebalance_timeout_ms.max(request.session_timeout_ms)),
            topics,
        },
        wait: milliseconds(request.wait_ms),
    })
}

/// What is to be committed, and what cannot be: partitions that there are not (any more).
pub(super) fn offsets(
    given: Vec<v1::OffsetToCommit>,
    image: &ClusterState,
    now_ms: i64,
) -> Result<(FoundOffsets, Vec<Place>), Invalid> {
    let (mut offsets, mut unknown) = (FoundOffsets::new(), Vec::new());
    for one in given {
        let place = (one.topic, place_number(one.partition)?);
        let known = image.topic_by_name(&place.0).filter(|topic| {
            let is_meant = one.topic_id.is_empty() || one.topic_id[..] == topic.id.as_bytes()[..];
            is_meant && topic.partition(crate::ids::PartitionIndex(one.partition)).is_some()
        });
        let Some(id) = known.map(|topic| topic.id) else {
            unknown.push(place);
            continue;
        };
        let committed = CommittedOffset {
            topic: TopicId(id.0),
            offset: convert::offset("offset", one.offset)?.get(),
            leader_epoch: convert::epoch("leader_epoch", one.leader_epoch)?.map(|epoch| epoch.get()),
            metadata: one.metadata,
            committed_ms: now_ms,
        };
        offsets.insert(place, committed);
    }
    Ok((offsets, unknown))
}

pub(super) fn places(topics: Vec<v1::TopicPartitions>) -> Result<Vec<Place>, Invalid> {
    let of_topic = |one: v1::TopicPartitions| {
        let topic = one.topic;
        one.partitions.into_iter().map(move |index| Ok((topic.clone(), place_number(index)?)))
    };
    topics.into_iter().flat_map(of_topic).collect()
}

fn place_number(partition: u32) -> Result<i32, Invalid> {
    i32::try_from(partition).map_err(|_large| invalid("partition", partition, "0 to 2147483647"))
}
