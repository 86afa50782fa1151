//! The newest offset of each key, in memory of a fixed size. A key is known by 128 bits of a keyed hash (two of SipHash-1-3
//! under keys made at random for each map): that two keys are ever taken for one is out of the question, by chance or by
//! intent.

use crate::ids::Offset;
use std::hash::{BuildHasher, RandomState};

/// Of 64 bits each.
type Hashes = (u64, u64);

/// No offset is negative.
const FREE: i64 = -1;
/// Slots are filled up to this share, in percent.
const FILLED_MAX_PERCENT: usize = 80;
const SLOTS_MIN: usize = 16;

#[derive(Clone, Copy)]
struct Slot {
    key: Hashes,
    offset: i64,
}

/// Bytes of one slot.
const SLOT_BYTES: usize = size_of::<Slot>();

/// Open addressing, linear probing.
pub(super) struct OffsetMap {
    slots: Vec<Slot>,
    filled: usize,
    filled_max: usize,
    hashers: (RandomState, RandomState),
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    Yes,
    /// It is new, and there is no room for another one.
    Full,
}

impl OffsetMap {
    /// An empty one of at most so many bytes, and no larger than so many records need.
    pub(super) fn new(memory_bytes: usize, records_max: u64) -> Self {
        let records_max = usize::try_from(records_max).unwrap_or(usize::MAX);
        let needed = (records_max / FILLED_MAX_PERCENT + 1).saturating_mul(100);
        let slots = needed.min(memory_bytes / SLOT_BYTES).max(SLOTS_MIN);
        let filled_max = (slots / 100 * FILLED_MAX_PERCENT).max(SLOTS_MIN / 2);
        let free = Slot { key: (0, 0), offset: FREE };
        let hashers = (RandomState::new(), RandomState::new());
        Self { slots: vec![free; slots], filled: 0, filled_max, hashers }
    }

    /// Notes that a record of this key stands at this offset; offsets come in ascending order.
    pub(super) fn note(&mut self, key: &[u8], offset: Offset) -> Noted {
        let hashes = self.hashes(key);
        let is_full = self.filled >= self.filled_max;
        let Some(slot) = self.find(hashes).and_then(|index| self.slots.get_mut(index)) else {
            return Noted::Full;
        };
        if slot.offset == FREE {
            if is_full {
                return Noted::Full;
            }
            slot.key = hashes;
            self.filled += 1;
        }
        slot.offset = slot.offset.max(offset.get());
        Noted::Yes
    }

    /// The newest offset that was noted for this key.
    pub(super) fn newest(&self, key: &[u8]) -> Option<Offset> {
        let slot = self.slots.get(self.find(self.hashes(key))?)?;
        (slot.offset != FREE).then_some(Offset(slot.offset))
    }

    fn hashes(&self, key: &[u8]) -> Hashes {
        (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key))
    }

    /// The slot of this key, or the free one where it belongs.
    fn find(&self, key: Hashes) -> Option<usize> {
        let slots = self.slots.len();
        let first = usize::try_from(key.0 % slots as u64).unwrap_or(0);
        let belongs =
            |index: &usize| self.slots.get(*index).is_some_and(|slot| slot.offset == FREE || slot.key == key);
        (first..slots).chain(0..first).find(belongs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_offset_of_each_key_is_found() {
        let mut map = OffsetMap::new(1 << 20, 10_000);
        for offset in 0..9_000_i64 {
            let key = format!("key {}", offset % 3_000);
            assert_eq!(map.note(key.as_bytes(), Offset(offset)), Noted::Yes);
        }
        for number in 0..3_000_i64 {
            let key = format!("key {number}");
            assert_eq!(map.newest(key.as_bytes()), Some(Offset(6_000 + number)));
        }
        assert_eq!(map.newest(b"key 3000"), None);
        assert_eq!(map.newest(b""), None);
    }

    #[test]
    fn a_full_map_knows_its_keys_and_takes_no_other() {
        let mut map = OffsetMap::new(100 * SLOT_BYTES, u64::MAX);
        let taken = (0..1_000_i64)
            .take_while(|number| map.note(&number.to_be_bytes(), Offset(*number)) == Noted::Yes);
        assert_eq!(taken.count(), 80);
        assert_eq!(map.note(&7_i64.to_be_bytes(), Offset(500)), Noted::Yes);
        assert_eq!(map.newest(&7_i64.to_be_bytes()), Some(Offset(500)));
        assert_eq!(map.newest(&80_i64.to_be_bytes()), None);
        assert!(map.slots.len() * SLOT_BYTES <= 100 * SLOT_BYTES, "no more memory than given");
    }

    #[test]
    fn a_small_log_needs_little_memory() {
        assert!(OffsetMap::new(1 << 30, 50).slots.len() < 300);
        let mut map = OffsetMap::new(0, 50);
        assert_eq!(map.note(b"k", Offset(3)), Noted::Yes, "there is always room for some keys");
    }
}
