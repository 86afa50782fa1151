//! Asks for the producer id and epoch under which batches are recognised, any broker that answers.

use super::window::Identity;
use crate::{
    ProduceError,
    client::Core,
    clock,
    connection::{CallError, log_client},
    retry::{Backoff, code_name, code_of, refused_for_now},
};
use cairn_proto::v1::{ErrorCode, InitProducerIdRequest};

/// A new producer's identity; waits for a broker at most the request timeout.
pub(super) async fn first(core: &Core) -> Result<Identity, ProduceError> {
    let give_up = clock::now() + core.options.request_timeout;
    let mut backoff = Backoff::retrying();
    loop {
        let error = match ask(core, None, 1).await {
            Err(error) if error.retryable() => error,
            decided => return decided,
        };
        let wait = backoff.wait(rand::random());
        if clock::now() + wait >= give_up {
            return Err(error);
        }
        tokio::select! {
            () = core.stop.cancelled() => return Err(ProduceError::Closed),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// The identity after this one; asks until a broker answers.
pub(super) async fn next(core: &Core, used: Identity) -> Identity {
    let mut backoff = Backoff::retrying();
    // Where the broker does not raise the epoch any more, a new id does as well.
    let mut of = Some(used);
    loop {
        match ask(core, of, used.generation + 1).await {
            Ok(identity) => return identity,
            Err(error) if error.retryable() => {}
            Err(error) => {
                tracing::debug!(%error, "no next epoch for this producer id; asking for a new id");
                of = None;
            }
        }
        tokio::time::sleep(backoff.wait(rand::random())).await;
    }
}

async fn ask(core: &Core, of: Option<Identity>, generation: u64) -> Result<Identity, ProduceError> {
    let request = InitProducerIdRequest {
        producer_id: of.map_or(-1, |identity| identity.producer_id),
        producer_epoch: of.map_or(-1, |identity| i32::from(identity.epoch)),
    };
    // A producer id that got lost on the way costs nothing.
    let reply = core
        .ask_any(true, |channel| async move { log_client(channel).init_producer_id(request).await })
        .await
        .map_err(|error| match error {
            CallError::NotSent(reason) | CallError::Lost(reason) => ProduceError::Unreachable(reason),
            CallError::TurnedAway(reason) => refused(ErrorCode::InvalidRequest, reason),
        })?;
    match code_of(reply.error) {
        ErrorCode::None => {}
        code => return Err(refused(code, reply.message)),
    }
    let epoch = i16::try_from(reply.producer_epoch);
    match (reply.producer_id, epoch) {
        (producer_id @ 0.., Ok(epoch @ 0..)) => Ok(Identity { producer_id, epoch, generation }),
        (producer_id, _) => Err(refused(
            ErrorCode::Unknown,
            format!("producer id {producer_id} with epoch {} cannot be", reply.producer_epoch),
        )),
    }
}

fn refused(code: ErrorCode, reason: String) -> ProduceError {
    ProduceError::Refused { code: code_name(code), reason, retryable: refused_for_now(code) }
}
