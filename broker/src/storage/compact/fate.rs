//! What becomes of one batch: pure. Whatever is not sure to be superseded stays.

use super::offset_map::OffsetMap;
use crate::ids::Offset;
use cairn_proto::record::{Batch, BatchError, DecompressLimit, KeyedRecord, Retained};

/// A stored batch that decompresses to more is damaged: what a producer may send is far smaller.
pub(super) const DECOMPRESSED: DecompressLimit = DecompressLimit { bytes_max: 256 << 20 };

/// What one round knows.
pub(super) struct Round {
    /// The newest offset of each key from the uncompacted part, up to `known_to`.
    pub(super) newest: OffsetMap,
    /// The first offset that the map does not know.
    pub(super) known_to: Offset,
    /// The wall clock, if it is to be trusted.
    pub(super) now_ms: Option<i64>,
    /// How long a record without a value stays from now on, where none has been found to stay yet.
    pub(super) delete_retention_ms: i64,
    /// Something in front was not looked into, and may hold what a record without a value deletes: they all stay.
    pub(super) keeps_tombstones: bool,
}

impl Round {
    /// Whether a batch's records may be dropped, and may supersede others. Control records belong to a transaction, and of a
    /// transaction's records nobody here knows whether they count.
    pub(super) fn looks_into(batch: &Batch) -> bool {
        !batch.header().is_control() && !batch.header().is_transactional()
    }

    /// What is left of a batch.
    ///
    /// # Errors
    /// Its records cannot be read although its checksum is right.
    pub(super) fn fate(&self, batch: &Batch) -> Result<Retained, BatchError> {
        let header = batch.header();
        if !Self::looks_into(batch) || header.base_offset >= self.known_to.get() {
            return Ok(Retained::Whole);
        }
        let is_past = |now_ms: i64| header.has_delete_horizon() && header.base_timestamp_ms <= now_ms;
        let drops_tombstones = !self.keeps_tombstones && self.now_ms.is_some_and(is_past);
        // Only once everything that they delete goes in this round.
        let is_known = header.next_offset() <= self.known_to.get() && !self.keeps_tombstones;
        let horizon_ms = self.now_ms.filter(|_| is_known);
        let horizon_ms = horizon_ms.map(|now_ms| now_ms.saturating_add(self.delete_retention_ms));
        batch.retain(DECOMPRESSED, horizon_ms, |record| self.stays(record, drops_tombstones))
    }

    fn stays(&self, record: KeyedRecord<'_>, drops_tombstones: bool) -> bool {
        // From before the topic was compacted: nothing supersedes it.
        let Some(key) = record.key else { return true };
        let is_superseded = self.newest.newest(key).is_some_and(|newest| newest.get() > record.offset);
        let is_obeyed = record.is_tombstone && drops_tombstones;
        !(is_superseded || is_obeyed)
    }
}

#[cfg(test)]
mod tests;
