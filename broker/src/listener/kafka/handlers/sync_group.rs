//! A member asks for its share; the leader brings everybody's. The answer comes when the shares are durable.

use super::Call;
use crate::{
    coordinator::group::{SyncRequest, Waiter},
    listener::kafka::error_code::Coded as _,
    service::Refusal,
};
use cairn_proto::kafka::sync_group::{SyncGroupRequest, SyncGroupResponse};

/// Since this version a client says which protocol it believes in, and has to.
const PROTOCOL_SINCE: i16 = 5;

pub(super) async fn handle(call: &Call, request: SyncGroupRequest) -> Result<SyncGroupResponse, Refusal> {
    if call.version >= PROTOCOL_SINCE && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        let error_code = cairn_proto::kafka::ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
        return Ok(SyncGroupResponse { error_code, ..Default::default() });
    }
    let shares = request.assignments.into_iter().map(|share| (share.member_id, share.assignment));
    let asked = SyncRequest {
        // The coordinator numbers it.
        waiter: Waiter(0),
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        generation: request.generation_id,
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments: shares.collect(),
    };
    Ok(match call.shared.broker.sync_group(&call.context, &request.group_id, asked).await {
        Ok(synced) => SyncGroupResponse {
            protocol_type: Some(synced.protocol_type),
            protocol_name: Some(synced.protocol),
            assignment: synced.assignment,
            ..Default::default()
        },
        Err(error) => SyncGroupResponse { error_code: error.code(), ..Default::default() },
    })
}
