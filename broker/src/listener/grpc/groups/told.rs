//! What the coordinator says into messages of the service `Groups`.

use super::super::convert::number;
use crate::{
    coordinator::{
        FoundOffsets,
        group::{DescribedMember, Description, GroupKind},
        groups::Place,
        native::Directive,
        subscription::{places_of, topics_of},
    },
    ids::TopicId,
};
use cairn_proto::v1;
use std::collections::BTreeMap;

pub(super) fn directive(directive: Directive) -> v1::GroupHeartbeatResponse {
    let changed = directive.assigned.is_some();
    let mut topics: BTreeMap<(String, TopicId), Vec<u32>> = BTreeMap::new();
    for (name, partition) in directive.assigned.into_iter().flatten() {
        topics.entry((name, partition.topic)).or_default().push(partition.partition.get());
    }
    let topic = |((name, id), partitions): ((String, TopicId), Vec<u32>)| v1::AssignedTopic {
        name,
        topic_id: id.as_bytes().to_vec().into(),
        partitions,
    };
    v1::GroupHeartbeatResponse {
        member_epoch: directive.epoch,
        changed,
        assigned: topics.into_iter().map(topic).collect(),
        ..v1::GroupHeartbeatResponse::default()
    }
}

pub(super) fn offsets(found: FoundOffsets) -> Vec<v1::FetchedOffset> {
    let one = |((topic, partition), committed): (Place, crate::coordinator::record::CommittedOffset)| {
        Some(v1::FetchedOffset {
            topic,
            topic_id: committed.topic.as_bytes().to_vec().into(),
            partition: u32::try_from(partition).ok()?,
            offset: committed.offset,
            leader_epoch: committed.leader_epoch.unwrap_or(-1),
            metadata: committed.metadata,
            committed_ms: committed.committed_ms,
        })
    };
    found.into_iter().filter_map(one).collect()
}

pub(super) fn places(places: impl IntoIterator<Item = Place>) -> Vec<v1::TopicPartitions> {
    let mut topics: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (topic, partition) in places {
        topics.entry(topic).or_default().extend(u32::try_from(partition));
    }
    topics.into_iter().map(|(topic, partitions)| v1::TopicPartitions { topic, partitions }).collect()
}

pub(super) fn summary(group: String, description: &Description) -> v1::GroupSummary {
    let kind = match description.kind {
        GroupKind::Classic => v1::GroupKind::Classic,
        GroupKind::Native => v1::GroupKind::Native,
    };
    v1::GroupSummary {
        group,
        kind: kind.into(),
        state: description.state.to_owned(),
        epoch: description.generation,
        protocol_type: description.protocol_type.clone().unwrap_or_default(),
        protocol: description.protocol.clone().unwrap_or_default(),
        members: number(description.members.len()),
    }
}

pub(super) fn members(description: Description) -> Vec<v1::GroupMember> {
    let protocol = description.protocol.unwrap_or_default();
    // Only clients that call themselves consumers encode what they want and have in a way that is known.
    let is_known = description.protocol_type.as_deref() == Some("consumer");
    let member = |DescribedMember { id, member }: DescribedMember| {
        let topics = topics_of(&member.metadata(&protocol)).filter(|_| is_known).unwrap_or_default();
        let assigned = places_of(&member.assignment).filter(|_| is_known).unwrap_or_default();
        let assigned = assigned.into_iter().map(|(topic, partitions)| v1::TopicPartitions {
            topic,
            partitions: partitions.into_iter().filter_map(|index| u32::try_from(index).ok()).collect(),
        });
        v1::GroupMember {
            member_id: id,
            instance_id: member.instance_id.unwrap_or_default(),
            client_id: member.client_id,
            client_host: member.client_host,
            topics,
            assigned: assigned.collect(),
            session_timeout_ms: u32::try_from(member.session_timeout.as_millis()).unwrap_or(u32::MAX),
        }
    };
    description.members.into_iter().map(member).collect()
}
