//! A member says that it lives, and hears whether its group has changed.

use super::Call;
use crate::{coordinator::groups::Committer, listener::kafka::error_code::Coded as _, service::Refusal};
use cairn_proto::kafka::{
    ErrorCode,
    heartbeat::{HeartbeatRequest, HeartbeatResponse},
};

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(call: &Call, request: HeartbeatRequest) -> Result<HeartbeatResponse, Refusal> {
    let who = Committer {
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        generation: request.generation_id,
    };
    let heard = call.shared.broker.heartbeat(&call.context, &request.group_id, &who);
    let error_code = heard.map_or_else(|error| error.code(), |()| ErrorCode::NONE);
    Ok(HeartbeatResponse { error_code, ..Default::default() })
}
