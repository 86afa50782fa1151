//! A data directory as a value: locked for as long as it lives, known by its `cairn.meta`, never somebody else's. The meta
//! file is durable before anything else is written into the directory.

use super::{
    DirectoryLock, Disk, DiskError, DiskErrorKind, DiskResult, LOCK_FILE, SharedDisk, read_file,
    replace_file, replace_files,
    sealed_text::{self, Damage, SealedText},
};
use crate::ids::{BrokerEpoch, BrokerId, ClusterId, DirectoryId};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};
use uuid::Uuid;

/// The directory's identity.
pub const META_FILE: &str = "cairn.meta";
/// There after a clean shutdown, until the next start.
pub const CLEAN_SHUTDOWN_FILE: &str = "clean-shutdown";
/// The broker's last registration.
pub const BROKER_EPOCH_FILE: &str = "broker-epoch";

/// The data-directory format that this build writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
/// No small file is longer.
const SMALL_FILE_BYTES_MAX: usize = 4096;
/// Names that a directory may hold without being anybody's: a mount point's, and what a first start leaves that was cut
/// short before its meta file stood.
const NOBODYS: &[&str] = &["lost+found", LOCK_FILE, "cairn.meta.tmp"];

/// What `cairn.meta` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryMeta {
    /// Made when the directory was formatted.
    pub directory: DirectoryId,
    /// Whose directory it is.
    pub broker: BrokerId,
    /// `None` until the broker has formed or joined a cluster.
    pub cluster: Option<ClusterId>,
}

/// Left by a clean shutdown, after everything else was durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanShutdown {
    /// The registration that was shut down.
    pub broker_epoch: BrokerEpoch,
    /// Which boot of the kernel it ran under, where known.
    pub boot_id: Option<String>,
}

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

/// Why a directory cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The disk failed or refused, or another broker holds the lock.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Written by a newer version.
    #[error(
        "{file} has data format {found}, this build reads up to {FORMAT}: start the newer version on this directory, or \
         choose another --data-dir"
    )]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// What it says.
        found: u32,
    },
    /// Bytes that Cairn did not write so.
    #[error(
        "{file} is damaged at byte {byte}: {detail}. Nothing was changed. Restore the file from a copy, or choose another \
         --data-dir"
    )]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Where in it.
        byte: usize,
        /// What is wrong there.
        detail: String,
    },
    /// The directory holds something else.
    #[error(
        "{directory} is not empty and not a Cairn data directory: it has no {META_FILE}, but {found:?}. Choose an empty or \
         a new directory with --data-dir"
    )]
    Foreign {
        /// The directory.
        directory: PathBuf,
        /// A name found in it.
        found: String,
    },
    /// The directory is another broker's.
    #[error(
        "{directory} belongs to broker {found}, this one is broker {wanted}: set --broker-id {found}, or choose another --data-dir"
    )]
    OtherBroker {
        /// The directory.
        directory: PathBuf,
        /// Whose it is.
        found: BrokerId,
        /// Who asks.
        wanted: BrokerId,
    },
    /// The directory belongs to another cluster.
    #[error(
        "{directory} belongs to cluster {found}, not to {wanted}: choose another --data-dir, or the cluster's own address"
    )]
    OtherCluster {
        /// The directory.
        directory: PathBuf,
        /// The cluster it knows.
        found: ClusterId,
        /// The cluster that was to be written.
        wanted: ClusterId,
    },
}

impl DirectoryError {
    /// Whether the same call may succeed later without anybody changing the directory: another broker may let go of its
    /// lock, and space may return.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Disk(error) if matches!(error.kind, DiskErrorKind::Locked | DiskErrorKind::NoSpace))
    }
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
        let lines = [("broker-epoch", epoch.to_string())];
        let epoch_file = sealed_text::encode(BROKER_EPOCH_FILE, FORMAT, &lines);
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
        let mut lines = vec![("broker-epoch", clean.broker_epoch.to_string())];
        lines.extend(clean.boot_id.clone().map(|boot_id| ("boot", boot_id)));
        let file = sealed_text::encode(CLEAN_SHUTDOWN_FILE, FORMAT, &lines);
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

