//! What becomes of one record: a share in its batch's one outcome, without an allocation of its own.

use crate::ProduceError;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Where a record went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// The record's offset; -1 under [`Acks::None`](crate::Acks::None), where nobody says.
    pub offset: i64,
    /// The record's timestamp in the log, in ms since the epoch; the broker's time where the topic says so.
    pub timestamp_ms: i64,
}

/// Resolves when the record is acknowledged, or certainly will not be, or when nobody can know any more: at the
/// latest when the delivery timeout has passed. Dropping it changes nothing about the record.
#[derive(Debug)]
#[must_use = "the record's outcome is here; drop it explicitly if it does not matter"]
pub struct Delivery;

impl Future for Delivery {
    type Output = Result<Delivered, ProduceError>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        unimplemented!()
    }
}
