//! The head of a journal file: which lap it holds, and what came before it. It stands twice, on two pages that persist
//! independently, so that neither a torn write nor one damaged page makes a file unreadable. Written and synced before
//! the first group of a lap.
//!
//! ```text
//! bytes  0..4   CRC-32 of 4..96      32..36  block size of the lap's groups   56..64  lap of the predecessor, 0: none
//!        4..12  "CAIRNJNL"           36..40  zero                             64..72  where its groups ended, in bytes
//!       12..16  format, 1            40..48  sequence of the first frame      72..80  the sequence it had come to
//!       16..24  lap                  48..56  CRC-32 of the frame before, 0    80..96  zero
//!       24..32  bytes of the file
//! ```
//!
//! A first sequence beyond the predecessor's says that the frames between were lost to damage, and reported, at a start.

use super::super::decode::Cursor;

/// One page for each copy. A page is what persists whole or not at all.
pub(super) const PAGE_BYTES: usize = 4096;
/// Bytes in front of the first group, before rounding up to a block.
pub(super) const HEADER_PAGES_BYTES: usize = 2 * PAGE_BYTES;
/// The format that is written, and the newest that is read.
pub(super) const JOURNAL_FORMAT: u32 = 1;
const MAGIC: &[u8; 8] = b"CAIRNJNL";
const COVERED_BYTES: usize = 96;

/// Where a lap ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LapEnd {
    /// The lap; 0 is none.
    pub(super) lap: u64,
    /// Behind its last group, in bytes of its file.
    pub(super) position: u64,
    /// One beyond its last frame.
    pub(super) sequence: u64,
    /// CRC of its last frame.
    pub(super) chain: u32,
}

/// What a file's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) lap: u64,
    pub(super) file_bytes: u64,
    pub(super) block_bytes: u32,
    pub(super) first_sequence: u64,
    pub(super) predecessor: LapEnd,
}

/// What one page of a head holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderPage {
    /// Nothing yet: all zeros.
    Blank,
    /// A head.
    Valid(FileHeader),
    /// Written by a newer version.
    Newer(u32),
    /// Neither.
    Damaged,
}

impl FileHeader {
    /// Both pages of the head; the rest is zero.
    pub(super) fn encode(&self, out: &mut [u8]) {
        let mut page = Vec::with_capacity(COVERED_BYTES);
        page.extend_from_slice(&[0; 4]);
        page.extend_from_slice(MAGIC);
        page.extend_from_slice(&JOURNAL_FORMAT.to_le_bytes());
        page.extend_from_slice(&self.lap.to_le_bytes());
        page.extend_from_slice(&self.file_bytes.to_le_bytes());
        page.extend_from_slice(&self.block_bytes.to_le_bytes());
        page.extend_from_slice(&[0; 4]);
        page.extend_from_slice(&self.first_sequence.to_le_bytes());
        page.extend_from_slice(&u64::from(self.predecessor.chain).to_le_bytes());
        page.extend_from_slice(&self.predecessor.lap.to_le_bytes());
        page.extend_from_slice(&self.predecessor.position.to_le_bytes());
        page.extend_from_slice(&self.predecessor.sequence.to_le_bytes());
        page.resize(COVERED_BYTES, 0);
        let checksum = crc32fast::hash(page.get(4..).unwrap_or_default());
        out.fill(0);
        for copy in out.chunks_exact_mut(PAGE_BYTES).take(2) {
            for (to, from) in copy.iter_mut().zip(checksum.to_le_bytes().iter().chain(page.iter().skip(4))) {
                *to = *from;
            }
        }
    }

    /// Reads one page.
    pub(super) fn decode(page: &[u8]) -> HeaderPage {
        if page.iter().all(|byte| *byte == 0) {
            return HeaderPage::Blank;
        }
        Self::decode_written(page).unwrap_or(HeaderPage::Damaged)
    }

    fn decode_written(page: &[u8]) -> Option<HeaderPage> {
        let mut from = Cursor::new(page.get(..COVERED_BYTES)?);
        let checksum = from.u32().ok()?;
        let rest_is_zero = page.get(COVERED_BYTES..)?.iter().all(|byte| *byte == 0);
        if checksum != crc32fast::hash(page.get(4..COVERED_BYTES)?) || !rest_is_zero {
            return None;
        }
        if &from.array::<8>().ok()? != MAGIC {
            return None;
        }
        let format = from.u32().ok()?;
        if format != JOURNAL_FORMAT {
            return Some(HeaderPage::Newer(format));
        }
        let lap = from.u64().ok()?;
        let file_bytes = from.u64().ok()?;
        let block_bytes = from.u32().ok()?;
        from.u32().ok()?;
        let first_sequence = from.u64().ok()?;
        let chain = u32::try_from(from.u64().ok()?).ok()?;
        let predecessor =
            LapEnd { lap: from.u64().ok()?, position: from.u64().ok()?, sequence: from.u64().ok()?, chain };
        let sane = block_bytes.is_power_of_two()
            && block_bytes as usize >= PAGE_BYTES
            && block_bytes <= 1 << 24
            && lap > predecessor.lap
            && first_sequence >= predecessor.sequence;
        sane.then_some(HeaderPage::Valid(FileHeader {
            lap,
            file_bytes,
            block_bytes,
            first_sequence,
            predecessor,
        }))
    }

    /// Where the first group stands.
    pub(super) fn data_start(&self) -> u64 {
        data_start(u64::from(self.block_bytes))
    }
}

/// Where the first group of a file stands whose groups begin on multiples of this.
pub(super) fn data_start(block_bytes: u64) -> u64 {
    (HEADER_PAGES_BYTES as u64).next_multiple_of(block_bytes)
}

/// What the two pages together say: the valid one of the higher lap, and which page (its byte position) is damaged. A blank
/// page beside a damaged one is a file that was never in use: a head in use stands on both pages.
pub(super) fn choose(pages: [HeaderPage; 2]) -> (HeaderPage, Option<u64>) {
    let damaged = pages.iter().position(|page| *page == HeaderPage::Damaged);
    let damaged_at = damaged.map(|page| (page * PAGE_BYTES) as u64);
    let rank = |page: &HeaderPage| match page {
        HeaderPage::Damaged => (0, 0),
        HeaderPage::Blank => (1, 0),
        HeaderPage::Valid(header) => (2, header.lap),
        HeaderPage::Newer(format) => (3, u64::from(*format)),
    };
    let [first, second] = pages;
    let best = if rank(&second) > rank(&first) { second } else { first };
    (best, damaged_at)
}
