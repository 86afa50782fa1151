//! Which file of the ring the next group goes to: values only, no I/O.
//!
//! What always holds:
//! * A file is free only when a durable checkpoint covers every frame in it.
//! * Appends are let in only while a free file is left over for control frames and the next start; in a ring that has not
//!   grown yet the end of the file is kept instead. An append that was let in may use up the last free file, never that end.
//! * With a single file, covered completely, the next lap begins in that file again.

use super::{
    file::RingFile,
    header::{FileHeader, LapEnd},
};
use std::collections::VecDeque;

/// The end of the last file that only control frames may use, at most.
const CONTROL_BYTES_MAX: u64 = 1 << 20;
/// Distance of the marks by which uncovered bytes are counted.
const MARK_BYTES: u64 = 256 << 10;

/// A file whose lap is over and whose frames are not all covered yet.
pub(super) struct Used {
    pub(super) file: RingFile,
    /// A checkpoint that covers all frames below frees it.
    pub(super) free_at: u64,
    /// Bytes of its groups.
    pub(super) bytes: u64,
}

/// The files, and the place in the current one.
pub(super) struct Ring {
    used: VecDeque<Used>,
    current: RingFile,
    /// Lap, position and sequence of the next group, chain.
    end: LapEnd,
    free: VecDeque<RingFile>,
    /// All frames below are covered by a checkpoint.
    covered: u64,
    bytes_written: u64,
    bytes_covered: u64,
    /// (sequence, bytes written below it), ascending.
    marks: VecDeque<(u64, u64)>,
    /// A frame waits that no free file can take.
    needed_bytes: Option<u64>,
    /// The last free file was begun while the lap before it was not covered: it is for control frames, and for what had
    /// been let in.
    in_reserve: bool,
}

impl Ring {
    /// Goes on in `current` at `end`.
    pub(super) fn new(
        used: VecDeque<Used>,
        current: RingFile,
        end: LapEnd,
        free: VecDeque<RingFile>,
    ) -> Self {
        let bytes_written = used.iter().map(|used| used.bytes).sum();
        Self {
            used,
            end,
            current,
            free,
            covered: 0,
            bytes_written,
            bytes_covered: 0,
            marks: VecDeque::from([(end.sequence, bytes_written)]),
            needed_bytes: None,
            in_reserve: false,
        }
    }

    /// A file without a frame that no checkpoint covers, for the lap of a start.
    pub(super) fn take_covered(&mut self) -> Option<RingFile> {
        self.free.pop_front().or_else(|| self.all_covered().then(|| self.current.clone()))
    }

    /// The head of a start's lap is durable.
    pub(super) fn begin_first(&mut self, file: RingFile, header: &FileHeader) {
        self.begin(file, header);
        self.in_reserve = false;
    }

    /// The file that takes the next group.
    pub(super) fn current(&self) -> &RingFile {
        &self.current
    }

    /// Where the next group goes.
    pub(super) fn end(&self) -> LapEnd {
        self.end
    }

    /// Bytes that a group may have here.
    pub(super) fn space(&self, has_appends: bool) -> u64 {
        let left = self.current.bytes.saturating_sub(self.end.position);
        let kept = if has_appends && self.free.is_empty() { control_bytes(&self.current) } else { 0 };
        left.saturating_sub(kept)
    }

    /// Bytes of appends that may still be let in.
    pub(super) fn append_room(&self) -> u64 {
        let again = self.all_covered();
        // A current file that is covered completely is as good as free.
        let kept = if again { 0 } else { 1 };
        let ahead: u64 = self.free.iter().skip(kept).map(RingFile::capacity).sum();
        if !self.free.is_empty() {
            return self.space(true) + ahead;
        }
        let here = if self.in_reserve { 0 } else { self.space(true) };
        let lap =
            if again { self.current.capacity().saturating_sub(control_bytes(&self.current)) } else { 0 };
        here.max(lap)
    }

    fn all_covered(&self) -> bool {
        self.covered >= self.end.sequence
    }

    /// A lap that is covered completely and mostly over makes place for the next: with few files there is no other way.
    pub(super) fn wants_next_lap(&self) -> bool {
        let used = self.end.position.saturating_sub(self.current.data_start());
        self.all_covered() && used > self.current.capacity() / 2
    }

