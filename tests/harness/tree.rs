//! Directories as values: the files below one, copies of it, and a single wrong bit.

use anyhow::{Context as _, ensure};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// Every file below a directory, as a path relative to it, in order.
///
/// # Errors
/// It cannot be listed.
pub fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.push(path.strip_prefix(directory)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a directory with all that is below it; empty directories too.
///
/// # Errors
/// Something cannot be copied.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Turns one bit of a file over. The same call again puts it back.
///
/// # Errors
/// The file has no such byte.
pub fn flip(file: &Path, position: u64, bit: u32) -> anyhow::Result<()> {
    let opened = File::options().read(true).write(true).open(file)?;
    let mut byte = [0];
    let read = opened.read_at(&mut byte, position)?;
    ensure!(read == 1, "{} has no byte {position}", file.display());
    let flipped = byte.map(|byte| byte ^ 1_u8.rotate_left(bit));
    opened.write_all_at(&flipped, position)?;
    Ok(())
}

/// The length of a file without the zeros at its end.
///
/// # Errors
/// It cannot be read.
pub fn live_bytes(file: &Path) -> anyhow::Result<u64> {
    let bytes = fs::read(file)?;
    let live = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok(u64::try_from(live)?)
}
