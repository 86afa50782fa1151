//! The checkpoint file: every log of the store, and the frame sequence below which the journal is not needed any more. It
//! holds its content twice, each copy with its own checksum; it is replaced atomically.

use super::{
    DeletionCause, OpenError,
    decode::{Cursor, DecodeError, count_of},
};
use crate::{
    disk::{Disk, DiskErrorKind, read_file},
    ids::LogId,
};
use std::{collections::BTreeMap, path::Path};

/// Its name.
pub(super) const CHECKPOINT_FILE: &str = "checkpoint";
const MAGIC: [u8; 8] = *b"CAIRNCKP";
/// The newest format known.
const FORMAT: u32 = 1;
/// Magic, format, length, checksum.
const HEADER_BYTES: usize = 8 + 4 + 8 + 4;
/// A checkpoint of a million logs with much in them is smaller than this.
const FILE_BYTES_MAX: usize = 2 << 30;

/// What a checkpoint says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// Every frame below is part of it.
    pub(super) covers: u64,
    /// Logs that are deleted and whose files may still be there.
    pub(super) deleted: BTreeMap<LogId, DeletionCause>,
    /// Every log.
    pub(super) logs: BTreeMap<LogId, Box<[u8]>>,
}

/// A checkpoint that was read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) checkpoint: Checkpoint,
    /// Where one of the two copies is damaged.
    pub(super) damaged_copy: Option<(u64, String)>,
}

/// The number of a cause on disk.
fn cause_number(cause: DeletionCause) -> u8 {
    match cause {
        DeletionCause::Retention => 1,
        DeletionCause::DeleteRecords => 2,
        DeletionCause::TopicDelete => 3,
        DeletionCause::Snapshot => 4,
    }
}

fn cause_of(number: u8) -> Option<DeletionCause> {
    use DeletionCause::{DeleteRecords, Retention, Snapshot, TopicDelete};
    [Retention, DeleteRecords, TopicDelete, Snapshot].into_iter().find(|cause| cause_number(*cause) == number)
}

impl Checkpoint {
    /// The whole file.
    pub(super) fn encode_file(&self) -> Vec<u8> {
        Self::file_of(&self.encode())
    }

    /// A file whose two copies have this content and are sound.
    pub(super) fn file_of(content: &[u8]) -> Vec<u8> {
        let mut file = Vec::with_capacity(2 * (HEADER_BYTES + content.len()));
        for _ in 0..2 {
            file.extend_from_slice(&MAGIC);
            file.extend_from_slice(&FORMAT.to_le_bytes());
            file.extend_from_slice(&(content.len() as u64).to_le_bytes());
            file.extend_from_slice(&checksum(FORMAT, content).to_le_bytes());
            file.extend_from_slice(content);
        }
        file
    }

    fn encode(&self) -> Vec<u8> {
        let logs_bytes: usize = self.logs.values().map(|entry| 12 + entry.len()).sum();
        let mut out = Vec::with_capacity(16 + 9 * self.deleted.len() + logs_bytes);
        out.extend_from_slice(&self.covers.to_le_bytes());
        out.extend_from_slice(&count_of(self.deleted.len()));
        for (log, cause) in &self.deleted {
            out.extend_from_slice(&log.get().to_le_bytes());
            out.push(cause_number(*cause));
        }
        out.extend_from_slice(&count_of(self.logs.len()));
        for (log, entry) in &self.logs {
            out.extend_from_slice(&log.get().to_le_bytes());
            out.extend_from_slice(&count_of(entry.len()));
            out.extend_from_slice(entry);
        }
        out
    }

    fn decode(content: &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = Cursor::new(content);
        let mut found = Self { covers: bytes.u64()?, ..Self::default() };
        for _ in 0..bytes.count(9)? {
            let before = bytes;
            let (log, cause) = (LogId(bytes.u64()?), bytes.u8()?);
            let cause = cause_of(cause).ok_or_else(|| before.error("an unknown cause of a deletion"))?;
            found.deleted.insert(log, cause);
        }
        for _ in 0..bytes.count(12)? {
            let before = bytes;
            let log = LogId(bytes.u64()?);
            let length = bytes.count(1)?;
            if found.logs.last_key_value().is_some_and(|(last, _)| *last >= log) {
                return Err(before.error("log ids do not increase"));
            }
            found.logs.insert(log, bytes.take(length)?.into());
        }
        bytes.finish()?;
        Ok(found)
    }

    /// Reads the checkpoint of a store; `None` if there is none.
    ///
    /// # Errors
    /// Both copies are damaged, it is newer than this build, or the disk's.
    pub(super) fn read(disk: &dyn Disk, store: &Path) -> Result<Option<Found>, OpenError> {
        let path = store.join(CHECKPOINT_FILE);
        let file = match read_file(disk, &path, FILE_BYTES_MAX) {
            Ok(file) => file,
            Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Self::decode_file(&path, &file).map(Some)
    }

    /// What the bytes of a whole file say.
    pub(super) fn decode_file(path: &Path, file: &[u8]) -> Result<Found, OpenError> {
        let (first, second) = file.split_at(file.len() / 2);
        let (first, second) = (sealed_copy(path, first, 0)?, sealed_copy(path, second, first.len())?);
        let (content, damaged_copy) = match (first, second) {
            (Ok(content), Ok(_)) => (content, None),
            (Ok(content), Err(damage)) | (Err(damage), Ok(content)) => (content, Some(damage)),
            (Err((position, first)), Err((_, second))) => {
                let detail = format!(
                    "both copies are unreadable (first: {first}; second: {second}). Nothing was changed: restore this file, or \
                     restore the directory from a replica or a backup"
                );
                return Err(OpenError::Damaged { file: path.to_path_buf(), position, detail });
            }
        };
        match Self::decode(content) {
            Ok(checkpoint) => Ok(Found { checkpoint, damaged_copy }),
            Err(error) => {
                let (position, detail) = ((HEADER_BYTES + error.at) as u64, error.to_string());
                Err(OpenError::Damaged { file: path.to_path_buf(), position, detail })
            }
        }
    }
}

/// Where and how a copy is damaged.
type CopyDamage = (u64, String);

/// The content of one copy whose checksum is right, or where and how it is damaged.
fn sealed_copy<'a>(
    path: &Path,
    copy: &'a [u8],
    at: usize,
) -> Result<Result<&'a [u8], CopyDamage>, OpenError> {
    let damaged = |error: DecodeError| Ok(Err(((at + error.at) as u64, error.to_string())));
    let mut bytes = Cursor::new(copy);
    let header = (|| Ok((bytes.array::<8>()?, bytes.u32()?, bytes.u64()?, bytes.u32()?)))();
    let (magic, format, length, stored) = match header {
        Ok(header) => header,
        Err(error) => return damaged(error),
    };
    let content = bytes.rest();
    if magic != MAGIC || usize::try_from(length) != Ok(content.len()) {
        return damaged(DecodeError { at: 0, detail: "this is no header of a checkpoint of this length" });
    }
    if checksum(format, content) != stored {
        return damaged(DecodeError { at: HEADER_BYTES, detail: "the checksum does not match" });
    }
    if format > FORMAT {
        return Err(OpenError::NewerFormat { file: path.to_path_buf(), found: format, known: FORMAT });
    }
    Ok(Ok(content))
}

fn checksum(format: u32, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&format.to_le_bytes());
    hasher.update(&(content.len() as u64).to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}
