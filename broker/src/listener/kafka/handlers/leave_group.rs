//! Members leave their group: one, or since version 3 many, each with an outcome of its own.

use super::Call;
use crate::{coordinator::group::Leaver, listener::kafka::error_code::Coded as _, service::Refusal};
use cairn_proto::kafka::{
    ErrorCode,
    leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse},
};

/// Since this version there may be many.
const MANY_SINCE: i16 = 3;

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(call: &Call, request: LeaveGroupRequest) -> Result<LeaveGroupResponse, Refusal> {
    let many = call.version >= MANY_SINCE;
    let leavers: Vec<Leaver> = match many {
        true => request
            .members
            .into_iter()
            .map(|member| Leaver { member_id: member.member_id, instance_id: member.group_instance_id })
            .collect(),
        false => vec![Leaver { member_id: request.member_id, instance_id: None }],
    };
    let outcomes = match call.shared.broker.leave_group(&call.context, &request.group_id, &leavers) {
        Ok(outcomes) => outcomes,
        Err(error) => return Ok(LeaveGroupResponse { error_code: error.code(), ..Default::default() }),
    };
    let codes = outcomes.into_iter().map(|outcome| outcome.map_or_else(|error| error.code(), |()| ErrorCode::NONE));
    let mut members = leavers.into_iter().zip(codes).map(|(leaver, error_code)| MemberResponse {
        member_id: leaver.member_id,
        group_instance_id: leaver.instance_id,
        error_code,
    });
    if many {
        return Ok(LeaveGroupResponse { members: members.collect(), ..Default::default() });
    }
    let error_code = members.next().map(|member| member.error_code).unwrap_or_default();
    Ok(LeaveGroupResponse { error_code, ..Default::default() })
}
