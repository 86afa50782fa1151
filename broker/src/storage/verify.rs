//! Reads a whole data directory offline and changes nothing: every checksum of every file that a start or a read would
//! rely on. What is wrong is listed with file and position; what a crash may leave behind and a start repairs is a note.

mod segment;
mod store;

use super::{
    OpenError, VerifyDamage, VerifyProgress, VerifyReport,
    layout::{JOURNAL_DIRECTORY, LOGS_DIRECTORY},
};
use crate::disk::{
    DirectoryError, Disk,
    dir::{CLEAN_SHUTDOWN_FILE, check_small_files},
};
use std::path::{Path, PathBuf};

/// What is being verified, and what was found.
struct Verification<'a> {
    disk: &'a dyn Disk,
    progress: &'a mut dyn FnMut(VerifyProgress),
    report: VerifyReport,
    bytes_total: u64,
    /// Whether the last shutdown was clean.
    clean: bool,
}

impl Verification<'_> {
    fn damage(&mut self, file: &Path, position: u64, detail: impl Into<String>) {
        let (file, detail) = (file.to_path_buf(), detail.into());
        self.report.damage.push(VerifyDamage { file, position, offsets: None, detail });
    }

    fn note(&mut self, note: impl Into<String>) {
        self.report.notes.push(note.into());
    }

    fn read_bytes(&mut self, file: &Path, bytes: u64) {
        self.report.bytes += bytes;
        let (bytes_done, bytes_total) = (self.report.bytes, self.bytes_total.max(self.report.bytes));
        (self.progress)(VerifyProgress { bytes_done, bytes_total, file: file.to_path_buf() });
    }
}

/// Reads the small files of a data directory and every file of every store below it, and lists what is wrong. Changes nothing; works on a read-only
/// copy.
///
/// # Errors
/// A directory cannot be listed, a file is of a newer version, or the disk fails otherwise than by damage.
pub fn verify(
    disk: &dyn Disk,
    data_directory: &Path,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<VerifyReport, OpenError> {
    let stores = stores_below(disk, data_directory)?;
    let clean = disk.exists(&data_directory.join(CLEAN_SHUTDOWN_FILE))?;
    let mut verification =
        Verification { disk, progress, report: VerifyReport::default(), bytes_total: 0, clean };
    for error in check_small_files(disk, data_directory) {
        let said = error.to_string();
        match error {
            DirectoryError::Corrupt { file, byte, detail } => verification.damage(&file, byte as u64, detail),
            DirectoryError::NewerFormat { file, .. } => verification.damage(&file, 0, said),
            DirectoryError::Disk(error) => verification.damage(&error.path, 0, said),
            _ => verification.note(said),
        }
    }
    if stores.is_empty() {
        verification.note(format!("{} holds no store", data_directory.display()));
    }
    for store in &stores {
        verification.bytes_total += size_of_directory(disk, store)?;
    }
    for store in &stores {
        store::verify(&mut verification, store)?;
    }
    Ok(verification.report)
}

/// The directory itself, if it is a store, and those directly below it.
fn stores_below(disk: &dyn Disk, directory: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let is_store = |path: &Path| -> Result<bool, OpenError> {
        Ok(disk.exists(&path.join(LOGS_DIRECTORY))? && disk.exists(&path.join(JOURNAL_DIRECTORY))?)
    };
    let mut stores = Vec::new();
    if is_store(directory)? {
        stores.push(directory.to_path_buf());
    }
    for entry in disk.read_dir(directory)?.into_iter().filter(|entry| entry.is_directory) {
        let path = directory.join(entry.name);
        if is_store(&path)? {
            stores.push(path);
        }
    }
    Ok(stores)
}

/// Bytes of all files below, for the progress.
fn size_of_directory(disk: &dyn Disk, directory: &Path) -> Result<u64, OpenError> {
    use crate::disk::{Caching, OpenMode};
    let mut bytes = 0;
    for entry in disk.read_dir(directory)? {
        let path = directory.join(entry.name);
        bytes += if entry.is_directory {
            size_of_directory(disk, &path)?
        } else {
            disk.open(&path, OpenMode::Read, Caching::Buffered).and_then(|file| file.len()).unwrap_or(0)
        };
    }
    Ok(bytes)
}
