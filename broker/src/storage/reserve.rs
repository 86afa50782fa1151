//! Space kept back: on a full disk a checkpoint, a truncation or a start gives it up, tries once more, and takes back what is
//! left of it in the same breath. So the space that one of them needs for a moment is there for the next one too, and any
//! number of starts in a row find it.
//!
//! What always holds: while the reserve is not whole, no space is given to what grows by itself (appends, the journal's
//! ring): whatever space returns goes to the reserve first.

use super::layout::RESERVE_FILE;
use crate::disk::{Caching, DiskError, DiskErrorKind, DiskFile, DiskResult, OpenMode, SharedDisk};
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// A smaller piece is not worth a call.
const PIECE_BYTES_MIN: u64 = 4096;

/// The reserve of one store.
pub(super) struct Reserve {
    disk: SharedDisk,
    file: PathBuf,
    bytes: u64,
    /// Bytes of the file; `None`: there never was one. Locked while the space is lent, so that one at a time has it.
    held: Mutex<Option<u64>>,
    /// Nothing is missing: the file is whole, or there never was room to make it.
    is_whole: AtomicBool,
}

impl Reserve {
    /// Looks how much of it is there.
    pub(super) fn find(disk: &SharedDisk, store: &Path, bytes: u64) -> DiskResult<Self> {
        let file = store.join(RESERVE_FILE);
        let held = match disk.exists(&file)? {
            true => Some(disk.open(&file, OpenMode::ReadWrite, Caching::Buffered)?.len()?),
            false => None,
        };
        let is_whole = AtomicBool::new(held.is_none_or(|held| held >= bytes));
        Ok(Self { disk: disk.clone(), file, bytes, held: Mutex::new(held), is_whole })
    }

    /// Whether all of it is there.
    pub(super) fn is_present(&self) -> bool {
        self.held.lock().is_some_and(|held| held >= self.bytes)
    }

    /// Runs something that needs space; on a full disk once more without the reserve. Not to be called within itself.
    pub(super) fn with_space<T>(&self, mut run: impl FnMut() -> DiskResult<T>) -> DiskResult<T> {
        match run() {
            Err(error) if error.kind == DiskErrorKind::NoSpace => {
                let mut held = self.held.lock();
                if !self.give_up(&mut held)? {
                    return Err(error);
                }
                tracing::warn!(%error, "the disk is full: the reserve is given up");
                let outcome = run();
                if let Err(error) = self.take_back(&mut held) {
                    tracing::warn!(%error, "the reserve could not be taken back");
                }
                outcome
            }
            other => other,
        }
    }

    /// Before something that grows by itself takes space: whether it may. A reserve that is not whole comes first.
    ///
    /// # Errors
    /// The disk's, other than no space.
    pub(super) fn leaves_space(&self) -> DiskResult<bool> {
        if self.is_whole.load(Ordering::Acquire) {
            return Ok(true);
        }
        // While it is lent, the space is spoken for.
        let Some(mut held) = self.held.try_lock() else { return Ok(false) };
        let missing = self.bytes.saturating_sub(held.unwrap_or(self.bytes));
        if self.disk.free_bytes(self.directory())? >= missing {
            self.take_back(&mut held)?;
        }
        Ok(self.is_whole.load(Ordering::Acquire))
    }

    /// Takes the space again as far as there is some; makes the file when there is room for it twice over. A refusal is no
    /// error.
    pub(super) fn restore(&self) -> DiskResult<()> {
        let Some(mut held) = self.held.try_lock() else { return Ok(()) };
        if held.is_some() {
            return self.take_back(&mut held);
        }
        if self.bytes == 0 || self.disk.free_bytes(self.directory())? < self.bytes.saturating_mul(2) {
            return Ok(());
        }
        *held = Some(0);
        self.take_back(&mut held)
    }

    fn directory(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }

    fn emptied(&self) -> DiskResult<Arc<dyn DiskFile>> {
        self.disk.open(&self.file, OpenMode::CreateOrTruncate, Caching::Buffered)
    }

    /// Frees the space; `false` if there was none. The file stays, empty: it says that the space is missing.
    fn give_up(&self, held: &mut Option<u64>) -> DiskResult<bool> {
        if held.is_none_or(|held| held == 0) {
            return Ok(false);
        }
        self.emptied()?;
        *held = Some(0);
        self.is_whole.store(false, Ordering::Release);
        Ok(true)
    }

    fn take_back(&self, held: &mut Option<u64>) -> DiskResult<()> {
        if held.is_none_or(|held| held >= self.bytes) {
            return Ok(());
        }
        let file = match self.disk.open(&self.file, OpenMode::ReadWrite, Caching::Buffered) {
            // Somebody removed it for its space.
            Err(error) if error.kind == DiskErrorKind::NotFound => {
                *held = Some(0);
                self.emptied()
            }
            other => other,
        };
        match no_space_is_fine(file.map(Some))? {
            Some(file) => self.extend(held, &*file),
            None => Ok(()),
        }
    }

    /// All that is missing, or the largest part of it that the disk gives.
    fn extend(&self, held: &mut Option<u64>, file: &dyn DiskFile) -> DiskResult<()> {
        let from = held.unwrap_or(0);
        let free = self.disk.free_bytes(self.directory())?;
        let missing = self.bytes.saturating_sub(from);
        let mut piece = if free >= missing { missing } else { free - free % PIECE_BYTES_MIN };
        while piece >= PIECE_BYTES_MIN.min(missing) && piece > 0 {
            if no_space_is_fine(file.allocate(from, piece).map(Some))?.is_some() {
                *held = Some(from + piece);
                break;
            }
            piece = piece / 2 - piece / 2 % PIECE_BYTES_MIN;
        }
        self.is_whole.store(held.is_some_and(|held| held >= self.bytes), Ordering::Release);
        Ok(())
    }
}

fn no_space_is_fine<T>(result: DiskResult<Option<T>>) -> DiskResult<Option<T>> {
    match result {
        Err(DiskError { kind: DiskErrorKind::NoSpace, .. }) => Ok(None),
        other => other,
    }
}
