//! Records given out: owned, yet slices of the batch that they came in.

use crate::{ConsumeError, Headers};
use bytes::Bytes;
use std::sync::Arc;

/// One record, owned. Key, value and headers keep the batch that they came in alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedRecord {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: i64,
    /// Milliseconds since the epoch, -1 for none.
    pub timestamp_ms: i64,
    /// The key, if it is not null.
    pub key: Option<Bytes>,
    /// The value, if it is not null.
    pub value: Option<Bytes>,
    /// The headers in order.
    pub headers: Headers,
}

/// Consecutive records of one partition: an iterator that decodes as it goes. An `Err` item ends it.
#[derive(Debug)]
pub struct RecordRun;

impl RecordRun {
    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &Arc<str> {
        unimplemented!()
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> u32 {
        unimplemented!()
    }

    /// The offset behind the last record.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        unimplemented!()
    }
}

impl Iterator for RecordRun {
    type Item = Result<ConsumedRecord, ConsumeError>;

    fn next(&mut self) -> Option<Self::Item> {
        unimplemented!()
    }
}