/// A small file's lines, `None` if there is no such file.
fn read_small(disk: &dyn Disk, directory: &Path, name: &str) -> Result<Option<SealedText>, DirectoryError> {
    let file = directory.join(name);
    let bytes = match read_file(disk, &file, SMALL_FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind == DiskErrorKind::TooLarge => {
            return Err(DirectoryError::Corrupt { file, byte: SMALL_FILE_BYTES_MAX, detail: error.detail });
        }
        Err(error) => return Err(error.into()),
    };
    match sealed_text::decode(name, &bytes) {
        Ok(text) if text.format > FORMAT => Err(DirectoryError::NewerFormat { file, found: text.format }),
        Ok(text) => Ok(Some(text)),
        Err(Damage { byte, detail }) => Err(DirectoryError::Corrupt { file, byte, detail }),
    }
}

fn encode_meta(meta: DirectoryMeta) -> Vec<u8> {
    let mut lines = vec![("directory", meta.directory.to_string()), ("broker", meta.broker.to_string())];
    lines.extend(meta.cluster.map(|cluster| ("cluster", cluster.to_string())));
    sealed_text::encode(META_FILE, FORMAT, &lines)
}

fn meta_from(file: &Path, text: SealedText) -> Result<DirectoryMeta, DirectoryError> {
    let mut lines = Lines::of(file, text);
    let meta = DirectoryMeta {
        directory: DirectoryId(lines.required::<Uuid>("directory")?),
        broker: BrokerId(lines.required("broker")?),
        cluster: lines.optional::<Uuid>("cluster")?.map(ClusterId),
    };
    lines.nothing_more()?;
    Ok(meta)
}

fn clean_shutdown_from(file: &Path, text: SealedText) -> Result<CleanShutdown, DirectoryError> {
    let mut lines = Lines::of(file, text);
    let clean = CleanShutdown {
        broker_epoch: BrokerEpoch(lines.required("broker-epoch")?),
        boot_id: lines.optional("boot")?,
    };
    lines.nothing_more()?;
    Ok(clean)
}

fn broker_epoch_from(file: &Path, text: SealedText) -> Result<BrokerEpoch, DirectoryError> {
    let mut lines = Lines::of(file, text);
    let epoch = lines.required("broker-epoch")?;
    lines.nothing_more()?;
    Ok(BrokerEpoch(epoch))
}

/// Takes the lines of a file one by one, in their order.
struct Lines<'a> {
    file: &'a Path,
    rest: std::iter::Peekable<std::vec::IntoIter<sealed_text::Line>>,
}

impl<'a> Lines<'a> {
    fn of(file: &'a Path, text: SealedText) -> Self {
        Self { file, rest: text.lines.into_iter().peekable() }
    }

    fn corrupt(&self, byte: usize, detail: String) -> DirectoryError {
        DirectoryError::Corrupt { file: self.file.to_path_buf(), byte, detail }
    }

    fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, DirectoryError> {
        let Some(line) = self.rest.next_if(|line| line.name == name) else { return Ok(None) };
        match line.value.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.corrupt(line.byte, format!("{:?} is no value of {name}", line.value))),
        }
    }

    fn required<T: FromStr>(&mut self, name: &str) -> Result<T, DirectoryError> {
        let byte = self.rest.peek().map_or(0, |line| line.byte);
        match self.optional(name)? {
            Some(value) => Ok(value),
            None => Err(self.corrupt(byte, format!("the line {name} is missing"))),
        }
    }

    fn nothing_more(&mut self) -> Result<(), DirectoryError> {
        match self.rest.next() {
            None => Ok(()),
            Some(line) => {
                Err(self.corrupt(line.byte, format!("the line {:?} means nothing here", line.name)))
            }
        }
    }
}
