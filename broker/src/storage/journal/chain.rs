//! Which files of the ring matter at a start, and in which order: from the highest lap back along the predecessors that the
//! heads name, until the checkpoint covers what came before.

use super::{
    file::RingFile,
    header::{FileHeader, HEADER_PAGES_BYTES, HeaderPage, PAGE_BYTES, choose},
};
use crate::{
    disk::{AlignedBuffer, Disk, OpenMode},
    storage::{OpenError, layout::journal_file_number},
};
use std::path::{Path, PathBuf};

/// A file of the ring and its head.
pub(super) struct HeadedFile {
    pub(super) file: RingFile,
    pub(super) header: FileHeader,
}

/// All files of a ring.
#[derive(Default)]
pub(super) struct RingFiles {
    /// Files that hold a lap, by lap.
    pub(super) headed: Vec<HeadedFile>,
    /// Files that hold none.
    pub(super) blank: Vec<RingFile>,
    pub(super) blemishes: Vec<(PathBuf, u64, String)>,
}

impl RingFiles {
    /// Reads the heads of all files.
    pub(super) fn read(disk: &dyn Disk, directory: &Path, mode: OpenMode) -> Result<Self, OpenError> {
        let mut files = Self::default();
        if !disk.exists(directory)? {
            return Ok(files);
        }
        for entry in disk.read_dir(directory)? {
            if let Some(number) = journal_file_number(&entry.name) {
                files.read_one(RingFile::open(disk, directory, number, mode)?)?;
            }
        }
        files.headed.sort_by_key(|headed| headed.header.lap);
        for (lower, higher) in files.headed.iter().zip(files.headed.iter().skip(1)) {
            if lower.header.lap == higher.header.lap {
                let detail = format!(
                    "it holds the same lap as {}: one of the two was copied here, move the copy away",
                    lower.file.file.path().display()
                );
                return Err(damaged(&higher.file, 0, detail));
            }
        }
        Ok(files)
    }

    fn read_one(&mut self, file: RingFile) -> Result<(), OpenError> {
        if file.bytes < file.data_start() {
            // It never got its name by our hand at that length, so nothing was ever committed to it.
            let detail = format!("a journal file of {} bytes", file.bytes);
            self.blemishes.push((file.file.path().to_path_buf(), 0, detail));
            return Ok(());
        }
        let (page, damaged_at) = choose(read_pages(&file)?);
        if let Some(position) = damaged_at {
            let detail = "one copy of the file's head is damaged, the other was used".to_string();
            self.blemishes.push((file.file.path().to_path_buf(), position, detail));
        }
        match page {
            HeaderPage::Blank => self.blank.push(file),
            HeaderPage::Valid(header) => self.headed.push(HeadedFile { file, header }),
            HeaderPage::Newer(found) => {
                let file = file.file.path().to_path_buf();
                return Err(OpenError::NewerFormat { file, found, known: super::header::JOURNAL_FORMAT });
            }
            HeaderPage::Damaged => {
                let detail = "both copies of the journal file's head are damaged: move the file away to start \
                              without the frames that it may hold";
                return Err(damaged(&file, 0, detail.to_string()));
            }
        }
        Ok(())
    }

    /// Indexes into `headed`, oldest first, of the files that may hold a frame with at least the sequence `from`. Ends early
    /// where a predecessor is not there.
    pub(super) fn chain(&self, from: u64) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut next = self.headed.len().checked_sub(1);
        while let Some(index) = next {
            chain.push(index);
            let Some(header) = self.headed.get(index).map(|headed| headed.header) else { break };
            next = if header.first_sequence > from { self.index_of(header.predecessor.lap) } else { None };
        }
        chain.reverse();
        chain
    }

    fn index_of(&self, lap: u64) -> Option<usize> {
        self.headed.iter().position(|headed| headed.header.lap == lap)
    }
}

/// The two pages; one that cannot be read is as good as one that does not check.
fn read_pages(file: &RingFile) -> Result<[HeaderPage; 2], OpenError> {
    let block = file.file.block_bytes();
    let length = HEADER_PAGES_BYTES.next_multiple_of(block);
    let mut pages = AlignedBuffer::new(length)?;
    let mut is_read = [false; 2];
    for (index, read) in is_read.iter_mut().enumerate() {
        // A block may be larger than a page: it is read for each of the pages in it.
        let start = index * PAGE_BYTES - (index * PAGE_BYTES) % block;
        let into = pages.as_mut_slice().get_mut(start..start + block).unwrap_or_default();
        *read = file.file.read_at(start as u64, into).is_ok_and(|count| count == block);
    }
    let page = |index: usize, is_read: bool| {
        let bytes = pages.as_slice().get(index * PAGE_BYTES..(index + 1) * PAGE_BYTES).filter(|_| is_read);
        bytes.map_or(HeaderPage::Damaged, FileHeader::decode)
    };
    let [first, second] = is_read;
    Ok([page(0, first), page(1, second)])
}

fn damaged(file: &RingFile, position: u64, detail: String) -> OpenError {
    OpenError::Damaged { file: file.file.path().to_path_buf(), position, detail }
}
