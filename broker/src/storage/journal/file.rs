//! A file of the ring: made of zeros that were written and synced before it got its name, used lap after lap.

use super::header::{FileHeader, HEADER_PAGES_BYTES, data_start};
use crate::{
    disk::{AlignedBuffer, Caching, Disk, DiskFile, DiskResult, OpenMode},
    storage::layout::{TEMPORARY_SUFFIX, journal_file_name},
};
use std::{path::Path, sync::Arc};

/// One write while zeros are written.
const ZERO_BYTES: usize = 1 << 20;

/// An open file of the ring.
#[derive(Clone)]
pub(super) struct RingFile {
    pub(super) number: u32,
    /// Usable bytes, a multiple of the block.
    pub(super) bytes: u64,
    pub(super) file: Arc<dyn DiskFile>,
}

impl RingFile {
    /// Opens one that exists.
    pub(super) fn open(disk: &dyn Disk, directory: &Path, number: u32, mode: OpenMode) -> DiskResult<Self> {
        let path = directory.join(journal_file_name(number));
        let file = disk.open(&path, mode, Caching::Direct)?;
        let bytes = file.len()?;
        Ok(Self { number, bytes: bytes - bytes % block_bytes(&*file), file })
    }

    /// What groups are aligned to.
    pub(super) fn block_bytes(&self) -> u64 {
        block_bytes(&*self.file)
    }

    /// Where the first group stands.
    pub(super) fn data_start(&self) -> u64 {
        data_start(self.block_bytes())
    }

    /// Bytes for groups.
    pub(super) fn capacity(&self) -> u64 {
        self.bytes.saturating_sub(self.data_start())
    }

    /// Writes the head of a new lap and syncs it.
    pub(super) fn begin(&self, header: &FileHeader) -> DiskResult<()> {
        write_header(&*self.file, header)?;
        self.file.sync_data()
    }
}

fn write_header(file: &dyn DiskFile, header: &FileHeader) -> DiskResult<()> {
    let length = HEADER_PAGES_BYTES.next_multiple_of(file.block_bytes());
    let mut pages = AlignedBuffer::new(length)?;
    header.encode(pages.as_mut_slice());
    file.write_at(0, &[pages.as_slice().get(..length).unwrap_or_default()])
}

fn block_bytes(file: &dyn DiskFile) -> u64 {
    file.block_bytes() as u64
}

/// A file of the ring in the making, under a temporary name.
pub(super) struct Unfinished {
    number: u32,
    file: Arc<dyn DiskFile>,
    bytes: u64,
    written: u64,
}

impl Unfinished {
    /// Takes the space. No space here is a refusal.
    pub(super) fn create(disk: &dyn Disk, directory: &Path, number: u32, bytes: u64) -> DiskResult<Self> {
        let path = directory.join(temporary_name(number));
        let file = disk.open(&path, OpenMode::CreateOrTruncate, Caching::Direct)?;
        let bytes = bytes.next_multiple_of(block_bytes(&*file));
        file.allocate(0, bytes)?;
        Ok(Self { number, file, bytes, written: 0 })
    }

    /// Writes zeros, at most so many bytes; `true` if more are to be written.
    pub(super) fn write_zeros(&mut self, bytes_max: u64) -> DiskResult<bool> {
        let zeros = AlignedBuffer::new(ZERO_BYTES)?;
        let end = self.bytes.min(self.written.saturating_add(bytes_max));
        while self.written < end {
            let length = usize::try_from(self.bytes - self.written).unwrap_or(ZERO_BYTES).min(ZERO_BYTES);
            self.file.write_at(self.written, &[zeros.as_slice().get(..length).unwrap_or_default()])?;
            self.written += length as u64;
        }
        Ok(self.written < self.bytes)
    }

    /// Writes the head of the lap that begins in it, over the first zeros.
    pub(super) fn write_header(&self, header: &FileHeader) -> DiskResult<()> {
        assert!(self.written == self.bytes, "zeros would be written over the head of a journal file");
        write_header(&*self.file, header)
    }

    /// Syncs what was written and gives the file its name, durably.
    pub(super) fn finish(self, disk: &dyn Disk, directory: &Path) -> DiskResult<RingFile> {
        assert!(self.written == self.bytes, "a journal file is used before all its blocks were written");
        self.file.sync_data()?;
        drop(self.file);
        let name = directory.join(journal_file_name(self.number));
        disk.rename(&directory.join(temporary_name(self.number)), &name)?;
        disk.sync_dir(directory)?;
        RingFile::open(disk, directory, self.number, OpenMode::ReadWrite)
    }

    /// Gives the space back. A failure to do so changes nothing: the next start removes the file.
    pub(super) fn give_up(disk: &dyn Disk, directory: &Path, number: u32) {
        let path = directory.join(temporary_name(number));
        if let Err(error) = disk.remove_file(&path) {
            tracing::debug!(%error, "an unfinished journal file is left behind");
        }
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn block_bytes(&self) -> u64 {
        block_bytes(&*self.file)
    }
}

fn temporary_name(number: u32) -> String {
    format!("{}{TEMPORARY_SUFFIX}", journal_file_name(number))
}
