//! The requests of a group's member, in any version.

use super::nearest;
use crate::side::Side;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use cairn_proto::kafka::{
    ApiKey, ErrorCode,
    heartbeat::HeartbeatRequest,
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
    leave_group::{LeaveGroupRequest, MemberIdentity},
    offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    },
    sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
};

/// As a consumer says that it reads one topic.
pub(super) fn subscription(topic: &str) -> Bytes {
    let mut bytes = b"\0\0\0\0\0\x01".to_vec();
    bytes.extend(u16::try_from(topic.len()).unwrap_or(0).to_be_bytes());
    bytes.extend(topic.as_bytes());
    bytes.extend(b"\xff\xff\xff\xff");
    bytes.into()
}

pub(super) fn join(version: i16, group: &str, member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 30_000,
        // Version 0 has none.
        rebalance_timeout_ms: if version == 0 { -1 } else { 30_000 },
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: protocols(&["range", "roundrobin"]),
        ..Default::default()
    }
}

pub(super) fn protocols(names: &[&str]) -> Vec<JoinGroupRequestProtocol> {
    let one =
        |name: &&str| JoinGroupRequestProtocol { name: (*name).into(), metadata: subscription("subscribed") };
    names.iter().map(one).collect()
}

pub(super) fn sync(version: i16, group: &str, (member_id, generation_id): (&str, i32)) -> SyncGroupRequest {
    let named = |name: &str| (version >= 5).then(|| name.to_owned());
    SyncGroupRequest {
        group_id: group.into(),
        generation_id,
        member_id: member_id.into(),
        protocol_type: named("consumer"),
        protocol_name: named("range"),
        ..Default::default()
    }
}

pub(super) fn shares(member_ids: &[&str]) -> Vec<SyncGroupRequestAssignment> {
    let one = |member_id: &&str| SyncGroupRequestAssignment {
        member_id: (*member_id).into(),
        assignment: Bytes::from_static(b"share"),
    };
    member_ids.iter().map(one).collect()
}

pub(super) fn heartbeat(group: &str, (member_id, generation_id): (&str, i32)) -> HeartbeatRequest {
    HeartbeatRequest {
        group_id: group.into(),
        generation_id,
        member_id: member_id.into(),
        group_instance_id: None,
    }
}

/// Members by id or by instance id; before version 3 only one by its id.
pub(super) fn leave(version: i16, group: &str, members: &[(&str, Option<&str>)]) -> LeaveGroupRequest {
    let identity = |(member_id, instance_id): &(&str, Option<&str>)| MemberIdentity {
        member_id: (*member_id).into(),
        group_instance_id: instance_id.map(Into::into),
        reason: None,
    };
    let group_id = group.into();
    match version {
        3.. => LeaveGroupRequest {
            group_id,
            members: members.iter().map(identity).collect(),
            ..Default::default()
        },
        _ => {
            let member_id = members.first().map(|(id, _)| (*id).into()).unwrap_or_default();
            LeaveGroupRequest { group_id, member_id, ..Default::default() }
        }
    }
}

/// One offset for one partition.
pub(super) fn commit(
    group: &str,
    (member_id, generation): (&str, i32),
    (topic, partition_index): (&str, i32),
    (committed_offset, metadata): (i64, Option<&str>),
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index,
        committed_offset,
        committed_metadata: metadata.map(Into::into),
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: generation,
        member_id: member_id.into(),
        topics: vec![OffsetCommitRequestTopic { name: topic.into(), partitions: vec![partition] }],
        ..Default::default()
    }
}

/// Offsets of these partitions of each topic; none: of all that there are.
pub(super) fn offset_fetch(
    version: i16,
    groups: &[&str],
    topics: Option<&[(&str, &[i32])]>,
) -> OffsetFetchRequest {
    match version {
        8.. => {
            let topic = |(name, indexes): &(&str, &[i32])| OffsetFetchRequestTopics {
                name: (*name).into(),
                partition_indexes: indexes.to_vec(),
            };
            let one = |group: &&str| OffsetFetchRequestGroup {
                group_id: (*group).into(),
                topics: topics.map(|topics| topics.iter().map(topic).collect()),
            };
            OffsetFetchRequest { groups: groups.iter().map(one).collect(), ..Default::default() }
        }
        _ => {
            let topic = |(name, indexes): &(&str, &[i32])| OffsetFetchRequestTopic {
                name: (*name).into(),
                partition_indexes: indexes.to_vec(),
            };
            OffsetFetchRequest {
                group_id: groups.first().map(|group| (*group).into()).unwrap_or_default(),
                topics: topics.map(|topics| topics.iter().map(topic).collect()),
                ..Default::default()
            }
        }
    }
}

/// A client without a group joins one that is empty, and leads it; not recorded. Its id and generation.
pub(super) async fn lead(side: &mut Side, group: &str) -> Result<(String, i32)> {
    let joined = enter(side, group).await?;
    let who = (joined.member_id, joined.generation_id);
    let mut request = sync(5, group, (&who.0, who.1));
    request.assignments = shares(&[&who.0]);
    let synced = side.kafka.call(5, &request).await?;
    anyhow::ensure!(synced.error_code.is_none(), "{synced:?}");
    Ok(who)
}

/// The same without the leader's assignment.
pub(super) async fn enter(side: &mut Side, group: &str) -> Result<JoinGroupResponse> {
    let version = *ApiKey::JoinGroup.served().end();
    let asked = side.kafka.call(version, &join(version, group, "")).await?;
    anyhow::ensure!(asked.error_code == ErrorCode::MEMBER_ID_REQUIRED, "{asked:?}");
    let joined = side.kafka.call(version, &join(version, group, &asked.member_id)).await?;
    anyhow::ensure!(joined.error_code.is_none(), "{joined:?}");
    Ok(joined)
}

/// Joins as a client of this version does, twice if it has to; recorded.
pub(super) async fn join_twice(
    side: &mut Side,
    case: &str,
    version: i16,
    group: &str,
) -> Result<JoinGroupResponse> {
    let version = nearest(ApiKey::JoinGroup, version);
    let first = side.ask(case, version, &join(version, group, "")).await?.context("an answer")?;
    if first.error_code != ErrorCode::MEMBER_ID_REQUIRED {
        return Ok(first);
    }
    let again = join(version, group, &first.member_id);
    side.ask(&format!("{case}, with its id"), version, &again).await?.context("an answer")
}
