//! What a journal holds when a store opens: which frames are whole and in order, where they end, and whether they end in a
//! torn write (a clean cut) or in damage.
//!
//! What always holds:
//! * Frames are replayed in the order of their sequence, none that fails its checksum or lap. Behind a torn write there are
//!   none. Behind damage there are: the sequence then jumps over what is missing.
//! * Damage is reported at every start until a checkpoint covers it: the lap that is begun after it leaves a gap in the
//!   sequence, which its head records.

use super::{
    chain::{HeadedFile, RingFiles},
    file::RingFile,
    file_bytes::FileBytes,
    frame_codec::{FRAME_VERSION, FrameHead, FrameProblem, decode},
    header::LapEnd,
    walk::{Behind, Limits, Span, Stop, Walked, search, walk},
};
use crate::{
    disk::{Disk, DiskResult, OpenMode},
    storage::{OpenError, frame::Frame},
};
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// Frames that were synced and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct JournalDamage {
    /// The file, or the directory when a file is missing.
    pub(in crate::storage) file: PathBuf,
    /// Where in it.
    pub(in crate::storage) position: u64,
    /// The first sequence that is missing.
    pub(in crate::storage) sequence: u64,
    /// What was found.
    pub(in crate::storage) detail: String,
    /// An earlier start found it, and ended before a checkpoint covered it.
    pub(in crate::storage) is_known: bool,
}

/// A file that is not free yet.
pub(super) struct LiveFile {
    pub(super) file: RingFile,
    /// A checkpoint that covers all frames below frees it.
    pub(super) free_at: u64,
    bytes: Bytes,
    spans: Vec<Span>,
    block_bytes: usize,
}

/// What a journal holds. Keeps the bytes of its tail.
pub(in crate::storage) struct Scan {
    /// What synced frames are missing.
    pub(in crate::storage) damage: Vec<JournalDamage>,
    /// Where and how the last frame was cut off, if it was.
    pub(in crate::storage) torn_tail: Option<String>,
    /// Damage without loss (a head healed from its copy, padding that is not zero): file, position, what.
    pub(in crate::storage) blemishes: Vec<(PathBuf, u64, String)>,
    /// Bytes read from the disk.
    pub(in crate::storage) bytes_read: u64,
    /// Sequence of the first frame after this recovery.
    pub(in crate::storage) next_sequence: u64,
    /// Sequence of the first frame of the oldest file that matters.
    pub(in crate::storage) first_sequence: Option<u64>,
    from: u64,
    /// By lap.
    pub(super) live: Vec<LiveFile>,
    pub(super) free: Vec<RingFile>,
    /// Where the accepted frames end.
    pub(super) end: LapEnd,
    /// The highest lap of any file.
    pub(super) lap_max: u64,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let live = self.live.len();
        f.debug_struct("Scan")
            .field("damage", &self.damage)
            .field("torn_tail", &self.torn_tail)
            .field("blemishes", &self.blemishes)
            .field("next_sequence", &self.next_sequence)
            .field("live", &live)
            .finish_non_exhaustive()
    }
}

impl Scan {
    /// Reads every journal file that may hold a frame with at least the sequence `from` (what the checkpoint covers up
    /// to). A directory that is missing or empty is an empty journal, and damage if a checkpoint says otherwise.
    ///
    /// # Errors
    /// A disk call failed, a file or frame is of a newer build, or the heads of the files leave no order among them.
    pub(in crate::storage) fn read(disk: &dyn Disk, directory: &Path, from: u64) -> Result<Scan, OpenError> {
        Self::read_with(disk, directory, from, OpenMode::ReadWrite)
    }

    /// As [`Scan::read`]; with [`OpenMode::Read`] no journal can be opened after it.
    pub(in crate::storage) fn read_with(
        disk: &dyn Disk,
        directory: &Path,
        from: u64,
        mode: OpenMode,
    ) -> Result<Scan, OpenError> {
        let files = RingFiles::read(disk, directory, mode)?;
        let chain = files.chain(from);
        let oldest = chain.first().and_then(|first| files.headed.get(*first)).map(|first| first.header);
        let oldest_lap = oldest.map(|oldest| oldest.lap);
        let mut scan = Scan {
            damage: Vec::new(),
            torn_tail: None,
            blemishes: files.blemishes,
            bytes_read: 0,
            next_sequence: from,
            first_sequence: oldest.map(|oldest| oldest.first_sequence),
            from,
            live: Vec::new(),
            free: files.blank,
            end: LapEnd { sequence: from, ..LapEnd::default() },
            lap_max: files.headed.last().map_or(0, |last| last.header.lap),
        };
        let (mut in_chain, mut beside) = (Vec::new(), Vec::new());
        for (index, headed) in files.headed.into_iter().enumerate() {
            if chain.contains(&index) {
                in_chain.push(headed);
            } else if oldest_lap.is_some_and(|lap| headed.header.lap > lap) {
                beside.push(headed);
            } else {
                scan.free.push(headed.file);
            }
        }
        scan.free.sort_by_key(|file| file.number);
        scan.read_chain(in_chain, directory)?;
        // Laps that damage cut off: they stay until a checkpoint covers the lap that followed.
        for headed in beside {
            scan.keep(headed, None, Vec::new());
        }
        let next_sequence = scan.next_sequence;
        scan.live.iter_mut().for_each(|live| live.free_at = live.free_at.min(next_sequence));
        Ok(scan)
    }

