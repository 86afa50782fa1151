//! A journal in a temporary directory, stepped by the test, with a clock that the test moves; and ways to spoil its files.

mod damage;
mod failure;
mod formats;
mod groups;
mod recovery;
mod ring;

use super::*;
use crate::{
    clock::{Clock, Monotonic},
    disk::OsDisk,
    storage::frame::FrameBody,
};
use bytes::Bytes;
use cairn_proto::record::{Batch, BatchBuilder, BatchOptions};
use parking_lot::Mutex;
use std::{path::Path, time::Duration};

/// Moves only when told.
#[derive(Default)]
struct ManualClock(Mutex<Duration>);

impl ManualClock {
    fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> i64 {
        0
    }
    fn now(&self) -> Monotonic {
        Monotonic(*self.0.lock())
    }
    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// A sequence and the ends that came with it.
type Told = (u64, Vec<(LogId, JournalEnd)>);

/// Remembers what it was told.
#[derive(Default)]
struct Recorder {
    synced: Mutex<Vec<Told>>,
    failed: Mutex<Vec<StoreFailure>>,
}

impl CommitListener for Recorder {
    fn synced(&self, below: u64, ends: &[(LogId, JournalEnd)]) {
        self.synced.lock().push((below, ends.to_vec()));
    }
    fn failed(&self, failure: &StoreFailure) {
        self.failed.lock().push(failure.clone());
    }
}

fn small_options() -> JournalOptions {
    JournalOptions {
        ring_bytes_max: 512 << 10,
        file_bytes_at_start: 64 << 10,
        file_bytes_first: 64 << 10,
        file_bytes_max: 128 << 10,
        group_bytes_max: 16 << 10,
        queue_bytes_max: 64 << 10,
        witness_after: Duration::from_millis(5),
    }
}

/// A journal's directory over several starts.
struct Rig {
    root: tempfile::TempDir,
    disk: SharedDisk,
    options: JournalOptions,
    clock: Arc<ManualClock>,
    recorder: Arc<Recorder>,
}

impl Rig {
    fn new() -> Self {
        Self::with_disk(OsDisk::shared())
    }

    fn with_disk(disk: SharedDisk) -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            disk,
            options: small_options(),
            clock: Arc::default(),
            recorder: Arc::default(),
        }
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join("journal")
    }

    fn scan(&self, from: u64) -> Scan {
        Scan::read(&*self.disk, &self.directory(), from).unwrap()
    }

    fn setup(&self) -> JournalSetup {
        JournalSetup {
            disk: Arc::clone(&self.disk),
            directory: self.directory(),
            options: self.options.clone(),
            clock: Arc::clone(&self.clock) as SharedClock,
        }
    }

    /// A start as a broker makes it, stepped.
    fn start(&self, from: u64) -> Journal {
        let journal = Journal::open(self.setup(), &self.scan(from)).unwrap();
        journal.start_stepped(Arc::clone(&self.recorder) as Arc<dyn CommitListener>);
        journal
    }

    /// Sequences and frames that a start would replay.
    fn replayed(&self, from: u64) -> Vec<(u64, Frame)> {
        frames_of(&self.scan(from))
    }

    fn path_of(&self, number: u32) -> PathBuf {
        self.directory().join(crate::storage::layout::journal_file_name(number))
    }

    /// Changes the bytes of a file.
    fn spoil(&self, number: u32, change: impl FnOnce(&mut Vec<u8>)) {
        spoil(&self.path_of(number), change);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test spoils a file behind the disk's back")]
fn spoil(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = std::fs::read(path).unwrap();
    change(&mut content);
    std::fs::write(path, content).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a test looks at a file behind the disk's back")]
fn content_of(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

fn frames_of(scan: &Scan) -> Vec<(u64, Frame)> {
    let mut frames = Vec::new();
    scan.replay(&mut |sequence, frame| {
        frames.push((sequence, frame));
        Ok(())
    })
    .unwrap();
    frames
}

fn sequences(frames: &[(u64, Frame)]) -> Vec<u64> {
    frames.iter().map(|(sequence, _)| *sequence).collect()
}

/// A batch of one record of that many bytes, at an offset.
fn append(log: u64, offset: i64, value_bytes: usize) -> Frame {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let value = vec![u8::try_from(offset & 0xff).unwrap(); value_bytes];
    builder.append(1_000, None, Some(&value), &[]).unwrap();
    let batch = Batch::parse(builder.finish().unwrap()).unwrap().stamp(offset, 3, None);
    Frame { log: LogId(log), body: FrameBody::Append { segment_base: Offset(0), position: 77, batch } }
}

fn truncate(log: u64, end: i64) -> Frame {
    Frame { log: LogId(log), body: FrameBody::Truncate { end: Offset(end) } }
}

/// Enqueues and commits one group.
fn commit(journal: &Journal, frames: impl IntoIterator<Item = Frame>) -> u64 {
    let mut last = 0;
    for frame in frames {
        last = journal.enqueue(frame).unwrap();
    }
    assert!(journal.step());
    assert_eq!(journal.synced(), last + 1);
    last
}

fn same(one: &Frame, other: &Frame) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

fn bytes_of(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
