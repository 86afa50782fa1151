//! What a log knows of its idempotent producers (KIP-98): enough to tell a retry from a new batch, so that no batch is in the
//! log twice. The state is a function of the batches in the log alone, up to expiry (I40): leader, follower and recovery all
//! build it by [`Producers::record`].

mod snapshot;

use super::AppendError;
use crate::ids::Offset;
use cairn_proto::record::{BatchHeader, TimestampType};
use std::collections::{BTreeMap, VecDeque};

/// Batches of each producer that a retry may repeat; a client has at most as many in flight.
const BATCHES_MAX: usize = 5;

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new.
    Append,
    /// It is in the log already: answer as the first time (I25).
    Duplicate {
        /// The offset of its first record.
        base_offset: Offset,
        /// The offset behind its last record.
        end_offset: Offset,
        /// The append time stamped into it, if one was.
        append_time_ms: Option<i64>,
    },
}

/// A batch that a retry may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CachedBatch {
    base_sequence: i32,
    last_sequence: i32,
    base_offset: Offset,
    end_offset: Offset,
    append_time_ms: Option<i64>,
}

/// One producer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Producer {
    epoch: i16,
    /// The newest last; all of the present epoch, all with a sequence.
    batches: VecDeque<CachedBatch>,
    /// The end of its newest batch, control batches included.
    end_offset: Offset,
    /// Where its open transaction began.
    transaction_start: Option<Offset>,
    /// When its newest batch was recorded, by the recorder's wall clock: for expiry only.
    recorded_ms: i64,
}

/// A producer as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerFacts {
    /// Its id.
    pub producer_id: i64,
    /// Its present epoch.
    pub epoch: i16,
    /// The last sequence number of its newest batch; `None` if there is none in the present epoch.
    pub last_sequence: Option<i32>,
    /// When its newest batch was recorded, by the broker's wall clock, in ms.
    pub recorded_ms: i64,
    /// Where its open transaction began.
    pub transaction_start: Option<Offset>,
}

/// All producers of one log. An empty one holds no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Producers {
    by_id: BTreeMap<i64, Producer>,
    /// Whether any producer was ever forgotten here: an unknown one may then be in the middle of its sequence.
    any_expired: bool,
}

impl Producers {
    /// Whether a batch is the next one of its producer, a repetition, or neither. `state_may_be_gone`: records were deleted from
    /// the log (its start is above 0, or it was compacted), so that an unknown producer need not be a new one.
    ///
    /// # Errors
    /// `ProducerFenced`, or `OutOfOrderSequence`: nothing may be appended.
    pub(super) fn check(
        &self,
        header: &BatchHeader,
        state_may_be_gone: bool,
    ) -> Result<Verdict, AppendError> {
        if header.producer_id < 0 {
            return Ok(Verdict::Append);
        }
        let Some(producer) = self.by_id.get(&header.producer_id) else {
            let accepted = header.is_control() || state_may_be_gone || self.any_expired;
            return if accepted { Ok(Verdict::Append) } else { in_sequence(header, 0) };
        };
        if header.producer_epoch < producer.epoch {
            return Err(AppendError::ProducerFenced {
                producer_id: header.producer_id,
                producer_epoch: header.producer_epoch,
                current_epoch: producer.epoch,
            });
        }
        if header.is_control() {
            return Ok(Verdict::Append);
        }
        if header.producer_epoch > producer.epoch {
            return in_sequence(header, 0);
        }
        if let Some(same) = producer.batches.iter().find(|batch| {
            batch.base_sequence == header.base_sequence && batch.last_sequence == header.last_sequence()
        }) {
            let CachedBatch { base_offset, end_offset, append_time_ms, .. } = *same;
            return Ok(Verdict::Duplicate { base_offset, end_offset, append_time_ms });
        }
        let expected = producer.batches.back().map_or(0, |newest| sequence_after(newest.last_sequence));
        in_sequence(header, expected)
    }

