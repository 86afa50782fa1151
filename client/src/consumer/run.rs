//! Records given out: owned, yet slices of the batch that they came in. Batches in here have a checked checksum; what is
//! malformed all the same ends the run with an error, never with silence.

use crate::{ConsumeError, Headers, config::DECOMPRESSED_BATCH_BYTES_MAX};
use bytes::Bytes;
use cairn_proto::record::{Batch, BatchError, DecompressLimit, Record, RecordIter};
use std::{sync::Arc, vec};

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
pub struct RecordRun {
    topic: Arc<str>,
    partition: u32,
    pub(super) index: usize,
    batches: vec::IntoIter<Batch>,
    records: Option<RecordIter>,
    /// The offset of the next record; what lies before it in the first batch was not asked for.
    position: i64,
    next_offset: i64,
    batch_bytes: usize,
}

impl RecordRun {
    pub(super) fn new(
        topic: Arc<str>,
        partition: u32,
        index: usize,
        batches: Vec<Batch>,
        (position, next_offset): (i64, i64),
    ) -> Self {
        let batch_bytes = batches.iter().map(Batch::total_bytes).sum();
        let batches = batches.into_iter();
        Self { topic, partition, index, batches, records: None, position, next_offset, batch_bytes }
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// The offset behind the last record.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Bytes of the batches as they came over the network.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        self.batch_bytes
    }

    /// The offset of the next record, or behind the last one.
    pub(super) fn next_position(&self) -> i64 {
        self.position
    }

    fn open(&mut self) -> Option<Result<(), BatchError>> {
        loop {
            let batch = self.batches.next()?;
            // Control batches tell brokers about transactions; they hold nothing of an application's.
            if !batch.header().is_control() {
                let limit = DecompressLimit { bytes_max: DECOMPRESSED_BATCH_BYTES_MAX };
                return Some(batch.records(limit).map(|records| self.records = Some(records)));
            }
        }
    }

    fn fail(&mut self, error: &BatchError) -> ConsumeError {
        self.records = None;
        self.batches = Vec::new().into_iter();
        ConsumeError::Corrupt {
            topic: self.topic.to_string(),
            partition: self.partition,
            offset: self.position,
            reason: error.to_string(),
        }
    }

    fn give(&mut self, record: Record) -> ConsumedRecord {
        self.position = record.offset.saturating_add(1);
        ConsumedRecord {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key,
            value: record.value,
            headers: record.headers,
        }
    }
}

impl Iterator for RecordRun {
    type Item = Result<ConsumedRecord, ConsumeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.records.as_mut().and_then(RecordIter::next) {
                Some(Ok(record)) if record.offset < self.position => {}
                Some(Ok(record)) => return Some(Ok(self.give(record))),
                Some(Err(error)) => return Some(Err(self.fail(&error))),
                None => match self.open() {
                    Some(Ok(())) => {}
                    Some(Err(error)) => return Some(Err(self.fail(&error))),
                    None => return None,
                },
            }
        }
    }
}
