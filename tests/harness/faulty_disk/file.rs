//! The file half of the disk. A handle keeps its inode alive when the last name is gone, as on a real one.

use super::{Call, FaultyDisk, Operation, PAGE_BYTES, Shared, State, error, failed};
use bytes::Bytes;
use cairn_broker::disk::{Caching, DiskErrorKind, DiskFile, DiskResult, check_alignment};
use rand::Rng;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// An open file.
pub(super) struct FaultyFile {
    disk: FaultyDisk,
    inode: u64,
    path: PathBuf,
    writable: bool,
    caching: Caching,
}

impl FaultyFile {
    pub(super) fn new(disk: FaultyDisk, inode: u64, path: &Path, writable: bool, caching: Caching) -> Self {
        Self { disk, inode, path: path.to_path_buf(), writable, caching }
    }

    /// Runs one call on the file; `on_fault` is what a failed one leaves behind.
    fn on_file<T>(
        &self,
        operation: Operation,
        on_fault: impl FnOnce(&mut State),
        effect: impl FnOnce(&mut State) -> DiskResult<T>,
    ) -> DiskResult<T> {
        if operation.changes() && !self.writable && operation != Operation::SyncData {
            return Err(failed(operation.verb(), &self.path, "it is open for reading only"));
        }
        let mut state = self.disk.0.state.lock();
        let number = match Shared::begin(&mut state, operation, &self.path) {
            Ok(number) => number,
            Err(error) => {
                on_fault(&mut state);
                return Err(error);
            }
        };
        let call = Call { number, operation, path: &self.path };
        if operation.is_sync() {
            drop(state);
            self.disk.observe(&call);
            return effect(&mut self.disk.0.state.lock());
        }
        let result = effect(&mut state);
        drop(state);
        if operation.changes() {
            self.disk.observe(&call);
        }
        result
    }

    fn look<T>(
        &self,
        operation: Operation,
        answer: impl FnOnce(&mut State) -> DiskResult<T>,
    ) -> DiskResult<T> {
        self.on_file(operation, |_| {}, answer)
    }

    fn refuse_direct(&self) -> DiskResult<()> {
        match self.caching {
            Caching::Buffered => Ok(()),
            Caching::Direct => Err(failed("map", &self.path, "it is open for direct access")),
        }
    }

    fn within(&self, state: &mut State, position: u64, length: usize) -> DiskResult<()> {
        let end = position.saturating_add(length as u64);
        if end <= state.inode(self.inode).length() {
            return Ok(());
        }
        Err(failed("read", &self.path, "the range lies beyond the file's end"))
    }

    fn refuse_full(&self, state: &State, operation: Operation, more_bytes: u64) -> DiskResult<()> {
        if more_bytes == 0 || state.has_room(more_bytes) {
            return Ok(());
        }
        Err(error(DiskErrorKind::NoSpace, operation.verb(), &self.path, "the disk is full"))
    }
}

impl DiskFile for FaultyFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> DiskResult<u64> {
        self.look(Operation::Look, |state| Ok(state.inode(self.inode).length()))
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        if self.caching == Caching::Direct {
            check_alignment("read", &self.path, PAGE_BYTES, position, buffer)?;
        }
        self.look(Operation::Read, |state| Ok(state.inode(self.inode).read(position, buffer)))
    }

    fn write_at(&self, position: u64, parts: &[&[u8]]) -> DiskResult<()> {
        if self.caching == Caching::Direct {
            for part in parts {
                check_alignment("write", &self.path, PAGE_BYTES, position, part)?;
            }
        }
        let joined;
        let bytes: &[u8] = match parts {
            [one] => one,
            _ => {
                joined = parts.concat();
                &joined
            }
        };
        let partly = |state: &mut State| {
            let mut random = state.random.clone();
            state.inode(self.inode).write(position, bytes, || random.random_bool(0.5));
            state.random = random;
        };
        self.on_file(Operation::Write, partly, |state| {
            let missing = state.inode(self.inode).missing_bytes(position, bytes.len() as u64);
            self.refuse_full(state, Operation::Write, missing)?;
            state.inode(self.inode).write(position, bytes, || true);
            Ok(())
        })
    }

    fn allocate(&self, position: u64, length: u64) -> DiskResult<()> {
        if length == 0 {
            return Ok(());
        }
        self.look(Operation::Allocate, |state| {
            let missing = state.inode(self.inode).missing_bytes(position, length);
            self.refuse_full(state, Operation::Allocate, missing)?;
            state.inode(self.inode).allocate(position, length);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> DiskResult<()> {
        self.look(Operation::SetLen, |state| {
            state.inode(self.inode).set_length(length);
            Ok(())
        })
    }

    fn sync_data(&self) -> DiskResult<()> {
        let lose = |state: &mut State| {
            let mut random = state.random.clone();
            state.inode(self.inode).lose_unsynced(|| random.random_bool(0.5));
            state.random = random;
        };
        self.on_file(Operation::SyncData, lose, |state| {
            state.inode(self.inode).sync();
            Ok(())
        })
    }

    fn start_writeback(&self, _position: u64, _length: u64) -> DiskResult<()> {
        Ok(())
    }

    fn block_bytes(&self) -> usize {
        PAGE_BYTES
    }

    fn slice(&self, position: u64, length: usize) -> DiskResult<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.refuse_direct()?;
        self.look(Operation::Read, |state| {
            self.within(state, position, length)?;
            let inode = state.inode(self.inode);
            let mut bytes = vec![0; length];
            inode.read(position, &mut bytes);
            let alive = inode.publish(position, length);
            Ok(Bytes::from_owner(Published { bytes, _alive: alive }))
        })
    }

    fn is_resident(&self, position: u64, length: usize) -> DiskResult<bool> {
        self.refuse_direct()?;
        self.look(Operation::Look, |state| {
            self.within(state, position, length)?;
            Ok(state.inode(self.inode).resident)
        })
    }

    fn prefault(&self, position: u64, length: usize) -> DiskResult<()> {
        self.refuse_direct()?;
        self.look(Operation::Read, |state| {
            self.within(state, position, length)?;
            state.inode(self.inode).resident = true;
            Ok(())
        })
    }
}

impl Drop for FaultyFile {
    fn drop(&mut self) {
        let mut state = self.disk.0.state.lock();
        state.inode(self.inode).closed(self.caching);
        state.collect(self.inode);
    }
}

/// Bytes that a reader holds; while it does, the file must not change there.
struct Published {
    bytes: Vec<u8>,
    _alive: Arc<()>,
}

impl AsRef<[u8]> for Published {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