    fn read_chain(&mut self, chain: Vec<HeadedFile>, directory: &Path) -> Result<(), OpenError> {
        let mut replays = self.check_beginning(chain.first(), directory);
        // One beyond the highest sequence behind new damage.
        let mut behind_end = 0;
        let successors: Vec<_> = chain.iter().skip(1).map(|next| Some(next.header)).chain([None]).collect();
        for (headed, successor) in chain.into_iter().zip(successors) {
            let mut bytes = FileBytes::new(std::sync::Arc::clone(&headed.file.file))?;
            if !replays {
                let behind = all_groups(&mut bytes, &headed);
                behind_end = behind_end.max(headed.header.first_sequence).max(behind.sequence_end);
                self.bytes_read += bytes.bytes_read();
                self.keep(headed, Some(bytes), behind.spans);
                continue;
            }
            let bound = successor.map(|next| next.predecessor);
            let in_memory =
                |end: LapEnd| (usize::try_from(end.position).unwrap_or(usize::MAX), end.sequence, end.chain);
            let mut walked =
                walk(&mut bytes, &headed.header, Limits { bound: bound.map(in_memory), from: self.from });
            replays = self.take(&headed, &mut walked)?;
            behind_end = behind_end.max(walked.behind.sequence_end);
            if let Some(next) = successor.filter(|next| replays && next.first_sequence > walked.sequence) {
                self.note_known_gap(&mut bytes, &headed, &mut walked, next.first_sequence);
            }
            self.bytes_read += bytes.bytes_read();
            self.keep(headed, Some(bytes), walked.spans);
            if let (Some(live), Some(next)) = (self.live.last_mut(), successor) {
                live.free_at = next.first_sequence;
            }
        }
        self.finish(behind_end);
        Ok(())
    }

    /// Whether the oldest file begins where the checkpoint ends or before.
    fn check_beginning(&mut self, oldest: Option<&HeadedFile>, directory: &Path) -> bool {
        let from = self.from;
        let lost = |detail: String, is_known: bool| JournalDamage {
            file: directory.to_path_buf(),
            position: 0,
            sequence: from,
            detail,
            is_known,
        };
        match oldest.map(|oldest| oldest.header) {
            None if from == 0 => true,
            None => {
                self.damage
                    .push(lost(format!("the journal is gone; frames from {from} on stood in it"), false));
                false
            }
            Some(header) if header.first_sequence <= from => true,
            Some(header) if header.predecessor.lap == 0 && header.predecessor.sequence <= from => {
                if header.first_sequence > header.predecessor.sequence {
                    self.damage
                        .push(lost("an earlier start found that the journal was gone".to_string(), true));
                }
                true
            }
            Some(header) => {
                let lap = header.predecessor.lap;
                let detail =
                    format!("the journal file with lap {lap}, before lap {}, is missing", header.lap);
                self.damage.push(lost(detail, false));
                false
            }
        }
    }

    /// Takes note of how a file's walk ended; whether the next file's frames count.
    fn take(&mut self, headed: &HeadedFile, walked: &mut Walked) -> Result<bool, OpenError> {
        let path = headed.file.file.path();
        let position = walked.position as u64;
        let blemishes = walked.blemishes.iter();
        self.blemishes.extend(blemishes.map(|(at, what)| (path.to_path_buf(), *at as u64, what.clone())));
        let (sequence, chain) = (walked.sequence, walked.chain);
        self.end = LapEnd { lap: headed.header.lap, position, sequence, chain };
        match &walked.stop {
            Stop::Bound => return Ok(true),
            Stop::Clean => {}
            Stop::Torn(detail) => {
                self.torn_tail = Some(format!("{} was cut at byte {position}: {detail}", path.display()));
            }
            Stop::Damaged(detail) => {
                walked.spans.append(&mut walked.behind.spans);
                self.damage.push(damage_at(path, walked, detail.clone(), false));
            }
            Stop::Newer(found) => {
                let (file, found) = (path.to_path_buf(), u32::from(*found));
                return Err(OpenError::NewerFormat { file, found, known: u32::from(FRAME_VERSION) });
            }
        }
        Ok(false)
    }

