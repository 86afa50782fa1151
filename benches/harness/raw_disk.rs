//! What the disk itself can do: the plainest loop that gives the same promise, as the limit for a figure. Direct writes into a
//! file whose blocks were all written before, one sync a write, over and over in a ring, exactly as much as the journal does.

use anyhow::Context as _;
use cairn_broker::disk::{AlignedBuffer, Caching, DiskFile, OpenMode, OsDisk};
use rand::RngCore as _;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// A file whose blocks were all written once, to be written again with direct, synced writes.
pub struct PrewrittenFile {
    file: Arc<dyn DiskFile>,
    length: u64,
    position: u64,
}

impl PrewrittenFile {
    /// Makes the file in a directory; `length` is a multiple of 1 MiB.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(directory: &Path, length: u64) -> anyhow::Result<Self> {
        let path = directory.join("raw-disk-limit");
        let file = OsDisk::shared().open(&path, OpenMode::CreateOrTruncate, Caching::Direct)?;
        file.allocate(0, length)?;
        let zeros = AlignedBuffer::new(1 << 20)?;
        for megabyte in 0..length >> 20 {
            file.write_at(megabyte << 20, &[zeros.as_slice()])?;
        }
        file.sync_data()?;
        Ok(Self { file, length, position: 0 })
    }

    /// Writes groups of random bytes, each synced, until this many bytes are written; the ring is gone round as often as it
    /// takes. Returns bytes per second.
    ///
    /// # Errors
    /// The disk's.
    pub fn synced_groups(&mut self, group_bytes: usize, total_bytes: u64) -> anyhow::Result<f64> {
        let group = random_buffer(group_bytes)?;
        let started = Instant::now();
        let mut written = 0;
        while written < total_bytes {
            self.synced_write(group.as_slice())?;
            written += group_bytes as u64;
        }
        Ok(written as f64 / started.elapsed().as_secs_f64())
    }

    /// How long one synced write of a block takes, many times.
    ///
    /// # Errors
    /// The disk's.
    pub fn synced_block_times(&mut self, count: usize) -> anyhow::Result<Vec<Duration>> {
        let block = random_buffer(4096)?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            self.synced_write(block.as_slice())?;
            times.push(started.elapsed());
        }
        Ok(times)
    }

    fn synced_write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if self.position + bytes.len() as u64 > self.length {
            self.position = 0;
        }
        self.file.write_at(self.position, &[bytes])?;
        self.position += bytes.len() as u64;
        self.file.sync_data().context("a sync of the raw file")
    }
}

fn random_buffer(bytes: usize) -> anyhow::Result<AlignedBuffer> {
    let mut buffer = AlignedBuffer::new(bytes)?;
    rand::rng().fill_bytes(buffer.as_mut_slice());
    Ok(buffer)
}
