//! A disk in memory that keeps exactly what the crash contract of [`cairn_broker::disk`] promises and nothing more: a power
//! cut ([`FaultyDisk::crash`]) keeps or loses every unsynced page, size and name by itself. Everything follows from one seed.
//!
//! What always holds:
//! * What a successful sync covered is in every crash image; what was never written is in none.
//! * A byte range that was handed out as a slice is not written while the slice lives: the disk panics instead, for that
//!   would be a reader seeing its bytes change.
//! * Every call is numbered, so that a run can be failed at any one of them, or looked at after each of them.

mod crash;
mod disk;
mod faults;
mod file;
mod inode;
mod names;

pub use crash::CrashPolicy;
pub use faults::{Call, Fault, FaultKind, Observer, Operation};

use cairn_broker::disk::{Disk, DiskError, DiskErrorKind, DiskResult, SharedDisk};
use inode::Inode;
use names::Directory;
use parking_lot::Mutex;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The unit that a power cut keeps or loses.
pub const PAGE_BYTES: usize = 4096;

/// The disk. A clone is the same disk.
#[derive(Clone)]
pub struct FaultyDisk(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    observer: Mutex<Option<Arc<dyn Observer>>>,
}

struct State {
    inodes: BTreeMap<u64, Inode>,
    /// The root is number 0.
    directories: Vec<Directory>,
    next_inode: u64,
    next_name_change: u64,
    calls: u64,
    /// The calls that change something, syncs included.
    changes: u64,
    fault: Option<Fault>,
    capacity_bytes: Option<u64>,
    locked: BTreeSet<PathBuf>,
    random: ChaCha8Rng,
}

impl FaultyDisk {
    /// An empty disk without faults; the root directory exists.
    pub fn new(seed: u64) -> Self {
        Self::of(State {
            inodes: BTreeMap::new(),
            directories: vec![Directory::default()],
            next_inode: 0,
            next_name_change: 0,
            calls: 0,
            changes: 0,
            fault: None,
            capacity_bytes: None,
            locked: BTreeSet::new(),
            random: ChaCha8Rng::seed_from_u64(seed),
        })
    }

    fn of(state: State) -> Self {
        Self(Arc::new(Shared { state: Mutex::new(state), observer: Mutex::new(None) }))
    }

    /// The disk as the broker takes it.
    pub fn shared(&self) -> SharedDisk {
        Arc::new(self.clone())
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.0.state.lock().calls
    }

    /// Calls made so far that change something: writes, syncs, and all that touches names and sizes.
    pub fn changes(&self) -> u64 {
        self.0.state.lock().changes
    }

    /// Which call fails, and how; `None` for none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.0.state.lock().fault = fault;
    }

    /// Whether the fault that was set has been met.
    pub fn fault_is_over(&self) -> bool {
        self.0.state.lock().fault.is_none()
    }

    /// How many bytes all files together may have; `None` for any number.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.state.lock().capacity_bytes = bytes;
    }

    /// Bytes that all files, also removed ones that are still open, have allocated.
    pub fn used_bytes(&self) -> u64 {
        self.0.state.lock().used_bytes()
    }

    /// Who is told of every changing call; `None` for nobody.
    pub fn set_observer(&self, observer: Option<Arc<dyn Observer>>) {
        *self.0.observer.lock() = observer;
    }

    /// Flips one bit of a file on the medium: later reads see it, and so does every crash image.
    ///
    /// # Errors
    /// There is no such file, or it is shorter.
    pub fn flip_bit(&self, path: &Path, position: u64, bit: u8) -> DiskResult<()> {
        let mut state = self.0.state.lock();
        let id = state.file_id(path, "damage")?;
        let inode = state.inode(id);
        if position >= inode.length() {
            return Err(failed("damage", path, "the position lies beyond the end"));
        }
        inode.flip_bit(position, bit);
        Ok(())
    }

    /// Every file there is, by its whole path, with its length.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.0.state.lock();
        let mut found = Vec::new();
        let mut todo = vec![(PathBuf::from("/"), 0)];
        while let Some((path, directory)) = todo.pop() {
            for (name, node) in state.names(directory) {
                match node {
                    names::Node::Directory(inner) => todo.push((path.join(name), *inner)),
                    names::Node::File(id) => {
                        let length = state.inodes.get(id).map_or(0, Inode::length);
                        found.push((path.join(name), length));
                    }
                }
            }
        }
        found.sort();
        found
    }

    /// Reads a whole file past all faults and counts.
    ///
    /// # Errors
    /// There is no such file.
    pub fn content(&self, path: &Path) -> DiskResult<Vec<u8>> {
        let mut state = self.0.state.lock();
        let id = state.file_id(path, "read")?;
        let inode = state.inode(id);
        let mut content = vec![0; usize::try_from(inode.length()).unwrap_or(0)];
        inode.read(0, &mut content);
        Ok(content)
    }

    /// Creates a directory and all above it, durable at once: the mount point of a test.
    ///
    /// # Errors
    /// A file is in the way.
    pub fn make_durable_dir(&self, path: &Path) -> DiskResult<()> {
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        for directory in above.into_iter().skip(1) {
            self.create_dir(directory)?;
            self.sync_dir(directory.parent().unwrap_or(Path::new("/")))?;
        }
        Ok(())
    }

    fn observe(&self, call: &Call<'_>) {
        let observer = self.0.observer.lock().clone();
        if let Some(observer) = observer {
            observer.called(self, call);
        }
    }
}

impl State {
    fn used_bytes(&self) -> u64 {
        self.inodes.values().map(Inode::allocated_bytes).sum()
    }

    /// Whether so many more bytes fit.
    fn has_room(&self, more_bytes: u64) -> bool {
        self.capacity_bytes.is_none_or(|capacity| self.used_bytes().saturating_add(more_bytes) <= capacity)
    }

    /// The inode of that number; every handle and every name leads to one.
    fn inode(&mut self, id: u64) -> &mut Inode {
        self.inodes.entry(id).or_default()
    }

    fn collect_all(&mut self) {
        let ids: Vec<u64> = self.inodes.keys().copied().collect();
        ids.into_iter().for_each(|id| self.collect(id));
    }

    /// Forgets what no name, no crash image and no handle leads to.
    fn collect(&mut self, id: u64) {
        let named = self.directories.iter().any(|directory| directory.mentions(names::Node::File(id)));
        if !named && self.inodes.get(&id).is_some_and(|inode| inode.handles() == 0) {
            self.inodes.remove(&id);
        }
    }
}

fn failed(operation: &'static str, path: &Path, detail: &str) -> DiskError {
    error(DiskErrorKind::Failed, operation, path, detail)
}

fn error(kind: DiskErrorKind, operation: &'static str, path: &Path, detail: &str) -> DiskError {
    DiskError { kind, operation, path: path.to_path_buf(), detail: detail.to_string() }
}
