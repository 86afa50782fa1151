//! Which leader epoch began at which offset (KIP-101): what truncation is decided by. Epochs and start offsets strictly
//! increase (I17).

use super::decode::{Cursor, DecodeError, count_of};
use crate::ids::{LeaderEpoch, Offset};

/// Bytes of one entry as persisted.
const ENTRY_BYTES: usize = 12;

/// A leader epoch and the first offset that may carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EpochStart {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The log's end when it began.
    pub start: Offset,
}

/// The epochs of one log, oldest first. An empty one holds no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EpochCache {
    entries: Vec<EpochStart>,
}

impl EpochCache {
    /// Notes that `epoch` begins at `start`. Entries at the tail with the same or a higher epoch, or beginning at or behind
    /// `start`, were written by a history that is gone: they are dropped. The latest epoch going on is no change. Says
    /// whether anything changed.
    pub(super) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if self.entries.last().is_some_and(|last| last.epoch == epoch && last.start <= start) {
            return false;
        }
        while self.entries.pop_if(|last| last.epoch >= epoch || last.start >= start).is_some() {}
        self.entries.push(EpochStart { epoch, start });
        true
    }

    /// Where the records of the largest epoch that is not above `epoch` end: what a replica whose last epoch is `epoch` shares
    /// with this log at most. The latest epoch ends at `log_end`; an epoch below the first ends where the first begins.
    /// `None` for an epoch above the latest, or when nothing is known.
    pub(super) fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
        log_end: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        let latest = self.entries.last()?;
        if epoch > latest.epoch {
            return None;
        }
        if epoch == latest.epoch {
            return Some((epoch, log_end));
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let end = self.entries.get(above)?.start;
        let found = above.checked_sub(1).and_then(|index| self.entries.get(index));
        Some((found.map_or(epoch, |entry| entry.epoch), end))
    }

    /// The epoch that a record at this offset has. `None` below the first entry.
    pub(super) fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let behind = self.entries.partition_point(|entry| entry.start <= offset);
        behind.checked_sub(1).and_then(|index| self.entries.get(index)).map(|entry| entry.epoch)
    }

    /// The log now ends at `end`: epochs that begin there or later are gone.
    pub(super) fn truncate_from_end(&mut self, end: Offset) {
        while self.entries.pop_if(|last| last.start >= end).is_some() {}
    }

    /// The log now begins at `start`: epochs that end there or before are gone, the one that reaches over it begins there.
    pub(super) fn truncate_from_start(&mut self, start: Offset) {
        let behind = self.entries.partition_point(|entry| entry.start <= start);
        let Some(kept) = behind.checked_sub(1) else { return };
        self.entries.drain(..kept);
        if let Some(first) = self.entries.first_mut() {
            first.start = start;
        }
    }

    /// The newest entry.
    pub(super) fn latest(&self) -> Option<EpochStart> {
        self.entries.last().copied()
    }

    /// All of them, oldest first.
    pub(super) fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// Appends the persisted form: a count, then epoch (i32) and start (i64) of each. No checksum of its own.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&count_of(self.entries.len()));
        for entry in &self.entries {
            out.extend_from_slice(&entry.epoch.get().to_le_bytes());
            out.extend_from_slice(&entry.start.get().to_le_bytes());
        }
    }

    /// Takes the persisted form off the front of some bytes.
    ///
    /// # Errors
    /// They end early, or epochs or starts are negative or do not increase.
    pub(super) fn decode(bytes: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let count = bytes.count(ENTRY_BYTES)?;
        let mut entries: Vec<EpochStart> = Vec::with_capacity(count);
        for _ in 0..count {
            let before = *bytes;
            let entry = EpochStart { epoch: LeaderEpoch(bytes.i32()?), start: Offset(bytes.i64()?) };
            if entry.epoch.get() < 0 || entry.start.get() < 0 {
                return Err(before.error("a leader epoch or its start is negative"));
            }
            if entries.last().is_some_and(|last| last.epoch >= entry.epoch || last.start >= entry.start) {
                return Err(before.error("leader epochs or their starts do not increase"));
            }
            entries.push(entry);
        }
        Ok(Self { entries })
    }
}

#[cfg(test)]
mod tests;
