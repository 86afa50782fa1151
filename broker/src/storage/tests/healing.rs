//! A journal that is damaged above its checkpoint: what the segments still hold is made good, what they do not hold either is an
//! error that names its offsets, at this start and at every later one, and everything else is served.

use super::*;
use std::path::PathBuf;

const OTHER: LogId = LogId(8);
const PRODUCER: i64 = 77;

/// A store that was killed: three logs whose frames no checkpoint covers, rolled segments, an epoch change, a deleted log, a
/// log start, an idempotent producer.
fn killed(path: &Path) {
    let (store, _) = open(path);
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    let other = store.create_log(OTHER, Offset::ZERO, small_log()).expect("created");
    let gone = store.create_log(LogId(9), Offset::ZERO, small_log()).expect("created");
    for round in 0..12 {
        fill(&log, 7);
        if round < 10 {
            fill(&other, 3);
        }
        fill(&gone, 1);
        store.sync().expect("synced");
    }
    store.delete_log(LogId(9), DeletionCause::TopicDelete).expect("deleted");
    log.append(&batch(84, 100), LeaderEpoch(4)).expect("appended");
    for sequence in 0..4 {
        let number = 30 + u64::try_from(sequence).expect("small");
        other.append(&idempotent(number, 100, Some((PRODUCER, 0, sequence))), EPOCH).expect("appended");
        store.sync().expect("synced");
    }
    fill(&store.create_log(LogId(10), Offset::ZERO, small_log()).expect("created"), 2);
    store.sync().expect("synced");
    // The witness of the last group.
    std::thread::sleep(std::time::Duration::from_millis(10));
    assert!(store.step(), "the witness is written");
}

fn journal_file(path: &Path) -> PathBuf {
    let entries = std::fs::read_dir(path.join("journal")).expect("listed");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.remove(0)
}

/// Where frames stand in a journal file: found by their lap, and by their checksum.
fn frames(content: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut frames = Vec::new();
    let mut at = 8192;
    while at + 64 <= content.len() {
        let length = u32::from_le_bytes(content[at + 4..at + 8].try_into().expect("four")) as usize;
        let stored = u32::from_le_bytes(content[at..at + 4].try_into().expect("four"));
        let whole = (64..1 << 20).contains(&length) && at + length <= content.len();
        // Of an append, the checksum ends behind the batch's header.
        let covered = if content.get(at + 9) == Some(&1) { length.min(141) } else { length };
        if whole && crc32fast::hash(&content[at + 4..at + covered]) == stored {
            frames.push(at..at + length);
            let is_last = content[at + 10] & 2 != 0;
            at += length;
            if is_last {
                at = at.next_multiple_of(4096);
            }
        } else {
            at = (at + 1).next_multiple_of(4096);
        }
    }
    frames
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("created");
    for entry in std::fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn is_whole(store: &Store) {
    for (log, end, latest) in [(LOG, 85, 4), (OTHER, 34, 3), (LogId(10), 2, 3)] {
        let log = store.log(log).expect("there");
        assert_eq!((log.start(), log.end(), log.durable()), (Offset(0), Offset(end), Offset(end)));
        assert_eq!(log.latest_epoch(), Some(LeaderEpoch(latest)));
        assert_eq!(check_all(&log), end);
        assert_eq!(log.damaged_ranges(), []);
    }
}

#[test]
fn a_flipped_bit_in_any_frame_is_made_good_from_the_segments() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = directory.path().join("good");
    killed(&good);
    let content = std::fs::read(journal_file(&good)).expect("read");
    let frames = frames(&content);
    assert!(frames.len() > 140, "{} frames", frames.len());
    for (index, frame) in frames.iter().enumerate() {
        // A bit of the header, of the payload, and of the length, by turns.
        let place = [frame.start + 20, frame.end - 1, frame.start + 5][index % 3];
        let path = directory.path().join("damaged");
        copy(&good, &path);
        let mut damaged = content.clone();
        damaged[place] ^= 0x08;
        std::fs::write(journal_file(&path), damaged).expect("written");
        for start in 0..3 {
            let (store, report) = open(&path);
            is_whole(&store);
            if start == 0 && index + 1 < frames.len() {
                assert!(
                    report.problems.iter().any(|problem| problem.contains(".journal")),
                    "frame {index}: nothing was said: {:?}",
                    report.problems
                );
            }
            if start == 1 {
                let other = store.log(OTHER).expect("there");
                let again = other.append(&idempotent(33, 100, Some((PRODUCER, 0, 3))), EPOCH);
                let again = again.expect("a duplicate");
                assert!(again.duplicate && again.base_offset == Offset(33), "frame {index}: {again:?}");
            }
        }
        std::fs::remove_dir_all(&path).expect("removed");
    }
}

