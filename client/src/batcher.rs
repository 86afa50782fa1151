//! Collects the records of one partition into batches. Pure: the time is handed in.
//!
//! What always holds: records leave in the order they came; a batch exceeds the batch size only if it is one record; a
//! closed batch never grows.

use crate::{ProduceError, Record, producer::BatchOutcome};
use cairn_proto::record::{BatchBuilder, BatchOptions, Compression, HEADER_BYTES};
use std::{collections::VecDeque, sync::Arc, time::Instant};

/// What a fresh batch reserves when nothing is known about its partition.
const CAPACITY_BYTES_FIRST: usize = 4 * 1024;

/// Limits of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    /// The size at which a batch is closed.
    pub(crate) batch_bytes: usize,
    /// The topic's `max.message.bytes`: no batch may exceed it.
    pub(crate) message_bytes_max: usize,
    pub(crate) compression: Compression,
}

/// A batch of one partition that has not been encoded.
#[derive(Debug)]
pub(crate) struct PendingBatch {
    pub(crate) builder: BatchBuilder,
    pub(crate) outcome: Arc<BatchOutcome>,
    pub(crate) opened_at: Instant,
    /// Bytes of the producer's buffer to give back when it is answered.
    pub(crate) reserved_bytes: usize,
    /// Counts the batches of a producer.
    pub(crate) number: u64,
}

/// Where a record was put.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) outcome: Arc<BatchOutcome>,
    pub(crate) index: i32,
    /// The number of the batch that this record opened.
    pub(crate) opened: Option<u64>,
}

/// The batches of one partition that have no sequence yet.
#[derive(Debug)]
pub(crate) struct Batcher {
    topic: Arc<str>,
    partition: u32,
    closed: VecDeque<PendingBatch>,
    open: Option<PendingBatch>,
    /// The open batch need not wait any longer, though it still may grow until it is taken.
    open_due: bool,
    capacity_bytes: usize,
}

impl Batcher {
    pub(crate) fn new(topic: Arc<str>, partition: u32) -> Self {
        Self {
            topic,
            partition,
            closed: VecDeque::new(),
            open: None,
            open_due: false,
            capacity_bytes: CAPACITY_BYTES_FIRST,
        }
    }

    /// Adds a record. `open` is asked when a batch is opened, for its number and the time.
    pub(crate) fn append(
        &mut self,
        record: &Record,
        (timestamp_ms, reserved_bytes): (i64, usize),
        limits: &BatchLimits,
        open: impl FnOnce() -> (u64, Instant),
    ) -> Result<Placed, ProduceError> {
        let headers = record.headers.iter().map(|(key, value)| (&**key, value.as_deref()));
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let bytes_max = limits.batch_bytes.min(limits.message_bytes_max);
        if let Some(batch) = &self.open {
            let fits = batch.builder.bytes_with(timestamp_ms, key, value, headers.clone());
            if !fits.is_ok_and(|bytes| bytes <= bytes_max) {
                self.close_open();
            }
        }
        let mut opened = None;
        if self.open.is_none() {
            let mut builder = self.builder(limits);
            // What does not fit in a batch of its own is refused before anything changes.
            let batch_bytes = builder
                .append_with(timestamp_ms, key, value, headers.clone())
                .map(|_| builder.estimated_bytes())
                .map_err(|error| ProduceError::InvalidRecord { reason: error.to_string() })?;
            if batch_bytes > limits.message_bytes_max && limits.compression == Compression::None {
                return Err(ProduceError::RecordTooLarge {
                    batch_bytes,
                    limit: "the topic's max.message.bytes",
                    limit_bytes: limits.message_bytes_max,
                });
            }
            let (number, opened_at) = open();
            opened = Some(number);
            let outcome = Arc::new(BatchOutcome::new(Arc::clone(&self.topic), self.partition));
            let batch = PendingBatch { builder, outcome, opened_at, reserved_bytes, number };
            let placed = Placed { outcome: Arc::clone(&batch.outcome), index: 0, opened };
            self.open = Some(batch);
            self.close_full(bytes_max);
            return Ok(placed);
        }
        let Some(batch) = &mut self.open else { return Err(ProduceError::Closed) };
        let index = batch
            .builder
            .append_with(timestamp_ms, key, value, headers)
            .map_err(|error| ProduceError::InvalidRecord { reason: error.to_string() })?;
        batch.reserved_bytes = batch.reserved_bytes.saturating_add(reserved_bytes);
        let placed = Placed { outcome: Arc::clone(&batch.outcome), index, opened };
        self.close_full(bytes_max);
        Ok(placed)
    }

    fn builder(&self, limits: &BatchLimits) -> BatchBuilder {
        BatchBuilder::new(BatchOptions {
            compression: limits.compression,
            capacity_bytes: self.capacity_bytes.min(limits.batch_bytes.saturating_add(HEADER_BYTES)),
            ..BatchOptions::default()
        })
    }

    fn close_full(&mut self, bytes_max: usize) {
        if self.open.as_ref().is_some_and(|batch| batch.builder.estimated_bytes() >= bytes_max) {
            self.close_open();
        }
    }

    /// Closes the open batch, so that it can be taken.
    pub(crate) fn close_open(&mut self) {
        if let Some(batch) = self.open.take() {
            // The next batch will probably be like this one: then its buffer never grows, nor is it much too large.
            self.capacity_bytes = (batch.builder.estimated_bytes() + 1024).max(CAPACITY_BYTES_FIRST);
            self.closed.push_back(batch);
        }
        self.open_due = false;
    }

    /// The open batch may be taken from now on, if it is the one of this number (or whichever it is).
    pub(crate) fn make_due(&mut self, number: Option<u64>) {
        if let Some(batch) = &self.open
            && number.is_none_or(|number| number == batch.number)
        {
            self.open_due = true;
        }
    }

    /// Whether there is a batch to take.
    pub(crate) fn is_due(&self) -> bool {
        !self.closed.is_empty() || self.open_due
    }

    /// The oldest batch that is closed or due.
    pub(crate) fn take(&mut self) -> Option<PendingBatch> {
        if self.closed.is_empty() && self.open_due {
            self.close_open();
        }
        self.closed.pop_front()
    }

    /// All batches, oldest first, and none left: for a partition that is given up.
    pub(crate) fn take_all(&mut self) -> Vec<PendingBatch> {
        self.close_open();
        self.closed.drain(..).collect()
    }

    /// The batches that were opened before `limit`, oldest first: they waited too long.
    pub(crate) fn take_older(&mut self, limit: Instant) -> Vec<PendingBatch> {
        if self.open.as_ref().is_some_and(|batch| batch.opened_at <= limit) {
            return self.take_all();
        }
        let old = self.closed.iter().take_while(|batch| batch.opened_at <= limit).count();
        self.closed.drain(..old).collect()
    }

    /// The outcomes of all batches.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &Arc<BatchOutcome>> {
        self.closed.iter().chain(&self.open).map(|batch| &batch.outcome)
    }
}

#[cfg(test)]
mod tests;
