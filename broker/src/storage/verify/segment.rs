//! One segment: every batch below the end that the checkpoint knows, and zeros behind it.

use super::Verification;
use crate::{
    disk::{Caching, DiskErrorKind, DiskFile, OpenMode},
    ids::Offset,
    storage::{
        OpenError, VerifyDamage,
        epochs::EpochCache,
        segment::Segment,
        walk::{BadBatch, Paging, Stretch, Walk, WalkError},
    },
};
use std::path::Path;

/// Bytes that are read at a time behind the end.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes between two reports of progress.
const PROGRESS_BYTES: u64 = 8 << 20;

/// What a segment is held against.
pub(super) struct SegmentCheck<'a> {
    pub(super) path: &'a Path,
    pub(super) segment: &'a Segment,
    pub(super) epochs: &'a EpochCache,
    /// The journal cut the log there.
    pub(super) cut: Offset,
    /// The journal holds batches that stand behind the end, or will.
    pub(super) may_have_more: bool,
}

impl SegmentCheck<'_> {
    pub(super) fn run(&self, verification: &mut Verification<'_>) -> Result<(), OpenError> {
        verification.report.files += 1;
        let file = match verification.disk.open(self.path, OpenMode::Read, Caching::Buffered) {
            Ok(file) => file,
            Err(error) if error.kind == DiskErrorKind::NotFound => {
                self.damaged(
                    verification,
                    (0, self.segment.base, self.segment.end),
                    "the segment is missing",
                );
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.batches(verification, &*file)?;
        if self.cut >= self.segment.end && !self.may_have_more {
            self.zeros(verification, &*file)?;
        }
        Ok(())
    }

    fn damaged(
        &self,
        verification: &mut Verification<'_>,
        (position, from, to): (u64, Offset, Offset),
        detail: &str,
    ) {
        verification.report.damage.push(VerifyDamage {
            file: self.path.to_path_buf(),
            position,
            offsets: Some((from, to)),
            detail: detail.to_string(),
        });
    }

    fn stretch(&self, position: u64, offset: Offset) -> Stretch {
        Stretch {
            position,
            offset,
            limit: self.segment.bytes,
            trusted_from: u64::MAX,
            gapless: self.segment.gapless,
            end: self.segment.end,
            paging: Paging::Read,
        }
    }

    fn batches(&self, verification: &mut Verification<'_>, file: &dyn DiskFile) -> Result<(), OpenError> {
        let mut walk = Walk::new(file, self.stretch(0, self.segment.base));
        let mut reported = 0;
        while walk.offset < self.cut {
            match self.next(&mut walk) {
                Ok(true) => verification.report.batches += 1,
                Ok(false) => break,
                Err(WalkError::Disk(error)) => return Err(error.into()),
                Err(WalkError::WouldBlock) => break,
                Err(WalkError::Bad(bad)) => {
                    let (position, offset) = self.behind(file, &bad);
                    self.damaged(verification, (bad.position, bad.offset, offset), &bad.detail);
                    walk = Walk::new(file, self.stretch(position, offset));
                }
            }
            if walk.position - reported >= PROGRESS_BYTES {
                verification.read_bytes(self.path, walk.position - reported);
                reported = walk.position;
            }
        }
        verification.read_bytes(self.path, walk.position.saturating_sub(reported));
        Ok(())
    }

    fn next(&self, walk: &mut Walk<'_>) -> Result<bool, WalkError> {
        let Some(header) = walk.peek()? else { return Ok(false) };
        walk.batch(&header, self.epochs.epoch_at(Offset(header.base_offset)))?;
        walk.pass(&header);
        Ok(true)
    }

    /// Where to go on behind a bad batch: behind it if its length holds, else at the next indexed batch, else nowhere.
    fn behind(&self, file: &dyn DiskFile, bad: &BadBatch) -> (u64, Offset) {
        let readable = |position: u64, offset: Offset| {
            let mut walk = Walk::new(file, self.stretch(position, offset));
            matches!(self.next(&mut walk), Ok(true)) || position == self.segment.bytes
        };
        if let Some(header) = &bad.header {
            let (position, offset) =
                (bad.position + header.total_bytes() as u64, Offset(header.next_offset()));
            if readable(position, offset) {
                return (position, offset);
            }
        }
        let mut position = bad.position;
        while let Some((offset, behind)) = self.segment.index.first_behind(position) {
            if readable(behind, offset) {
                return (behind, offset);
            }
            position = behind;
        }
        (self.segment.bytes, self.segment.end)
    }

    /// Behind the end there are zeros, unless a crash left something there that the next append cuts off.
    fn zeros(&self, verification: &mut Verification<'_>, file: &dyn DiskFile) -> Result<(), OpenError> {
        let (mut position, length) = (self.segment.bytes, file.len()?);
        let mut piece = vec![0; PIECE_BYTES];
        while position < length {
            let read = file.read_at(position, &mut piece)?;
            let bytes = piece.get(..read).unwrap_or_default();
            if let Some(at) = bytes.iter().position(|byte| *byte != 0) {
                let at = position + at as u64;
                let detail = "a byte behind the end of the log is not zero";
                if verification.clean {
                    verification.damage(self.path, at, detail);
                } else {
                    verification
                        .note(format!("{} at byte {at}: {detail}; it is cut off", self.path.display()));
                }
                return Ok(());
            }
            if read == 0 {
                return Ok(());
            }
            position += read as u64;
            verification.read_bytes(self.path, read as u64);
        }
        Ok(())
    }
}
