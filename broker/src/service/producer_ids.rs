//! Identities of idempotent producers, handed out of blocks that the metadata allocated: nobody else ever gets the same.

use super::{Broker, Context, Refusal, within};
use crate::{
    ids::ProducerId,
    metadata::{Command, Outcome, ProposeError},
};
use std::{
    ops::Range,
    sync::atomic::{AtomicI64, Ordering},
};
use tokio::sync::Mutex;

/// One command of the metadata gives so many.
const BLOCK: u32 = 1000;
/// The last epoch that a producer may have; behind it comes a new id.
const PRODUCER_EPOCH_MAX: i16 = i16::MAX - 1;

/// What is left of the current block.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    block: Mutex<Range<i64>>,
    /// The end of the blocks that this broker was given: the published image may lag behind them for a moment.
    given_below: AtomicI64,
}

/// Who a producer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdentity {
    /// Never given to anybody else.
    pub producer: ProducerId,
    /// +1 each time the producer asks again with its id: its earlier batches in flight are fenced.
    pub epoch: i16,
}

/// Why there is no identity.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InitProducerError {
    /// Turned away.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Not an identity that was ever given.
    #[error(
        "producer id {producer} with epoch {epoch} was never given: send -1 and -1 for a new one, or an id below {known_below} \
         with an epoch of 0 to {PRODUCER_EPOCH_MAX}"
    )]
    NeverGiven {
        /// What was sent.
        producer: i64,
        /// What was sent.
        epoch: i32,
        /// Ids below this have been given.
        known_below: i64,
    },
    /// The metadata did not allocate a block.
    #[error("no block of producer ids: {0}")]
    Propose(#[from] ProposeError),
    /// The deadline passed. Ids may have been used up; that is harmless.
    #[error("no block of producer ids before the deadline: try again")]
    TimedOut,
}

impl InitProducerError {
    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.retryable(),
            Self::NeverGiven { .. } => false,
            Self::Propose(error) => error.retryable(),
            Self::TimedOut => true,
        }
    }
}

impl Broker {
    /// A new identity (for -1 and -1), or the next epoch of a given one.
    ///
    /// # Errors
    /// See [`InitProducerError`].
    pub async fn init_producer_id(
        &self,
        context: &Context,
        producer: i64,
        epoch: i32,
    ) -> Result<ProducerIdentity, InitProducerError> {
        let patience = self.admission().admit(context)?;
        if (producer, epoch) != (-1, -1) {
            let given_below = self.producer_ids().given_below.load(Ordering::Acquire);
            let known_below = self.image().next_producer.get().max(given_below);
            let given = i16::try_from(epoch).ok().filter(|epoch| (0..=PRODUCER_EPOCH_MAX).contains(epoch));
            let Some(given) = given.filter(|_| (0..known_below).contains(&producer)) else {
                return Err(InitProducerError::NeverGiven { producer, epoch, known_below });
            };
            if given < PRODUCER_EPOCH_MAX {
                return Ok(ProducerIdentity { producer: ProducerId(producer), epoch: given + 1 });
            }
        }
        let fresh = within(patience, self.next_producer_id()).await.ok_or(InitProducerError::TimedOut)?;
        Ok(ProducerIdentity { producer: fresh?, epoch: 0 })
    }

    async fn next_producer_id(&self) -> Result<ProducerId, ProposeError> {
        let mut block = self.producer_ids().block.lock().await;
        if let Some(id) = block.next() {
            return Ok(ProducerId(id));
        }
        let allocated = self.metadata().propose(Command::AllocateProducerIds { count: BLOCK }).await?;
        let Outcome::ProducerIds { first, count } = allocated.outcome else {
            unreachable!("the metadata answers an allocation with ids");
        };
        let first = first.get();
        // What is not handed out before a restart is lost, never given twice.
        *block = first + 1..first + i64::from(count);
        self.producer_ids().given_below.fetch_max(block.end, Ordering::AcqRel);
        Ok(ProducerId(first))
    }
}
