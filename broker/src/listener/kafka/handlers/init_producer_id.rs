//! Identities for idempotent producers. A producer without a transactional id always gets a new one, as from a Kafka
//! broker; one with it may ask for the next epoch of the id that it has.

use super::Call;
use crate::{listener::kafka::error_code::Coded as _, service::Refusal};
use cairn_proto::kafka::{
    ErrorCode,
    init_producer_id::{InitProducerIdRequest, InitProducerIdResponse},
};

/// What stands for no producer id, and for no epoch.
const NONE: (i64, i16) = (-1, -1);
/// The longest transaction that a producer may ask for (Kafka: `transaction.max.timeout.ms`).
const TRANSACTION_TIMEOUT_MS_MAX: i32 = 900_000;

pub(super) async fn handle(
    call: &Call,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Refusal> {
    let refused = |error_code| InitProducerIdResponse { error_code, producer_epoch: -1, ..Default::default() };
    let identity = (request.producer_id, request.producer_epoch);
    // Half an identity is none.
    if (identity.0 == NONE.0) != (identity.1 == NONE.1) {
        return Ok(refused(ErrorCode::INVALID_REQUEST));
    }
    let (producer_id, epoch) = match &request.transactional_id {
        None => NONE,
        Some(id) if id.is_empty() => return Ok(refused(ErrorCode::INVALID_REQUEST)),
        Some(_) if !(1..=TRANSACTION_TIMEOUT_MS_MAX).contains(&request.transaction_timeout_ms) => {
            return Ok(refused(ErrorCode::INVALID_TRANSACTION_TIMEOUT));
        }
        Some(_) => identity,
    };
    let given = call.shared.broker.init_producer_id(&call.context, producer_id, epoch.into()).await;
    Ok(match given {
        Ok(identity) => InitProducerIdResponse {
            producer_id: identity.producer.get(),
            producer_epoch: identity.epoch,
            ..Default::default()
        },
        Err(error) => refused(error.code()),
    })
}
