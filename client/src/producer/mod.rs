//! Sends records: order kept, each once, memory bounded.

mod builder;
mod delivery;

pub use builder::ProducerBuilder;
pub use delivery::{Delivered, Delivery};

use crate::{ProduceError, Record};
use std::time::Duration;

/// Sends records. Cheap to clone; clones share one buffer and one order.
///
/// A drop of the last clone never blocks: what is pending resolves as
/// [`OutcomeUnknown`](ProduceError::OutcomeUnknown) if it may have been sent, else as
/// [`Closed`](ProduceError::Closed). Call [`close`](Self::close) to wait for it instead.
#[derive(Clone, Debug)]
pub struct Producer;

impl Producer {
    /// Hands a record over. Waits only for room in the buffer and, for a topic's first record, for its routing; the
    /// [`Delivery`] resolves when the record is acknowledged, and may be dropped.
    ///
    /// # Errors
    /// The record cannot be sent: see [`ProduceError`]. Nothing was appended.
    pub async fn send(&self, _record: Record) -> Result<Delivery, ProduceError> {
        unimplemented!()
    }

    /// [`send`](Self::send) that refuses where that would wait.
    ///
    /// # Errors
    /// As for `send`; [`BufferFull`](ProduceError::BufferFull) and [`RoutingUnknown`](ProduceError::RoutingUnknown)
    /// where it would wait.
    pub fn try_send(&self, _record: Record) -> Result<Delivery, ProduceError> {
        unimplemented!()
    }

    /// Sends everything at once and waits until all that was handed over before this call is answered, one way or
    /// the other; the deliveries say which.
    pub async fn flush(&self) {
        unimplemented!()
    }

    /// Refuses further records and flushes. What is not answered by the deadline resolves as it would on a drop.
    ///
    /// # Errors
    /// [`TimedOut`](ProduceError::TimedOut) when the deadline passed first.
    pub async fn close(&self, _deadline: Duration) -> Result<(), ProduceError> {
        unimplemented!()
    }
}
