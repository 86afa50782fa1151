//! The broker to ask about a group. For a producer with a transactional id it is the one that gives out producer ids: any,
//! so this one.

use super::Call;
use crate::{
    ids::BrokerId,
    listener::kafka::{
        error_code::Coded as _,
        names::{NONE, broker_number, kafka_brokers},
    },
    service::Refusal,
};
use cairn_proto::kafka::{
    ErrorCode,
    find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse},
};

/// What a key names.
const GROUP: i8 = 0;
const TRANSACTIONAL_ID: i8 = 1;
/// Since this version many are asked for at a time.
const MANY_SINCE: i16 = 4;

type Problem = (ErrorCode, String);

pub(super) async fn handle(
    call: &Call,
    request: FindCoordinatorRequest,
) -> Result<FindCoordinatorResponse, Refusal> {
    if call.version >= MANY_SINCE {
        let mut coordinators = Vec::with_capacity(request.coordinator_keys.len());
        for key in request.coordinator_keys {
            coordinators.push(find(call, key, request.key_type).await);
        }
        return Ok(FindCoordinatorResponse { coordinators, ..Default::default() });
    }
    let found = find(call, request.key, request.key_type).await;
    let Coordinator { node_id, host, port, error_code, error_message, .. } = found;
    Ok(FindCoordinatorResponse { node_id, host, port, error_code, error_message, ..Default::default() })
}

async fn find(call: &Call, key: String, key_type: i8) -> Coordinator {
    let found = match key_type {
        GROUP => {
            let found = call.shared.broker.find_coordinator(&call.context, &key).await;
            found.map_err(|error| (error.code(), error.to_string()))
        }
        TRANSACTIONAL_ID => Ok(call.shared.broker.id()),
        other => Err((ErrorCode::INVALID_REQUEST, format!("there are no coordinators of type {other}"))),
    };
    match found.and_then(|id| address(call, id)) {
        Ok((node_id, host, port)) => Coordinator { key, node_id, host, port, ..Default::default() },
        Err((error_code, message)) => Coordinator {
            key,
            node_id: NONE,
            port: NONE,
            error_code,
            error_message: Some(message),
            ..Default::default()
        },
    }
}

fn address(call: &Call, id: BrokerId) -> Result<(i32, String, i32), Problem> {
    let unavailable = |message: String| (ErrorCode::COORDINATOR_NOT_AVAILABLE, message);
    let image = call.shared.broker.cluster(&call.context).map_err(|refusal| unavailable(refusal.to_string()))?;
    let number = broker_number(id);
    let mut brokers = kafka_brokers(&image);
    let found = brokers.find(|(node_id, ..)| *node_id == number);
    let (node_id, _, host, port) =
        found.ok_or_else(|| unavailable(format!("broker {number} has no address for Kafka clients")))?;
    Ok((node_id, host, port))
}