    /// The file that the next lap begins in, with its head; `None` when there is no place for a group of that size.
    pub(super) fn next_lap(&mut self, group_bytes: u64) -> Option<(RingFile, FileHeader)> {
        let free = self.free.iter().position(|file| file.capacity() >= group_bytes);
        let file = match free {
            Some(index) => self.free.remove(index)?,
            None if self.free.is_empty() && self.all_covered() && self.current.capacity() >= group_bytes => {
                self.current.clone()
            }
            None => {
                self.needed_bytes = Some(group_bytes);
                return None;
            }
        };
        let header = FileHeader {
            lap: self.end.lap + 1,
            file_bytes: file.bytes,
            block_bytes: u32::try_from(file.block_bytes()).unwrap_or(u32::MAX),
            first_sequence: self.end.sequence,
            predecessor: self.end,
        };
        Some((file, header))
    }

    /// The head of the next lap is durable.
    pub(super) fn begin(&mut self, file: RingFile, header: &FileHeader) {
        let again = file.number == self.current.number;
        let before = std::mem::replace(&mut self.current, file);
        let bytes = self.end.position.saturating_sub(before.data_start());
        self.end = lap_begun(&self.current, header);
        self.in_reserve = !again && self.free.is_empty();
        if !again {
            self.used.push_back(Used { file: before, free_at: header.first_sequence, bytes });
            self.free_used();
        }
    }

    /// A group was synced.
    pub(super) fn advance(&mut self, group_bytes: u64, sequence: u64, chain: u32) {
        self.bytes_written += group_bytes;
        self.end = LapEnd { position: self.end.position + group_bytes, sequence, chain, ..self.end };
        assert!(self.end.position <= self.current.bytes, "a group was written beyond its journal file");
        if self.marks.back().is_none_or(|(_, bytes)| self.bytes_written - bytes >= MARK_BYTES) {
            self.marks.push_back((sequence, self.bytes_written));
        }
    }

    /// A durable checkpoint covers all frames below.
    pub(super) fn cover(&mut self, sequence: u64) {
        self.covered = self.covered.max(sequence);
        while self.marks.front().is_some_and(|(below, _)| *below <= sequence) {
            self.bytes_covered = self.marks.pop_front().map_or(self.bytes_covered, |(_, bytes)| bytes);
        }
        if self.all_covered() {
            self.bytes_covered = self.bytes_written;
        }
        self.free_used();
    }

    fn free_used(&mut self) {
        while self.used.front().is_some_and(|used| used.free_at <= self.covered) {
            self.free.extend(self.used.pop_front().map(|used| used.file));
        }
    }

    /// Bytes written since the last checkpoint, to a mark's precision.
    pub(super) fn bytes_uncovered(&self) -> u64 {
        self.bytes_written - self.bytes_covered
    }

    /// A prepared file.
    pub(super) fn add(&mut self, file: RingFile) {
        if self.needed_bytes.is_some_and(|needed| needed <= file.capacity()) {
            self.needed_bytes = None;
        }
        self.free.push_back(file);
    }

    /// A frame of so many bytes is to come, and no file can take it.
    pub(super) fn need(&mut self, bytes: u64) {
        let bytes = bytes.next_multiple_of(self.current.block_bytes());
        self.needed_bytes = self.needed_bytes.max(Some(bytes));
    }

    /// Bytes for a group that waits and that no file can take.
    pub(super) fn needed_bytes(&self) -> Option<u64> {
        let all = self.free.iter().chain(self.used.iter().map(|used| &used.file)).chain([&self.current]);
        let largest = all.map(RingFile::capacity).max().unwrap_or(0);
        self.needed_bytes.filter(|needed| *needed > largest)
    }

    /// Free files.
    pub(super) fn free_count(&self) -> usize {
        self.free.len()
    }

    /// All files: their bytes together, and the largest one's capacity.
    pub(super) fn sizes(&self) -> (u64, u64) {
        let all = self.free.iter().chain(self.used.iter().map(|used| &used.file)).chain([&self.current]);
        all.fold((0, 0), |(sum, largest), file| (sum + file.bytes, file.capacity().max(largest)))
    }
}

/// Where a lap begins.
pub(super) fn lap_begun(file: &RingFile, header: &FileHeader) -> LapEnd {
    LapEnd {
        lap: header.lap,
        position: file.data_start(),
        sequence: header.first_sequence,
        chain: header.predecessor.chain,
    }
}

/// What control frames keep at the end of the last file.
pub(super) fn control_bytes(file: &RingFile) -> u64 {
    let block = file.block_bytes();
    let eighth = file.capacity() / 8;
    (eighth - eighth % block).min(CONTROL_BYTES_MAX).max(block)
}
