//! The journal's part of an offline verification: everything that a start would read, and nothing written.

use super::Scan;
use crate::{
    disk::{Disk, OpenMode},
    storage::OpenError,
};
use std::path::{Path, PathBuf};

/// What a verification of a journal found.
#[derive(Debug)]
pub(in crate::storage) struct JournalCheck {
    /// Whole frames that no checkpoint covers.
    pub(in crate::storage) frames: u64,
    /// Bytes read.
    pub(in crate::storage) bytes_read: u64,
    /// File, position in it, what is wrong there.
    pub(in crate::storage) damage: Vec<(PathBuf, u64, String)>,
    /// A torn write at the end: no damage, a start cuts it off.
    pub(in crate::storage) torn_tail: Option<String>,
}

/// Checks every file of a journal that may hold a frame with at least the sequence `from`, which is what the checkpoint
/// covers up to. `Frame`s are given to nobody: their checksums, order, padding and content are what is checked.
///
/// # Errors
/// A disk call failed, or a file is of a newer build.
pub(in crate::storage) fn check(
    disk: &dyn Disk,
    directory: &Path,
    from: u64,
) -> Result<JournalCheck, OpenError> {
    let scan = match Scan::read_with(disk, directory, from, OpenMode::Read) {
        Err(OpenError::Damaged { file, position, detail }) => {
            let damage = vec![(file, position, detail)];
            return Ok(JournalCheck { frames: 0, bytes_read: 0, damage, torn_tail: None });
        }
        other => other?,
    };
    let mut damage = scan.blemishes.clone();
    damage.extend(scan.damage.iter().map(|found| (found.file.clone(), found.position, found.detail.clone())));
    let mut frames = 0;
    let replayed = scan.replay(&mut |_, frame| {
        frames += 1;
        match frame.body {
            crate::storage::frame::FrameBody::Append { batch, .. } if !batch.crc_ok() => {
                let at = format!("the batch at offset {} of log {}", batch.header().base_offset, frame.log);
                let detail = format!("{at} does not match its own checksum");
                damage.push((directory.to_path_buf(), 0, detail));
            }
            _ => {}
        }
        Ok(())
    });
    match replayed {
        Err(OpenError::Damaged { file, position, detail }) => damage.push((file, position, detail)),
        other => other?,
    }
    Ok(JournalCheck { frames, bytes_read: scan.bytes_read, damage, torn_tail: scan.torn_tail })
}
