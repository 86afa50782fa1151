//! Space kept back: on a full disk a checkpoint, a truncation or a start gives it up and tries once more. It is taken
//! again when there is room for it twice over.

use super::{OpenError, layout::RESERVE_FILE};
use crate::disk::{Caching, DiskErrorKind, DiskResult, OpenMode, SharedDisk};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};

/// The reserve of one store.
pub(super) struct Reserve {
    disk: SharedDisk,
    file: PathBuf,
    bytes: u64,
    present: Mutex<bool>,
}

impl Reserve {
    /// Looks whether it is there.
    pub(super) fn find(disk: &SharedDisk, store: &Path, bytes: u64) -> DiskResult<Self> {
        let file = store.join(RESERVE_FILE);
        let present = Mutex::new(disk.exists(&file)?);
        Ok(Self { disk: disk.clone(), file, bytes, present })
    }

    /// Whether it is there.
    pub(super) fn is_present(&self) -> bool {
        *self.present.lock()
    }

    /// Runs something that needs space; on a full disk once more without the reserve.
    pub(super) fn with_space<T>(&self, mut run: impl FnMut() -> DiskResult<T>) -> DiskResult<T> {
        match run() {
            Err(error) if error.kind == DiskErrorKind::NoSpace && self.give_up()? => {
                tracing::warn!(%error, "the disk is full: the reserve is given up");
                run()
            }
            other => other,
        }
    }

    /// The same for an opening.
    pub(super) fn with_space_to_open<T>(
        &self,
        mut run: impl FnMut() -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        match run() {
            Err(OpenError::Disk(error)) if error.kind == DiskErrorKind::NoSpace && self.give_up()? => {
                tracing::warn!(%error, "the disk is full: the reserve is given up");
                run()
            }
            other => other,
        }
    }

    /// Frees the space; `false` if there was none.
    fn give_up(&self) -> DiskResult<bool> {
        let mut present = self.present.lock();
        if !*present {
            return Ok(false);
        }
        self.disk.remove_file(&self.file)?;
        *present = false;
        Ok(true)
    }

    /// Takes the space again if there is plenty. A refusal is no error.
    pub(super) fn restore(&self) -> DiskResult<()> {
        let mut present = self.present.lock();
        let directory = self.file.parent().unwrap_or(Path::new("."));
        if *present || self.bytes == 0 || self.disk.free_bytes(directory)? < self.bytes.saturating_mul(2) {
            return Ok(());
        }
        let made = self
            .disk
            .open(&self.file, OpenMode::CreateOrTruncate, Caching::Buffered)
            .and_then(|file| file.allocate(0, self.bytes));
        match made {
            Ok(()) => *present = true,
            Err(error) if error.kind == DiskErrorKind::NoSpace => {
                tracing::debug!(%error, "no space for the reserve yet");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
