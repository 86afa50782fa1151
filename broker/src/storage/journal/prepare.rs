//! Growing the ring: the next file's zeros are written in the background, in bounded pieces. No space is a refusal, which
//! gives the space back and changes nothing else; any other error fences the directory.

use super::{file::Unfinished, ring::Ring, shared::Shared};
use crate::{
    disk::{DiskError, DiskErrorKind, DiskResult},
    storage::StoreFailure,
};

/// Zeros of one call.
const PIECE_BYTES: u64 = 4 << 20;
/// Free files that are kept ready: one for the next lap, one for control frames and the next start.
const FREE_FILES: usize = 2;

/// The file in the making.
pub(super) struct Preparation {
    pub(super) unfinished: Option<Unfinished>,
    /// Of the next file.
    pub(super) next_number: u32,
    /// The size of the last file made; the next one is twice as large.
    pub(super) last_bytes: u64,
}

impl Shared {
    /// Whether the ring should grow and may.
    pub(super) fn is_prepare_wanted(&self, ring: &Ring) -> bool {
        let may_grow =
            ring.sizes().0.saturating_add(self.options.file_bytes_first.min(self.ring_bytes_max / 4))
                <= self.ring_bytes_max;
        ring.needed_bytes().is_some() || (ring.free_count() < FREE_FILES && may_grow)
    }

    /// One piece of work; `true` if more is to do.
    pub(super) fn prepare(&self) -> Result<bool, StoreFailure> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        let mut preparation = self.preparation.lock();
        match self.prepare_piece(&mut preparation) {
            Ok(more) => Ok(more),
            Err(error) if error.kind == DiskErrorKind::NoSpace => {
                let number =
                    preparation.unfinished.take().map_or(preparation.next_number, |file| file.number());
                Unfinished::give_up(&*self.disk, &self.directory, number);
                tracing::debug!(%error, "the journal's ring cannot grow");
                Ok(false)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    fn prepare_piece(&self, preparation: &mut Preparation) -> DiskResult<bool> {
        let Some(unfinished) = preparation.unfinished.as_mut() else {
            let Some(bytes) = self.next_file_bytes(preparation.last_bytes) else { return Ok(false) };
            let created = Unfinished::create(&*self.disk, &self.directory, preparation.next_number, bytes);
            // Nothing was written yet: whatever hinders the creation of a file is a refusal.
            preparation.unfinished =
                Some(created.map_err(|error| DiskError { kind: DiskErrorKind::NoSpace, ..error })?);
            return Ok(true);
        };
        if unfinished.write_zeros(PIECE_BYTES)? {
            return Ok(true);
        }
        let Some(unfinished) = preparation.unfinished.take() else { return Ok(false) };
        let (number, bytes) = (unfinished.number(), unfinished.bytes());
        let file = unfinished.finish(&*self.disk, &self.directory)?;
        preparation.next_number = number + 1;
        preparation.last_bytes = bytes;
        let mut ring = self.ring.lock();
        ring.add(file);
        self.unblock(&ring);
        Ok(self.is_prepare_wanted(&ring))
    }

    /// The size of the next file; `None` when none is wanted.
    fn next_file_bytes(&self, last_bytes: u64) -> Option<u64> {
        let ring = self.ring.lock();
        if !self.is_prepare_wanted(&ring) {
            return None;
        }
        let left = self.ring_bytes_max.saturating_sub(ring.sizes().0);
        let doubled = last_bytes.saturating_mul(2).min(self.options.file_bytes_max).min(left);
        // What waits and fits no file may exceed the ring's bound: it was let in and must get a place.
        let needed = ring.needed_bytes().map_or(0, |needed| needed + extra_bytes(needed));
        Some(doubled.max(needed))
    }
}

/// A file's head and the control frames' end, generously: what [`super::kept_bytes`] says of a file so large, and some blocks.
fn extra_bytes(needed: u64) -> u64 {
    (needed / 3).clamp(16 << 10, 2 << 20) + (64 << 10)
}
