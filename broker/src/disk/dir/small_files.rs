//! What the small files of a data directory say, as values and as sealed lines. A line that is missing, unknown or out of
//! order is damage, named by file and byte.

use super::{BROKER_EPOCH_FILE, CLEAN_SHUTDOWN_FILE, DirectoryError, FORMAT, META_FILE};
use crate::{
    disk::{
        Disk, DiskErrorKind, read_file,
        sealed_text::{self, Damage, SealedText},
    },
    ids::{BrokerEpoch, BrokerId, ClusterId, DirectoryId},
};
use std::{fmt::Debug, path::Path, str::FromStr};
use uuid::Uuid;

/// No small file is longer.
const SMALL_FILE_BYTES_MAX: usize = 4096;

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

/// A small file's lines, `None` if there is no such file.
pub(super) fn read_small(
    disk: &dyn Disk,
    directory: &Path,
    name: &str,
) -> Result<Option<SealedText>, DirectoryError> {
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

/// The bytes of `cairn.meta`.
pub(super) fn encode_meta(meta: DirectoryMeta) -> Vec<u8> {
    let mut lines = vec![("directory", meta.directory.to_string()), ("broker", meta.broker.to_string())];
    lines.extend(meta.cluster.map(|cluster| ("cluster", cluster.to_string())));
    sealed_text::encode(META_FILE, FORMAT, &lines)
}

/// What `cairn.meta` says.
pub(super) fn meta_from(file: &Path, text: SealedText) -> Result<DirectoryMeta, DirectoryError> {
    let mut lines = Lines::of(file, text);
    let meta = DirectoryMeta {
        directory: DirectoryId(lines.required::<Uuid>("directory")?),
        broker: BrokerId(lines.required("broker")?),
        cluster: lines.optional::<Uuid>("cluster")?.map(ClusterId),
    };
    lines.nothing_more()?;
    Ok(meta)
}

/// The bytes of `clean-shutdown`.
pub(super) fn encode_clean_shutdown(clean: &CleanShutdown) -> Vec<u8> {
    let mut lines = vec![("broker-epoch", clean.broker_epoch.to_string())];
    lines.extend(clean.boot_id.clone().map(|boot_id| ("boot", boot_id)));
    sealed_text::encode(CLEAN_SHUTDOWN_FILE, FORMAT, &lines)
}

/// What `clean-shutdown` says.
pub(super) fn clean_shutdown_from(file: &Path, text: SealedText) -> Result<CleanShutdown, DirectoryError> {
    let mut lines = Lines::of(file, text);
    let clean = CleanShutdown {
        broker_epoch: BrokerEpoch(lines.required("broker-epoch")?),
        boot_id: lines.optional("boot")?,
    };
    lines.nothing_more()?;
    Ok(clean)
}

/// The bytes of `broker-epoch`.
pub(super) fn encode_broker_epoch(epoch: BrokerEpoch) -> Vec<u8> {
    sealed_text::encode(BROKER_EPOCH_FILE, FORMAT, &[("broker-epoch", epoch.to_string())])
}

/// What `broker-epoch` says.
pub(super) fn broker_epoch_from(file: &Path, text: SealedText) -> Result<BrokerEpoch, DirectoryError> {
    let mut lines = Lines::of(file, text);
    let epoch = lines.required("broker-epoch")?;
    lines.nothing_more()?;
    Ok(BrokerEpoch(epoch))
}

/// For fuzzing: whatever of the three files the bytes are, they say the same when written and read again. Whether they are
/// one of them.
pub(in crate::disk) fn small_files_round_trip(bytes: &[u8]) -> bool {
    fn holds<T: PartialEq + Debug>(
        name: &str,
        bytes: &[u8],
        parse: fn(&Path, SealedText) -> Result<T, DirectoryError>,
        encode: impl Fn(&T) -> Vec<u8>,
    ) -> bool {
        let Ok(text) = sealed_text::decode(name, bytes) else { return false };
        let lines: Vec<_> = text.lines.iter().map(|line| (line.name.as_str(), line.value.clone())).collect();
        assert_eq!(
            sealed_text::encode(name, text.format, &lines),
            bytes,
            "lines are written as they were read"
        );
        let file = Path::new(name);
        let Ok(value) = parse(file, text) else { return false };
        let again = sealed_text::decode(name, &encode(&value)).ok().and_then(|text| parse(file, text).ok());
        assert_eq!(again, Some(value), "a small file says the same after a round trip");
        true
    }
    holds(META_FILE, bytes, meta_from, |meta| encode_meta(*meta))
        || holds(CLEAN_SHUTDOWN_FILE, bytes, clean_shutdown_from, encode_clean_shutdown)
        || holds(BROKER_EPOCH_FILE, bytes, broker_epoch_from, |epoch| encode_broker_epoch(*epoch))
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
