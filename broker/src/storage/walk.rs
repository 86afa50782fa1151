//! Walking over the batches of a segment, header by header. What does not parse, or does not stand where the log says, ends
//! the walk with a [`BadBatch`]: the bytes behind it are not interpreted. No page is touched before it is known to be in
//! memory, or was read in by a call that reports a disk error as an error.

use crate::{
    disk::{DiskError, DiskFile},
    ids::{LeaderEpoch, Offset},
};
use bytes::Bytes;
use cairn_proto::record::{Batch, BatchHeader, HEADER_BYTES};

/// Bytes that are asked for, or read in, at a time.
const STRETCH_BYTES: u64 = 1 << 20;

/// Bytes at a position that are not the batch that should be there.
#[derive(Clone, Debug)]
pub(super) struct BadBatch {
    pub(super) position: u64,
    /// The offset that should be there.
    pub(super) offset: Offset,
    /// The batch that stands there, if its header makes sense.
    pub(super) header: Option<BatchHeader>,
    pub(super) detail: String,
}

/// Why a step did not find a batch.
#[derive(Clone, Debug)]
pub(super) enum WalkError {
    Bad(Box<BadBatch>),
    WouldBlock,
    Disk(DiskError),
}

/// How pages come into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    /// Those that are not there end the walk with [`WalkError::WouldBlock`].
    Resident,
    /// They are read in.
    Read,
}

/// The part of a segment to walk over, and what the log knows of it: the checksum covers neither offset nor epoch nor
/// length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// A batch's position, to begin with.
    pub(super) position: u64,
    /// That batch's offset.
    pub(super) offset: Offset,
    /// The published length.
    pub(super) limit: u64,
    /// Bytes from here on were written lately: they are in memory and right.
    pub(super) trusted_from: u64,
    /// Whether a batch begins exactly where the one before it ends.
    pub(super) gapless: bool,
    /// The end of the segment's last batch.
    pub(super) end: Offset,
    pub(super) paging: Paging,
}

/// A place in a segment between two batches.
pub(super) struct Walk<'a> {
    file: &'a dyn DiskFile,
    stretch: Stretch,
    /// Where the next batch begins.
    pub(super) position: u64,
    /// The lowest offset that the next batch may have.
    pub(super) offset: Offset,
    /// Bytes up to here may be touched.
    ready: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, stretch: Stretch) -> Self {
        let Stretch { position, offset, .. } = stretch;
        Self { file, stretch, position, offset, ready: position }
    }

    fn bad(&self, header: Option<BatchHeader>, detail: impl Into<String>) -> WalkError {
        let (position, offset) = (self.position, self.offset);
        WalkError::Bad(Box::new(BadBatch { position, offset, header, detail: detail.into() }))
    }

    /// A file that is shorter than its published length is damaged; another failure says nothing about its bytes.
    fn failed(&self, error: DiskError, length: u64) -> WalkError {
        match self.file.len() {
            Ok(file_bytes) if file_bytes < self.position + length => self.bad(
                None,
                format!("the file ends at byte {file_bytes}, its log goes on to {}", self.stretch.limit),
            ),
            _ => WalkError::Disk(error),
        }
    }

    fn slice(&self, length: usize) -> Result<Bytes, WalkError> {
        self.file.slice(self.position, length).map_err(|error| self.failed(error, length as u64))
    }

    /// Makes sure that the next `length` bytes may be touched.
    fn make_ready(&mut self, length: u64) -> Result<(), WalkError> {
        let end = self.position + length;
        if end <= self.ready || self.position >= self.stretch.trusted_from {
            return Ok(());
        }
        let stretch = length.max(STRETCH_BYTES).min(self.stretch.limit - self.position);
        for bytes in [stretch, length] {
            let Ok(count) = usize::try_from(bytes) else { break };
            match self.stretch.paging {
                Paging::Resident => match self.file.is_resident(self.position, count) {
                    Ok(true) => {}
                    Ok(false) if bytes > length => continue,
                    Ok(false) => return Err(WalkError::WouldBlock),
                    Err(error) => return Err(self.failed(error, length)),
                },
                Paging::Read => match self.file.prefault(self.position, count) {
                    Ok(()) => {}
                    Err(_) if bytes > length => continue,
                    Err(error) => return Err(self.bad(None, error.to_string())),
                },
            }
            self.ready = self.position + bytes;
            return Ok(());
        }
        Ok(())
    }

    /// The header of the next batch, without going on; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<BatchHeader>, WalkError> {
        let left = self.stretch.limit.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        if left < HEADER_BYTES as u64 {
            return Err(self.bad(None, format!("{left} bytes are no batch")));
        }
        self.make_ready(HEADER_BYTES as u64)?;
        let bytes = self.slice(HEADER_BYTES)?;
        let header = BatchHeader::parse(&bytes).map_err(|error| self.bad(None, error.to_string()))?;
        if header.total_bytes() as u64 > left {
            let bytes = header.total_bytes();
            return Err(self.bad(None, format!("a batch of {bytes} bytes where {left} are left")));
        }
        let base = Offset(header.base_offset);
        let follows = if self.stretch.gapless { base == self.offset } else { base >= self.offset };
        if !follows || header.next_offset() > self.stretch.end.get() {
            let belongs = self.offset;
            return Err(self.bad(None, format!("a batch of offset {base} where {belongs} belongs")));
        }
        Ok(Some(header))
    }

    /// Goes over the batch whose header was seen.
    pub(super) fn pass(&mut self, header: &BatchHeader) {
        self.position += header.total_bytes() as u64;
        self.offset = Offset(header.next_offset());
    }

    /// Makes sure that the batch with this header may be served: in memory, and checked unless it was written lately.
    pub(super) fn check(
        &mut self,
        header: &BatchHeader,
        epoch: Option<LeaderEpoch>,
    ) -> Result<(), WalkError> {
        if self.position >= self.stretch.trusted_from {
            return Ok(());
        }
        self.batch(header, epoch).map(|_| ())
    }

    /// The whole batch with this header, its checksum and epoch checked.
    pub(super) fn batch(
        &mut self,
        header: &BatchHeader,
        epoch: Option<LeaderEpoch>,
    ) -> Result<Batch, WalkError> {
        self.make_ready(header.total_bytes() as u64)?;
        let bytes = self.slice(header.total_bytes())?;
        checked_batch(bytes, epoch).map_err(|detail| self.bad(Some(*header), detail))
    }
}

/// Takes bytes as one batch whose checksum is right and whose epoch is the one that the log knows for it.
pub(super) fn checked_batch(bytes: Bytes, epoch: Option<LeaderEpoch>) -> Result<Batch, String> {
    let batch = Batch::parse(bytes).map_err(|error| error.to_string())?;
    batch.check_crc().map_err(|error| error.to_string())?;
    let found = batch.header().leader_epoch;
    match epoch {
        Some(epoch) if epoch.get() != found => {
            Err(format!("a batch of leader epoch {found} where the log has epoch {epoch}"))
        }
        _ => Ok(batch),
    }
}
