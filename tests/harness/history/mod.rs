//! What clients sent and saw, as plain values, so that a pure checker can say afterwards what was not allowed to happen.
//!
//! Every send has one of three outcomes; a send that nobody answered is *unknown*: it may be in the log or not, but not
//! twice and not at the wrong place. Every record is known by who sent it and its number among that producer's sends,
//! and by a digest of all its bytes: both stand in its value, so that a reader needs no table.

mod anomaly;
mod checker;
mod record;
#[cfg(test)]
mod tests;

pub use anomaly::Anomaly;
pub use checker::check;
pub use record::{RecordId, digest, identify, value_of};

use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, at this place.
    Acknowledged {
        /// The partition.
        partition: u32,
        /// The offset.
        offset: i64,
    },
    /// Certainly not in the log.
    Failed,
    /// Nobody knows.
    Unknown,
}

/// One record handed to a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Who sent it, and its number among that producer's sends.
    pub id: RecordId,
    /// The partition that was asked for; `None` where the key decides.
    pub partition: Option<u32>,
    /// Of its key and value.
    pub digest: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// One record given out by a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: i64,
    /// Who sent it, by its own account; `None` if its bytes are not those of any producer of ours.
    pub id: Option<RecordId>,
    /// Of its key and value.
    pub digest: u64,
}

/// What a consumer saw of all its partitions, in order.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The records in the order in which they were given out.
    pub seen: Vec<Seen>,
    /// By partition: the offset up to which the consumer has read, exclusive. What it reached counts as looked at.
    pub read_to: HashMap<u32, i64>,
}

/// Everything that was recorded.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every send, in the order of its producer.
    pub sends: Vec<Send>,
    /// One entry a consumer.
    pub readings: Vec<Reading>,
}

/// Records sends while they happen. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    history: Arc<Mutex<History>>,
}

/// A send whose outcome is to be told.
#[derive(Clone, Copy, Debug)]
#[must_use = "a send without an outcome stays unknown"]
pub struct SendHandle(usize);

impl Recorder {
    /// Notes a send just before it happens; until its outcome is told it is unknown.
    pub fn sending(&self, id: RecordId, partition: Option<u32>, digest: u64) -> SendHandle {
        let mut history = self.history.lock();
        history.sends.push(Send { id, partition, digest, outcome: Outcome::Unknown });
        SendHandle(history.sends.len() - 1)
    }

    /// Tells what became of it.
    ///
    /// # Panics
    /// The handle is another recorder's.
    pub fn resolved(&self, send: SendHandle, outcome: Outcome) {
        let mut history = self.history.lock();
        let send = history.sends.get_mut(send.0);
        assert!(send.is_some(), "a handle belongs to its recorder");
        if let Some(send) = send {
            send.outcome = outcome;
        }
    }

    /// Adds what one consumer saw.
    pub fn read(&self, reading: Reading) {
        self.history.lock().readings.push(reading);
    }

    /// How many sends are acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        let acknowledged = |send: &&Send| matches!(send.outcome, Outcome::Acknowledged { .. });
        self.history.lock().sends.iter().filter(acknowledged).count()
    }

    /// All of it.
    pub fn history(&self) -> History {
        self.history.lock().clone()
    }
}
