//! Beginning to write: what recovery accepted is synced, and a lap higher than any is begun in a fresh file, its head synced
//! before anything else. So what lies behind the cut stays dead at the next recovery too.

use super::{
    Journal, JournalSetup, Scan,
    committer::Committer,
    file::{RingFile, Unfinished},
    handle::Handle,
    header::FileHeader,
    prepare::Preparation,
    queue::Queue,
    ring::{Ring, Used},
    shared::Shared,
};
use crate::{
    disk::{Disk, DiskResult},
    storage::{
        OpenError,
        layout::{TEMPORARY_SUFFIX, journal_file_number},
    },
};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64},
    },
};

/// The part of a file system's free space that the ring may take.
const FREE_SPACE_PART: u64 = 8;

impl Journal {
    /// Begins a new lap after what a scan found. Nothing is committed before one of the starts is called.
    ///
    /// # Errors
    /// A disk call failed; `NoSpace` when there was no free file and none could be made: give space back and call again.
    pub(in crate::storage) fn open(setup: JournalSetup, found: &Scan) -> Result<Journal, OpenError> {
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
        let (current, header) = match free.pop_front() {
            Some(file) => {
                let header = first_header(found, (file.bytes, file.block_bytes()));
                file.begin(&header)?;
                (file, header)
            }
            None => {
                next_number += 1;
                make_first(&*disk, &directory, (next_number - 1, start_bytes), found)?
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
        let used = found.live.iter().map(|live| Used {
            file: live.file.clone(),
            free_at: live.free_at,
            bytes: live.bytes_used(),
        });
        let block_bytes = current.block_bytes();
        let ring = Ring::new(used.collect(), current, &header, free);
        let shared = Shared {
            disk,
            directory,
            options,
            clock,
            ring_bytes_max,
            block_bytes,
            committer: Mutex::new(Committer::new()?),
            queue: Queue::new(header.first_sequence, ring.append_room()),
            ring: Mutex::new(ring),
            preparation: Mutex::new(Preparation { unfinished: None, next_number, last_bytes }),
            listener: Mutex::new(None),
            failure: OnceLock::new(),
            bytes_uncovered: AtomicU64::new(0),
            wants_prepare: AtomicBool::new(false),
        };
        shared.publish(&shared.ring.lock());
        Ok(Journal(Arc::new(Handle::new(shared))))
    }
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