    /// The next lap began with a gap: an earlier start found damage here.
    fn note_known_gap(&mut self, bytes: &mut FileBytes, headed: &HeadedFile, walked: &mut Walked, next: u64) {
        if next <= self.from {
            return;
        }
        let (block, end) = (headed.header.block_bytes as usize, bytes.len());
        let mut behind = search(bytes, headed.header.lap, block, (walked.position, end), walked.sequence);
        walked.spans.append(&mut behind.spans);
        let detail =
            format!("an earlier start found damage among frames {} to {}", walked.sequence, next - 1);
        self.damage.push(damage_at(headed.file.file.path(), walked, detail, true));
    }

    fn keep(&mut self, headed: HeadedFile, bytes: Option<FileBytes>, spans: Vec<Span>) {
        let block_bytes = headed.header.block_bytes as usize;
        let bytes = bytes.map_or_else(Bytes::new, FileBytes::into_bytes);
        self.live.push(LiveFile { file: headed.file, free_at: u64::MAX, bytes, spans, block_bytes });
    }

    fn finish(&mut self, behind_end: u64) {
        let is_new = self.damage.last().is_some_and(|damage| !damage.is_known);
        self.next_sequence = self.end.sequence.max(self.from);
        if is_new {
            // The gap says so again at the next start, even where nothing behind the damage could be read.
            self.next_sequence = behind_end.max(self.next_sequence + 1);
        } else if self.end.sequence < self.from {
            let (ended, from) = (self.end.sequence, self.from);
            let detail = format!("the journal ends at frame {ended}, the checkpoint covers all below {from}");
            let file = self.live.last().map(|live| live.file.file.path().to_path_buf());
            self.blemishes.push((file.unwrap_or_default(), self.end.position, detail));
        }
    }

    /// What was read may not be on the disk for good yet: an earlier process may have ended between a write and its sync.
    /// Nothing may be done upon it before.
    ///
    /// # Errors
    /// A sync failed.
    pub(in crate::storage) fn make_durable(&self) -> DiskResult<()> {
        self.live.iter().try_for_each(|live| live.file.file.sync_data())
    }

    /// Every whole frame with at least the sequence `from`, in order. May be called any number of times.
    ///
    /// # Errors
    /// What `on_frame` returns, or a frame whose checksum is right and whose content is not a frame's.
    pub(in crate::storage) fn replay(
        &self,
        on_frame: &mut dyn FnMut(u64, Frame) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        self.live.iter().try_for_each(|live| live.replay(self.from, on_frame))
    }
}

impl LiveFile {
    /// Bytes of accepted frames; of a file that was not read, all it has room for.
    pub(super) fn bytes_used(&self) -> u64 {
        let used = self.spans.last().map(|span| (span.end as u64).saturating_sub(self.file.data_start()));
        used.unwrap_or_else(|| self.file.capacity())
    }

    fn replay(
        &self,
        from: u64,
        on_frame: &mut dyn FnMut(u64, Frame) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        for span in &self.spans {
            let mut position = span.start;
            while position < span.end {
                let Some(head) = self.bytes.get(position..).and_then(FrameHead::parse) else { break };
                let end = position.saturating_add(head.length).min(self.bytes.len());
                if head.place.sequence >= from {
                    let frame = decode(&head, &self.bytes.slice(position..end));
                    on_frame(
                        head.place.sequence,
                        frame.map_err(|problem| self.malformed(position, problem))?,
                    )?;
                }
                position = if head.place.last { end.next_multiple_of(self.block_bytes) } else { end };
            }
        }
        Ok(())
    }

    fn malformed(&self, position: usize, problem: FrameProblem) -> OpenError {
        let file = self.file.file.path().to_path_buf();
        match problem {
            FrameProblem::Newer { found } => {
                OpenError::NewerFormat { file, found: u32::from(found), known: u32::from(FRAME_VERSION) }
            }
            FrameProblem::Malformed(what) => {
                let detail = format!("a frame with the right checksum is not one: {what}");
                OpenError::Damaged { file, position: position as u64, detail }
            }
        }
    }
}

fn damage_at(path: &Path, walked: &Walked, detail: String, is_known: bool) -> JournalDamage {
    JournalDamage {
        file: path.to_path_buf(),
        position: walked.position as u64,
        sequence: walked.sequence,
        detail,
        is_known,
    }
}

/// All whole groups of a file.
fn all_groups(bytes: &mut FileBytes, headed: &HeadedFile) -> Behind {
    let (block, end) = (headed.header.block_bytes as usize, bytes.len());
    let start = usize::try_from(headed.header.data_start()).unwrap_or(usize::MAX);
    search(bytes, headed.header.lap, block, (start, end), 0)
}
