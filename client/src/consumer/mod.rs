//! Reads partitions that the application names, in order, from where it says, skipping nothing.

mod builder;
mod run;

pub use builder::ConsumerBuilder;
pub use run::{ConsumedRecord, RecordRun};

use crate::{ConsumeError, StartAt};
use futures_core::Stream;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A stream of the records of the assigned partitions. It ends only when the client is closed.
///
/// An `Err` concerns one partition, names it and stops it until a [`seek`](Self::seek); the others go on.
#[derive(Debug)]
pub struct Consumer;

impl Consumer {
    /// The next record; `None` once the client is closed.
    pub async fn next_record(&mut self) -> Option<Result<ConsumedRecord, ConsumeError>> {
        unimplemented!()
    }

    /// The next records of one partition, as many as arrived together: the cheap way to read much. Cancel-safe.
    /// The position is then behind all of them. `None` once the client is closed.
    pub async fn next_batch(&mut self) -> Option<Result<RecordRun, ConsumeError>> {
        unimplemented!()
    }

    /// Goes on elsewhere in one partition; nothing of the old place is given out afterwards.
    ///
    /// # Errors
    /// The partition is not assigned, or no broker could say where that is.
    pub async fn seek(&mut self, _topic: &str, _partition: u32, _at: StartAt) -> Result<(), ConsumeError> {
        unimplemented!()
    }

    /// Gives out nothing of this partition until [`resume`](Self::resume). The position stays.
    ///
    /// # Errors
    /// The partition is not assigned.
    pub fn pause(&mut self, _topic: &str, _partition: u32) -> Result<(), ConsumeError> {
        unimplemented!()
    }

    /// Ends a [`pause`](Self::pause).
    ///
    /// # Errors
    /// The partition is not assigned.
    pub fn resume(&mut self, _topic: &str, _partition: u32) -> Result<(), ConsumeError> {
        unimplemented!()
    }

    /// The offset of the next record to be given out; `None` for a partition that is not assigned.
    #[must_use]
    pub fn position(&self, _topic: &str, _partition: u32) -> Option<i64> {
        unimplemented!()
    }

    /// The end of what can be read, as last heard of: at `build` and with every push. `None` for a partition that is
    /// not assigned.
    #[must_use]
    pub fn high_watermark(&self, _topic: &str, _partition: u32) -> Option<i64> {
        unimplemented!()
    }

    /// All assigned partitions, by topic and number.
    #[must_use]
    pub fn assignment(&self) -> Vec<(Arc<str>, u32)> {
        unimplemented!()
    }
}

impl Stream for Consumer {
    type Item = Result<ConsumedRecord, ConsumeError>;

    fn poll_next(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        unimplemented!()
    }
}
