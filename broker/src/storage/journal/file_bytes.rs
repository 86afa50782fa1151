//! The bytes of one journal file at a start: read directly, from the front, as far as somebody looks, each byte once. What
//! cannot be read shows as zeros and is remembered.

use crate::disk::{AlignedBuffer, DiskFile, DiskResult};
use bytes::Bytes;
use std::sync::Arc;

/// Bytes of one read.
const READ_BYTES: usize = 1 << 20;

/// What was read of a file so far.
pub(super) struct FileBytes {
    file: Option<Arc<dyn DiskFile>>,
    buffer: AlignedBuffer,
    length: usize,
    filled: usize,
    block_bytes: usize,
    /// Where a read failed last, and how.
    unreadable: Option<(usize, String)>,
}

impl FileBytes {
    /// Nothing is read yet but address space for the whole file is taken.
    pub(super) fn new(file: Arc<dyn DiskFile>) -> DiskResult<Self> {
        let block_bytes = file.block_bytes();
        let length = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        let length = length - length % block_bytes;
        let buffer = AlignedBuffer::new(length)?;
        Ok(Self { file: Some(file), buffer, length, filled: 0, block_bytes, unreadable: None })
    }

    /// A file that is in memory already.
    pub(super) fn from_slice(content: &[u8]) -> DiskResult<Self> {
        let length = content.len();
        let mut buffer = AlignedBuffer::new(length)?;
        if let Some(place) = buffer.as_mut_slice().get_mut(..length) {
            place.copy_from_slice(content);
        }
        Ok(Self { file: None, buffer, length, filled: length, block_bytes: 4096, unreadable: None })
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Bytes read from the disk.
    pub(super) fn bytes_read(&self) -> u64 {
        self.filled as u64
    }

    /// The range, or `None` where the file is shorter.
    pub(super) fn get(&mut self, start: usize, length: usize) -> Option<&[u8]> {
        let end = start.checked_add(length).filter(|end| *end <= self.length)?;
        while self.filled < end {
            self.read_more();
        }
        self.buffer.as_slice().get(start..end)
    }

    fn read_more(&mut self) {
        let end = self.length.min(self.filled + READ_BYTES);
        if let Some(detail) = self.read(self.filled, end) {
            // Once more in the smallest pieces, to lose no more than has to be.
            let mut block = self.filled;
            while block < end {
                let failed = self.read(block, end.min(block + self.block_bytes)).is_some();
                if failed {
                    self.unreadable = Some((block, detail.clone()));
                }
                block += self.block_bytes;
            }
        }
        self.filled = end;
    }

    /// Reads one range; says what went wrong, and leaves zeros then.
    fn read(&mut self, start: usize, end: usize) -> Option<String> {
        let file = self.file.as_ref()?;
        let into = self.buffer.as_mut_slice().get_mut(start..end)?;
        let wanted = into.len();
        match file.read_at(start as u64, into) {
            Ok(read) if read == wanted => None,
            Ok(_) => Some("the file is shorter than it was".to_string()),
            Err(error) => {
                into.fill(0);
                Some(error.to_string())
            }
        }
    }

    /// Where a read failed, at or behind a position.
    pub(super) fn unreadable_from(&self, position: usize) -> Option<&str> {
        let (at, detail) = self.unreadable.as_ref()?;
        (*at + self.block_bytes > position).then_some(detail)
    }

    /// The bytes, shared; slices keep all of them alive.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(Owner(self.buffer))
    }
}

struct Owner(AlignedBuffer);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}
