//! Beginning to write: what recovery accepted is synced, and a lap higher than any is begun in a fresh file, its head synced
//! before anything else. So what lies behind the cut stays dead at the next recovery too.

use super::{
    Journal, JournalSetup, Scan,
    committer::Committer,
    file::{RingFile, Unfinished},
    handle::Handle,
    header::{FileHeader, LapEnd},
    prepare::Preparation,
    queue::Queue,
    ring::{Ring, Used, lap_begun},
    scan::LiveFile,
    shared::Shared,
};
use crate::{
    disk::{Disk, DiskErrorKind, DiskResult},
    storage::layout::{TEMPORARY_SUFFIX, journal_file_number},
};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// The part of a file system's free space that the ring may take.
const FREE_SPACE_PART: u64 = 8;

impl Journal {
    /// Begins a new lap after what a scan found. Where there is no free file and no space for one, the lap is still to be
    /// begun ([`Journal::has_begun`], [`Journal::begin`]). Nothing is committed before one of the starts is called.
    ///
    /// # Errors
    /// A disk call failed; `NoSpace` only where there was no file at all: give space back and call again.
    pub(in crate::storage) fn open(setup: JournalSetup, found: &Scan) -> DiskResult<Journal> {
        let JournalSetup { disk, directory, options, clock } = setup;
        let mut next_number = clear_directory(&*disk, &directory)?;
        // An earlier start may have ended before the names of the files it made were durable.
        disk.sync_dir(&directory)?;
        found.make_durable()?;
        let present: u64 =
            found.live.iter().map(|live| &live.file).chain(&found.free).map(|file| file.bytes).sum();
        let free_space = disk.free_bytes(&directory)? / FREE_SPACE_PART;
        let first_bytes = options.file_bytes_first;
        let start_bytes = options.file_bytes_at_start;
        let small_disk_max = (present + free_space).max(2 * first_bytes);
        let ring_bytes_max = options.ring_bytes_max.min(small_disk_max);

        let mut free: VecDeque<RingFile> = found.free.iter().cloned().collect();
        let begun = match free.pop_front() {
            Some(file) => begin_in(file, found).map(Some)?,
            None => {
                next_number += 1;
                match make_first(&*disk, &directory, (next_number - 1, start_bytes), found) {
                    Err(error) if error.kind == DiskErrorKind::NoSpace && !found.live.is_empty() => None,
                    made => made.map(Some)?,
                }
            }
        };
        let mut used: VecDeque<Used> = found.live.iter().map(used_up).collect();
        let has_begun = begun.is_some();
        let (current, end) = match begun {
            Some((file, header)) => (file.clone(), lap_begun(&file, &header)),
            None => {
                let Some(last) = used.pop_back() else { panic!("a journal without a file") };
                (last.file, LapEnd { sequence: found.next_sequence, ..found.end })
            }
        };
        let files = found.live.iter().map(|live| &live.file).chain(&found.free).chain([&current]);
        let largest = files.map(|file| file.bytes).max().unwrap_or(0);
        // The next file is twice as large as this.
        let last_bytes = if largest > start_bytes { largest } else { largest.max(first_bytes / 2) };
        // The directory's name may have been made by a start that got no further, or by this one.
        if let Some(parent) = directory.parent() {
            disk.sync_dir(parent)?;
        }
        let block_bytes = current.block_bytes();
        let ring = Ring::new(used, current, end, free);
        let shared = Shared {
            disk,
            directory,
            options,
            clock,
            ring_bytes_max,
            block_bytes,
            committer: Mutex::new(Committer::new()?),
            queue: Queue::new(end.sequence, ring.append_room()),
            ring: Mutex::new(ring),
            preparation: Mutex::new(Preparation { unfinished: None, next_number, last_bytes }),
            listener: Mutex::new(None),
            failure: OnceLock::new(),
            bytes_uncovered: AtomicU64::new(0),
            wants_prepare: AtomicBool::new(false),
            has_begun: AtomicBool::new(has_begun),
        };
        shared.publish(&shared.ring.lock());
        Ok(Journal(Arc::new(Handle::new(shared))))
    }

    /// Whether the lap of this start has begun. If not, a checkpoint that covers everything and [`Journal::recycle`] give
    /// [`Journal::begin`] a file.
    pub(in crate::storage) fn has_begun(&self) -> bool {
        self.0.shared.has_begun.load(Ordering::Acquire)
    }

    /// Begins the lap of this start in a file that a checkpoint covers, or in a new one.
    ///
    /// # Errors
    /// As [`Journal::open`]: there is still no free file, and no space for one.
    pub(in crate::storage) fn begin(&self, found: &Scan) -> DiskResult<()> {
        let shared = &self.0.shared;
        assert!(!self.has_begun(), "a start begins one lap");
        let mut preparation = shared.preparation.lock();
        let mut ring = shared.ring.lock();
        let (file, header) = match ring.take_covered() {
            Some(file) => begin_in(file, found)?,
            None => {
                let number = preparation.next_number;
                let bytes = shared.options.file_bytes_at_start;
                let made = make_first(&*shared.disk, &shared.directory, (number, bytes), found)?;
                preparation.next_number = number + 1;
                made
            }
        };
        ring.begin_first(file, &header);
        shared.publish(&ring);
        shared.has_begun.store(true, Ordering::Release);
        Ok(())
    }
}

fn used_up(live: &LiveFile) -> Used {
    Used { file: live.file.clone(), free_at: live.free_at, bytes: live.bytes_used() }
}

fn begin_in(file: RingFile, found: &Scan) -> DiskResult<(RingFile, FileHeader)> {
    let header = first_header(found, (file.bytes, file.block_bytes()));
    file.begin(&header)?;
    Ok((file, header))
}

fn first_header(found: &Scan, (file_bytes, block_bytes): (u64, u64)) -> FileHeader {
    FileHeader {
        lap: found.lap_max + 1,
        file_bytes,
        block_bytes: u32::try_from(block_bytes).unwrap_or(u32::MAX),
        first_sequence: found.next_sequence,
        predecessor: found.end,
    }
}

/// Makes a file and begins in it: zeros and its head are synced together, before it gets its name.
fn make_first(
    disk: &dyn Disk,
    directory: &Path,
    (number, bytes): (u32, u64),
    found: &Scan,
) -> DiskResult<(RingFile, FileHeader)> {
    let made = make(disk, directory, (number, bytes), found);
    if made.is_err() {
        Unfinished::give_up(disk, directory, number);
    }
    made
}

fn make(
    disk: &dyn Disk,
    directory: &Path,
    (number, bytes): (u32, u64),
    found: &Scan,
) -> DiskResult<(RingFile, FileHeader)> {
    let mut unfinished = Unfinished::create(disk, directory, number, bytes)?;
    while unfinished.write_zeros(bytes)? {}
    let header = first_header(found, (unfinished.bytes(), unfinished.block_bytes()));
    unfinished.write_header(&header)?;
    Ok((unfinished.finish(disk, directory)?, header))
}

/// Makes the directory, or removes unfinished files from it. Returns a number beyond those of all files.
fn clear_directory(disk: &dyn Disk, directory: &Path) -> DiskResult<u32> {
    if !disk.exists(directory)? {
        disk.create_dir(directory)?;
    }
    let mut next_number = 0;
    for entry in disk.read_dir(directory)? {
        if let Some(number) = journal_file_number(&entry.name) {
            next_number = next_number.max(number + 1);
        } else if entry.name.ends_with(TEMPORARY_SUFFIX) {
            disk.remove_file(&directory.join(&entry.name))?;
        }
    }
    Ok(next_number)
}
