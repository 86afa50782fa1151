//! A data directory as a value: locked for as long as it lives, known by its `cairn.meta`, never somebody else's. The meta
//! file is durable before anything else is written into the directory.

mod error;
mod small_files;

pub use error::DirectoryError;
pub(super) use small_files::small_files_round_trip;
pub use small_files::{CleanShutdown, DirectoryMeta};

use super::{
    DirectoryLock, Disk, DiskResult, LOCK_FILE, SharedDisk, replace_file, replace_files,
    sealed_text::SealedText,
};
use crate::ids::{BrokerEpoch, BrokerId, ClusterId, DirectoryId};
use small_files::{
    broker_epoch_from, clean_shutdown_from, encode_broker_epoch, encode_clean_shutdown, encode_meta,
    meta_from, read_small,
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The directory's identity.
pub const META_FILE: &str = "cairn.meta";
/// There after a clean shutdown, until the next start.
pub const CLEAN_SHUTDOWN_FILE: &str = "clean-shutdown";
/// The broker's last registration.
pub const BROKER_EPOCH_FILE: &str = "broker-epoch";

/// The data-directory format that this build writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
/// Names that a directory may hold without being anybody's: a mount point's, and what a first start leaves that was cut
/// short before its meta file stood.
const NOBODYS: &[&str] = &["lost+found", LOCK_FILE, "cairn.meta.tmp"];

/// How the broker before this one ended.
#[derive(Clone, Debug)]
pub enum LastShutdown {
    /// Everything it had was durable.
    Clean(CleanShutdown),
    /// No clean-shutdown file: a crash, or the first start.
    Unclean,
    /// There was a file, but it cannot be believed. Same as unclean, and to be reported.
    Damaged(DirectoryError),
}

/// An open, locked data directory.
pub struct DataDirectory {
    disk: SharedDisk,
    path: PathBuf,
    meta: DirectoryMeta,
    _lock: DirectoryLock,
}

impl fmt::Debug for DataDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataDirectory")
            .field("path", &self.path)
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

impl DataDirectory {
    /// Opens a broker's directory and locks it; one that is empty or missing (its parent must exist) is formatted with the
    /// given identity. Whatever is refused is left as it was found.
    ///
    /// # Errors
    /// Another broker uses it, or it is foreign, damaged, newer, another broker's, or the disk's.
    pub fn open_or_create(
        disk: SharedDisk,
        path: &Path,
        broker: BrokerId,
        identity: DirectoryId,
    ) -> Result<Self, DirectoryError> {
        if !disk.exists(path)? {
            disk.create_dir(path)?;
        }
        refuse_foreign(&disk, path)?;
        let lock = disk.lock_dir(path)?;
        let found = read_small(&*disk, path, META_FILE)?
            .map(|text| meta_from(&path.join(META_FILE), text))
            .transpose()?;
        let meta = match found {
            Some(meta) if meta.broker != broker => {
                let directory = path.to_path_buf();
                return Err(DirectoryError::OtherBroker { directory, found: meta.broker, wanted: broker });
            }
            Some(meta) => {
                // The start before this one may have been cut short with its names not yet durable.
                disk.sync_dir(path)?;
                meta
            }
            None => {
                let meta = DirectoryMeta { directory: identity, broker, cluster: None };
                replace_file(&*disk, path, META_FILE, &encode_meta(meta))?;
                meta
            }
        };
        disk.sync_dir(parent_of(path))?;
        Ok(Self { disk, path: path.to_path_buf(), meta, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its meta file says.
    pub fn meta(&self) -> DirectoryMeta {
        self.meta
    }

    /// Makes a registration durable: the cluster, where it is new, and the broker's epoch, before the broker acts upon
    /// either.
    ///
    /// # Errors
    /// The directory belongs to another cluster, or the disk's.
    pub fn write_registration(
        &mut self,
        cluster: ClusterId,
        epoch: BrokerEpoch,
    ) -> Result<(), DirectoryError> {
        let epoch_file = encode_broker_epoch(epoch);
        match self.meta.cluster {
            Some(found) if found == cluster => {
                Ok(replace_file(&*self.disk, &self.path, BROKER_EPOCH_FILE, &epoch_file)?)
            }
            Some(found) => {
                Err(DirectoryError::OtherCluster { directory: self.path.clone(), found, wanted: cluster })
            }
            None => {
                let meta = DirectoryMeta { cluster: Some(cluster), ..self.meta };
                let meta_file = encode_meta(meta);
                let files = [(META_FILE, &*meta_file), (BROKER_EPOCH_FILE, &*epoch_file)];
                replace_files(&*self.disk, &self.path, &files)?;
                self.meta = meta;
                Ok(())
            }
        }
    }

    /// Reads the clean-shutdown file and removes it, durably: the first thing at every start, before any other write.
    ///
    /// # Errors
    /// The disk's. A file of a newer format, too: removing it would tell that version that it crashed.
    pub fn take_last_shutdown(&self) -> Result<LastShutdown, DirectoryError> {
        let file = self.path.join(CLEAN_SHUTDOWN_FILE);
        let last = match read_small(&*self.disk, &self.path, CLEAN_SHUTDOWN_FILE) {
            Ok(None) => LastShutdown::Unclean,
            Ok(Some(text)) => match clean_shutdown_from(&file, text) {
                Ok(clean) => LastShutdown::Clean(clean),
                Err(error) => LastShutdown::Damaged(error),
            },
            Err(error @ DirectoryError::Corrupt { .. }) => LastShutdown::Damaged(error),
            Err(error) => return Err(error),
        };
        // Without a file nothing is to be made durable: one that a broker before this one removed went for good when this
        // directory was opened.
        if !matches!(last, LastShutdown::Unclean) {
            self.disk.remove_file(&file)?;
            self.disk.sync_dir(&self.path)?;
        }
        Ok(last)
    }

    /// Writes the clean-shutdown file: the last thing of all.
    ///
    /// # Errors
    /// The disk's.
    pub fn write_clean_shutdown(&self, clean: &CleanShutdown) -> DiskResult<()> {
        let file = encode_clean_shutdown(clean);
        replace_file(&*self.disk, &self.path, CLEAN_SHUTDOWN_FILE, &file)
    }

    /// The epoch of the broker's last registration that it acted upon; `None` before the first.
    ///
    /// # Errors
    /// The file is damaged or newer, or the disk's.
    pub fn broker_epoch(&self) -> Result<Option<BrokerEpoch>, DirectoryError> {
        let file = self.path.join(BROKER_EPOCH_FILE);
        let text = read_small(&*self.disk, &self.path, BROKER_EPOCH_FILE)?;
        text.map(|text| broker_epoch_from(&file, text)).transpose()
    }
}

/// What is wrong with the small files of a directory that nobody has open, in the order of a start. Changes nothing and
/// takes no lock.
pub fn check_small_files(disk: &dyn Disk, path: &Path) -> Vec<DirectoryError> {
    let check = |name: &str, parse: fn(&Path, SealedText) -> Result<(), DirectoryError>| {
        read_small(disk, path, name)?.map_or(Ok(()), |text| parse(&path.join(name), text))
    };
    let checks = [
        check(META_FILE, |file, text| meta_from(file, text).map(drop)),
        check(CLEAN_SHUTDOWN_FILE, |file, text| clean_shutdown_from(file, text).map(drop)),
        check(BROKER_EPOCH_FILE, |file, text| broker_epoch_from(file, text).map(drop)),
    ];
    checks.into_iter().filter_map(Result::err).collect()
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// Looks before the lock file is created, so that nothing is left in a directory that is not ours.
fn refuse_foreign(disk: &SharedDisk, path: &Path) -> Result<(), DirectoryError> {
    let entries = disk.read_dir(path)?;
    if entries.iter().any(|entry| entry.name == META_FILE) {
        return Ok(());
    }
    match entries.into_iter().find(|entry| !NOBODYS.contains(&entry.name.as_str())) {
        None => Ok(()),
        Some(entry) => Err(DirectoryError::Foreign { directory: path.to_path_buf(), found: entry.name }),
    }
}
