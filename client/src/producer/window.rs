//! The batches of one partition that have a sequence and no answer yet, at most five. Pure: events in, what may be sent
//! out.
//!
//! What always holds:
//! * Batches are sent in the order of their sequences, and one is repeated only when nothing behind it is on its way:
//!   then its successors, which the broker must have refused, follow it again in order.
//! * From the oldest unanswered batch on at most five were sent, answered or not: what a broker remembers.
//! * A sequence is used once: by one batch, whose bytes do not change between attempts.
//! * A batch that may have been appended is never sent under another producer id or sequence. When a gap in the
//!   sequences is left behind (a batch given up or refused), the window asks for a new identity, fails what is ambiguous,
//!   and numbers the rest anew from 0, once nothing is on its way any more (KIP-360).

use std::collections::VecDeque;

/// As whom a partition's batches are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// Counts identities of one producer, so that a used-up one is told from its successor.
    pub(crate) generation: u64,
}

/// The sequence behind `count` records that begin at `sequence`: after 2³¹ − 1 comes 0.
pub(crate) fn sequence_after(sequence: i32, count: i32) -> i32 {
    let sum = i64::from(sequence) + i64::from(count);
    let wrapped = if sum > i64::from(i32::MAX) { sum - i64::from(i32::MAX) - 1 } else { sum };
    i32::try_from(wrapped).unwrap_or(0)
}

/// One batch of the window.
#[derive(Debug)]
pub(crate) struct Entry<B> {
    pub(crate) batch: B,
    /// Of its first record; -1 without idempotence.
    pub(crate) sequence: i32,
    records: i32,
    /// Counts the window's batches.
    ordinal: u64,
    /// The request that is on its way.
    sent: Option<u64>,
    /// Whether an earlier attempt may have appended it.
    pub(crate) ambiguous: bool,
}

impl<B> Entry<B> {
    /// Whether it may be in the log, now that no answer will be waited for.
    pub(crate) fn may_be_appended(&self) -> bool {
        self.ambiguous || self.sent.is_some()
    }
}

/// What an out-of-order answer means for the batch it names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OutOfOrder {
    /// A predecessor has to be repeated first; the batch will be sent again behind it.
    Repeat,
    /// It was first in line: the broker does not know this producer's sequences any more.
    Forgotten,
    /// No such request.
    Stale,
}

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct Window<B> {
    entries: VecDeque<Entry<B>>,
    next_ordinal: u64,
    batches_max: u64,
    /// `None` without idempotence.
    identity: Option<Identity>,
    next_sequence: i32,
    /// There is a gap in the sequences: nothing is sent under this identity any more.
    renewal: bool,
}