    /// Takes in a batch of the log, stamped with its offset. Batches come in the order of the log; one that was recorded already
    /// (a journal frame replayed over a checkpoint) changes nothing. `now_ms` is the wall clock, for expiry: a rebuilt state
    /// lives longer, never shorter.
    pub(super) fn record(&mut self, header: &BatchHeader, now_ms: i64) {
        if header.producer_id < 0 {
            return;
        }
        let base_offset = Offset(header.base_offset);
        let end_offset = Offset(header.next_offset());
        let producer = self.by_id.entry(header.producer_id).or_insert_with(|| Producer {
            epoch: header.producer_epoch,
            batches: VecDeque::new(),
            end_offset: Offset::ZERO,
            transaction_start: None,
            recorded_ms: now_ms,
        });
        if base_offset < producer.end_offset || header.producer_epoch < producer.epoch {
            return;
        }
        if header.producer_epoch > producer.epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        producer.end_offset = end_offset;
        producer.recorded_ms = now_ms;
        if header.is_control() {
            producer.transaction_start = None;
            return;
        }
        if header.is_transactional() {
            producer.transaction_start.get_or_insert(base_offset);
        }
        if header.base_sequence < 0 {
            return;
        }
        if producer.batches.len() == BATCHES_MAX {
            producer.batches.pop_front();
        }
        let stamped = header.timestamp_type() == TimestampType::LogAppend;
        producer.batches.push_back(CachedBatch {
            base_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset,
            end_offset,
            append_time_ms: stamped.then_some(header.max_timestamp_ms),
        });
    }

    /// Forgets the producers that recorded nothing for `expiry_ms` and have no open transaction. Says how many.
    pub(super) fn expire(&mut self, now_ms: i64, expiry_ms: i64) -> usize {
        let before = self.by_id.len();
        self.by_id.retain(|_, producer| {
            producer.transaction_start.is_some() || now_ms.saturating_sub(producer.recorded_ms) <= expiry_ms
        });
        let forgotten = before - self.by_id.len();
        self.any_expired |= forgotten > 0;
        forgotten
    }

    /// Whether any of this comes from batches at or behind `end`: a truncation there then needs a rebuild from a snapshot and the
    /// batches that stay.
    pub(super) fn reaches_beyond(&self, end: Offset) -> bool {
        self.by_id.values().any(|producer| producer.end_offset > end)
    }

    /// Those that are known, by rising id.
    pub(super) fn facts(&self) -> Vec<ProducerFacts> {
        let facts = |(producer_id, producer): (&i64, &Producer)| ProducerFacts {
            producer_id: *producer_id,
            epoch: producer.epoch,
            last_sequence: producer.batches.back().map(|newest| newest.last_sequence),
            recorded_ms: producer.recorded_ms,
            transaction_start: producer.transaction_start,
        };
        self.by_id.iter().map(facts).collect()
    }

    /// Whether this producer is known, and not forgotten.
    pub(super) fn know(&self, producer_id: i64) -> bool {
        self.by_id.contains_key(&producer_id)
    }

    /// Where the oldest open transaction begins.
    pub(super) fn first_open_transaction(&self) -> Option<Offset> {
        self.by_id.values().filter_map(|producer| producer.transaction_start).min()
    }

    /// Producers known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether no producer is known and none was forgotten: there is nothing to persist.
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && !self.any_expired
    }
}

/// After 2³¹−1 comes 0.
fn sequence_after(sequence: i32) -> i32 {
    sequence.checked_add(1).unwrap_or(0)
}

fn in_sequence(header: &BatchHeader, expected: i32) -> Result<Verdict, AppendError> {
    if header.base_sequence == expected {
        return Ok(Verdict::Append);
    }
    Err(AppendError::OutOfOrderSequence {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        sequence: header.base_sequence,
        expected,
    })
}

#[cfg(test)]
mod tests;
