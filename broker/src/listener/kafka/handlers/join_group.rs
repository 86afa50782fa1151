//! A member joins its group. The answer comes when the generation begins; a client that is gone by then is not told.

use super::Call;
use crate::{
    coordinator::{
        CoordinatorError,
        group::{Assignor, GroupError, JoinRequest, Joined, Waiter},
    },
    listener::kafka::error_code::Coded as _,
    service::{GroupCallError, Refusal},
};
use cairn_proto::kafka::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use std::time::Duration;
use uuid::Uuid;

/// Since this version a member is told its id before it is one (KIP-394).
const COMES_AGAIN_SINCE: i16 = 4;
/// Since this version the chosen assignor may be missing.
const NO_PROTOCOL_SINCE: i16 = 7;
/// Since this version a leader may keep the assignment that stands (KIP-814).
const SKIPS_SINCE: i16 = 9;

pub(super) async fn handle(call: &Call, request: JoinGroupRequest) -> Result<JoinGroupResponse, Refusal> {
    let (group, member_id) = (request.group_id.clone(), request.member_id.clone());
    let joined = call.shared.broker.join_group(&call.context, &group, understood(call, request)).await;
    Ok(match joined {
        Ok(joined) => answered(joined),
        Err(error) => {
            let given = match &error {
                GroupCallError::Coordinator(CoordinatorError::Group(GroupError::MemberIdRequired(id))) => id.clone(),
                _ => member_id,
            };
            let protocol_name = (call.version < NO_PROTOCOL_SINCE).then(String::new);
            JoinGroupResponse { error_code: error.code(), member_id: given, protocol_name, ..Default::default() }
        }
    })
}

fn understood(call: &Call, request: JoinGroupRequest) -> JoinRequest {
    let session_timeout = milliseconds(request.session_timeout_ms).unwrap_or_default();
    let named_after = request.group_instance_id.as_deref().unwrap_or(&call.context.client_id);
    JoinRequest {
        // The coordinator numbers it.
        waiter: Waiter(0),
        new_member_id: format!("{named_after}-{}", Uuid::new_v4()),
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        client_id: call.context.client_id.to_string(),
        client_host: call.peer.map(|peer| format!("/{}", peer.ip().to_canonical())).unwrap_or_default(),
        session_timeout,
        // Version 0 does not have it.
        rebalance_timeout: milliseconds(request.rebalance_timeout_ms).unwrap_or(session_timeout),
        protocol_type: request.protocol_type,
        assignors: request
            .protocols
            .into_iter()
            .map(|protocol| Assignor { name: protocol.name, metadata: protocol.metadata })
            .collect(),
        comes_again: call.version >= COMES_AGAIN_SINCE,
        may_skip_assignment: call.version >= SKIPS_SINCE,
    }
}

fn milliseconds(given: i32) -> Option<Duration> {
    u64::try_from(given).ok().map(Duration::from_millis)
}

fn answered(joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| JoinGroupResponseMember {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        metadata: member.metadata,
    });
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: Some(joined.protocol_type),
        protocol_name: Some(joined.protocol),
        leader: joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: joined.member_id,
        members: members.collect(),
        ..Default::default()
    }
}