impl<B> Window<B> {
    pub(crate) fn new(batches_max: u64, identity: Option<Identity>) -> Self {
        Self {
            entries: VecDeque::new(),
            next_ordinal: 0,
            batches_max,
            identity,
            next_sequence: 0,
            renewal: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry<B>> {
        self.entries.iter()
    }

    /// The first batch of which this is true.
    pub(crate) fn find(&mut self, is_it: impl Fn(&B) -> bool) -> Option<&mut B> {
        self.entries.iter_mut().map(|entry| &mut entry.batch).find(|batch| is_it(batch))
    }

    /// Whether a batch more may join. Not while another waits to be repeated: it could not be sent anyway, and may yet
    /// grow. The oldest batch counts with all that followed it, answered or not: a broker remembers that many, so that
    /// it still recognises the oldest one when that is repeated.
    pub(crate) fn has_room(&self) -> bool {
        let oldest = self.entries.front().map_or(self.next_ordinal, |entry| entry.ordinal);
        !self.renewal
            && self.next_ordinal - oldest < self.batches_max
            && self.entries.iter().all(|entry| entry.sent.is_some())
    }

    /// Whether any batch is on its way.
    pub(crate) fn is_sending(&self) -> bool {
        self.entries.iter().any(|entry| entry.sent.is_some())
    }

    /// Whether a new identity is needed before anything more is sent.
    pub(crate) fn needs_renewal(&self) -> bool {
        self.renewal
    }

    /// Gives a batch of `records` records the next sequence and returns that; -1 without idempotence.
    pub(crate) fn admit(&mut self, batch: B, records: i32) -> i32 {
        assert!(self.has_room(), "a batch joins a window only where there is room");
        let sequence = if self.identity.is_some() { self.next_sequence } else { -1 };
        self.next_sequence = sequence_after(self.next_sequence, records);
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        self.entries.push_back(Entry { batch, sequence, records, ordinal, sent: None, ambiguous: false });
        sequence
    }

    /// The batch to send next, if one may be sent now.
    pub(crate) fn next_to_send(&mut self) -> Option<&mut Entry<B>> {
        if self.renewal {
            return None;
        }
        let first = self.entries.iter().position(|entry| entry.sent.is_none())?;
        if self.entries.iter().skip(first).any(|entry| entry.sent.is_some()) {
            return None;
        }
        self.entries.get_mut(first)
    }

    /// Notes that [`next_to_send`](Self::next_to_send)'s batch goes out as `request`.
    pub(crate) fn sent(&mut self, request: u64) {
        let entry = self.next_to_send();
        assert!(entry.is_some(), "only the next batch is sent");
        if let Some(entry) = entry {
            entry.sent = Some(request);
        }
    }

    fn position(&self, request: u64) -> Option<usize> {
        self.entries.iter().position(|entry| entry.sent == Some(request))
    }

    /// It is appended: the batch leaves. `None` for a request that nobody waits for any more.
    pub(crate) fn acknowledged(&mut self, request: u64) -> Option<Entry<B>> {
        let position = self.position(request)?;
        self.entries.remove(position)
    }

    /// It is to be repeated. `ambiguous`: this attempt may have appended it. False for an unknown request.
    pub(crate) fn repeat(&mut self, request: u64, ambiguous: bool) -> bool {
        let Some(position) = self.position(request) else { return false };
        if let Some(entry) = self.entries.get_mut(position) {
            entry.sent = None;
            entry.ambiguous |= ambiguous;
        }
        true
    }

    /// The broker expects another sequence.
    pub(crate) fn out_of_order(&mut self, request: u64) -> OutOfOrder {
        match self.position(request) {
            None => OutOfOrder::Stale,
            Some(0) => {
                self.repeat(request, false);
                self.renewal = self.identity.is_some();
                OutOfOrder::Forgotten
            }
            Some(_) => {
                self.repeat(request, false);
                OutOfOrder::Repeat
            }
        }
    }

    /// The broker knows a newer epoch of this producer id. False for an unknown request.
    pub(crate) fn fenced(&mut self, request: u64) -> bool {
        let known = self.repeat(request, false);
        self.renewal |= known && self.identity.is_some();
        known
    }

    /// It will never be appended: the batch leaves.
    pub(crate) fn refused(&mut self, request: u64) -> Option<Entry<B>> {
        let entry = self.acknowledged(request)?;
        self.leave_gap();
        Some(entry)
    }

    /// All batches that `give_up` says yes to leave; whether they were appended, nobody will know.
    pub(crate) fn give_up(&mut self, mut give_up: impl FnMut(&Entry<B>) -> bool) -> Vec<Entry<B>> {
        let mut left = Vec::new();
        let mut kept = VecDeque::with_capacity(self.entries.len());
        for entry in self.entries.drain(..) {
            if give_up(&entry) {
                left.push(entry);
            } else {
                kept.push_back(entry);
            }
        }
        self.entries = kept;
        if !left.is_empty() {
            self.leave_gap();
        }
        left
    }

    /// The connection is lost with everything on its way: whether it was appended, a repetition will show.
    pub(crate) fn disconnected(&mut self) {
        for entry in &mut self.entries {
            entry.ambiguous |= entry.sent.take().is_some();
        }
    }

    fn leave_gap(&mut self) {
        self.renewal |= self.identity.is_some();
    }

    /// Takes a new identity, if one is needed and nothing is on its way: what is ambiguous leaves (returned), the rest
    /// gets sequences from 0. `None` where it is too early, or the identity is the old one.
    pub(crate) fn renew(&mut self, identity: Identity) -> Option<Vec<Entry<B>>> {
        let newer = self.identity.is_some_and(|old| identity.generation > old.generation);
        if !self.renewal || self.is_sending() || !newer {
            return None;
        }
        let ambiguous = self.give_up(|entry| entry.ambiguous);
        self.identity = Some(identity);
        self.renewal = false;
        self.next_sequence = 0;
        for entry in &mut self.entries {
            entry.sequence = self.next_sequence;
            self.next_sequence = sequence_after(self.next_sequence, entry.records);
        }
        Some(ambiguous)
    }
}

#[cfg(test)]
mod tests;
