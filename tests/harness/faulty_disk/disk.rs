//! The directory half of the disk: names, locks and space.

use super::{
    Call, FaultyDisk, Operation, PAGE_BYTES, Shared, State, error, failed, file::FaultyFile, inode::Inode,
    names::Node,
};
use cairn_broker::disk::{
    Caching, DirectoryEntry, DirectoryLock, Disk, DiskErrorKind, DiskFile, DiskResult, OpenMode,
};
use std::{path::Path, sync::Arc};

impl FaultyDisk {
    /// Runs one call on names: counted, failed if it is its turn, and shown to the observer at the right moment.
    fn on_names<T>(
        &self,
        operation: Operation,
        path: &Path,
        effect: impl FnOnce(&mut State) -> DiskResult<T>,
    ) -> DiskResult<T> {
        let mut state = self.0.state.lock();
        let number = Shared::begin(&mut state, operation, path)?;
        let call = Call { number, operation, path };
        if operation.is_sync() {
            drop(state);
            self.observe(&call);
            return effect(&mut self.0.state.lock());
        }
        let result = effect(&mut state);
        drop(state);
        if operation.changes() {
            self.observe(&call);
        }
        result
    }
}

impl Disk for FaultyDisk {
    fn create_dir(&self, path: &Path) -> DiskResult<()> {
        let operation = Operation::CreateDir;
        self.on_names(operation, path, |state| match state.node(path) {
            Some(Node::Directory(_)) => Ok(()),
            Some(Node::File(_)) => {
                Err(error(DiskErrorKind::AlreadyExists, operation.verb(), path, "a file has that name"))
            }
            None if !state.has_room(PAGE_BYTES as u64) => {
                Err(error(DiskErrorKind::NoSpace, operation.verb(), path, "the disk is full"))
            }
            None => state.add_directory(path, operation.verb()),
        })
    }

    fn read_dir(&self, path: &Path) -> DiskResult<Vec<DirectoryEntry>> {
        self.on_names(Operation::Look, path, |state| {
            let directory = state.directory_id(path, "list")?;
            let entry = |(name, node): (&String, &Node)| DirectoryEntry {
                name: name.clone(),
                is_directory: matches!(node, Node::Directory(_)),
            };
            Ok(state.names(directory).map(entry).collect())
        })
    }

    fn exists(&self, path: &Path) -> DiskResult<bool> {
        self.on_names(Operation::Look, path, |state| Ok(state.node(path).is_some()))
    }

    fn open(&self, path: &Path, mode: OpenMode, caching: Caching) -> DiskResult<Arc<dyn DiskFile>> {
        let creates = matches!(mode, OpenMode::CreateNew | OpenMode::CreateOrTruncate);
        let operation = if creates { Operation::Create } else { Operation::Open };
        let id = self.on_names(operation, path, |state| {
            let verb = operation.verb();
            let id = match (state.node(path), mode) {
                (Some(Node::File(_)), OpenMode::CreateNew) => {
                    return Err(error(DiskErrorKind::AlreadyExists, verb, path, "the name exists"));
                }
                (Some(Node::File(id)), _) => id,
                (Some(Node::Directory(_)), _) => return Err(failed(verb, path, "it is a directory")),
                (None, _) if !creates => {
                    return Err(error(DiskErrorKind::NotFound, verb, path, "there is no such file"));
                }
                (None, _) if !state.has_room(PAGE_BYTES as u64) => {
                    return Err(error(DiskErrorKind::NoSpace, verb, path, "the disk is full"));
                }
                (None, _) => {
                    state.next_inode += 1;
                    let id = state.next_inode;
                    state.add_name(path, Node::File(id), verb)?;
                    state.inodes.insert(id, Inode::created());
                    id
                }
            };
            let inode = state.inode(id);
            if mode == OpenMode::CreateOrTruncate && inode.length() > 0 {
                inode.set_length(0);
            }
            inode.opened(caching, path);
            Ok(id)
        })?;
        Ok(Arc::new(FaultyFile::new(self.clone(), id, path, mode != OpenMode::Read, caching)))
    }

    fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        let operation = Operation::Rename;
        self.on_names(operation, from, |state| {
            if let Some(Node::Directory(_)) = state.node(to) {
                return Err(failed(operation.verb(), to, "a directory has that name"));
            }
            state.rename(from, to, operation.verb())
        })
    }

    fn remove_file(&self, path: &Path) -> DiskResult<()> {
        let operation = Operation::RemoveFile;
        self.on_names(operation, path, |state| {
            let id = state.file_id(path, operation.verb())?;
            state.remove_name(path, Node::File(id), operation.verb())
        })
    }

    fn remove_dir(&self, path: &Path) -> DiskResult<()> {
        let operation = Operation::RemoveDir;
        self.on_names(operation, path, |state| {
            let id = state.directory_id(path, operation.verb())?;
            if state.names(id).next().is_some() {
                return Err(failed(operation.verb(), path, "the directory is not empty"));
            }
            state.remove_name(path, Node::Directory(id), operation.verb())
        })
    }

    fn sync_dir(&self, path: &Path) -> DiskResult<()> {
        self.on_names(Operation::SyncDir, path, |state| {
            let directory = state.directory_id(path, Operation::SyncDir.verb())?;
            state.sync_names(directory);
            state.collect_all();
            Ok(())
        })
    }

    fn free_bytes(&self, path: &Path) -> DiskResult<u64> {
        self.on_names(Operation::Look, path, |state| {
            let used = state.used_bytes();
            Ok(state.capacity_bytes.map_or(1 << 50, |capacity| capacity.saturating_sub(used)))
        })
    }

    fn total_bytes(&self, path: &Path) -> DiskResult<u64> {
        self.on_names(Operation::Look, path, |state| Ok(state.capacity_bytes.unwrap_or(1 << 50)))
    }

    fn lock_dir(&self, path: &Path) -> DiskResult<DirectoryLock> {
        self.on_names(Operation::Look, path, |state| {
            state.directory_id(path, "lock")?;
            if !state.locked.insert(path.to_path_buf()) {
                return Err(error(DiskErrorKind::Locked, "lock", path, "it is in use"));
            }
            Ok(())
        })?;
        Ok(DirectoryLock(Box::new(Held { disk: self.clone(), path: path.to_path_buf() })))
    }

    fn boot_id(&self) -> Option<String> {
        None
    }
}

/// A directory's lock; gone with its owner.
struct Held {
    disk: FaultyDisk,
    path: std::path::PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.0.state.lock().locked.remove(&self.path);
    }
}