#[test]
fn several_damaged_frames_are_made_good_and_the_log_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    killed(&path);
    let file = journal_file(&path);
    let mut content = std::fs::read(&file).expect("read");
    let frames = frames(&content);
    for frame in frames.iter().skip(3).step_by(17) {
        content[frame.end - 1] ^= 1;
    }
    std::fs::write(&file, content).expect("written");
    let (store, report) = open(&path);
    is_whole(&store);
    assert!(report.problems.iter().any(|problem| problem.contains("made good")), "{:?}", report.problems);
    let log = store.log(LOG).expect("there");
    log.append(&batch(85, 100), LeaderEpoch(5)).expect("appended");
    store.sync().expect("synced");
    drop((log, store));
    let (store, report) = open(&path);
    assert_eq!(report.problems, Vec::<String>::new(), "a checkpoint covers the damage");
    assert_eq!(report.suspect_logs, []);
    assert_eq!(check_all(&store.log(LOG).expect("there")), 86);
}

/// Offsets that answer with an error, all others being right.
fn withheld(log: &Log) -> Vec<i64> {
    let mut withheld = Vec::new();
    for offset in 0..log.end().get() {
        match log.read(Offset(offset), log.end(), 1, Residency::MayBlock) {
            Ok(run) => {
                let batch = Batch::parse(run.bytes).expect("one batch");
                assert!(batch.crc_ok() && batch.header().base_offset == offset);
            }
            Err(ReadError::Damaged { from, to, .. }) => {
                assert!(from.get() <= offset && offset < to.get(), "{from} {to} {offset}");
                withheld.push(offset);
            }
            Err(error) => panic!("offset {offset}: {error}"),
        }
    }
    withheld
}

#[test]
fn what_neither_journal_nor_segment_holds_is_an_error_that_names_it_for_ever() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = directory.path().join("good");
    killed(&good);
    let content = std::fs::read(journal_file(&good)).expect("read");
    let frames = frames(&content);
    let appends: Vec<_> = frames.iter().filter(|frame| content[frame.start + 9] == 1).collect();
    let mut lost_at_all = 0;
    for frame in appends.iter().step_by(5) {
        let field = |at: usize| {
            i64::from_le_bytes(content[frame.start + at..frame.start + at + 8].try_into().expect("eight"))
        };
        let (log, offset, segment) = (LogId(u64::try_from(field(32)).expect("an id")), field(40), field(64));
        let position = usize::try_from(field(72)).expect("a position");
        if log == LogId(9) {
            continue;
        }
        let path = directory.path().join("damaged");
        copy(&good, &path);
        let mut damaged = content.clone();
        damaged[frame.end - 1] ^= 2;
        std::fs::write(journal_file(&path), damaged).expect("written");
        // The page of the segment never reached the disk.
        let file = path.join(format!("logs/{log}/{segment:020}.log"));
        let mut batches = std::fs::read(&file).expect("read");
        let length = frame.end - frame.start - 80;
        batches[position..position + length].fill(0);
        std::fs::write(&file, batches).expect("written");
        for start in 0..3 {
            let (store, report) = open(&path);
            let is_last =
                offset + 1 == [85, 34, 2][[7, 8, 10].iter().position(|id| *id == log.get()).expect("known")];
            for id in [LOG, OTHER, LogId(10)] {
                let log_read = store.log(id).expect("there");
                let expected = if id == log && !is_last { vec![offset] } else { Vec::new() };
                assert_eq!(withheld(&log_read), expected, "start {start}, offset {offset} of log {log}");
            }
            if is_last && start == 0 {
                assert!(report.suspect_logs.contains(&log), "{report:?}");
            }
            lost_at_all += usize::from(!is_last);
        }
        std::fs::remove_dir_all(&path).expect("removed");
    }
    assert!(lost_at_all > 30, "{lost_at_all}");
}
