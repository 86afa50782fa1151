//! A journal's ring that is full on a full disk, with the journal's own thread: whoever appends is refused in bounded time,
//! nothing is fenced, and appends go on by themselves when space returns.

use anyhow::{Context, Result};
use cairn_broker::{
    clock::SystemClock,
    ids::{LeaderEpoch, LogId, Offset},
    storage::{
        AppendError, CommitDriver, JournalOptions, Log, LogOptions, Store, StoreFailure, StoreListener,
        StoreOptions, StoreSetup,
    },
};
use cairn_proto::record::{Batch, BatchBuilder, BatchOptions};
use cairn_tests::faulty_disk::FaultyDisk;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Nobody;

impl StoreListener for Nobody {
    fn durable_advanced(&self, _advances: &[(LogId, Offset)]) {}
    fn store_failed(&self, _failure: &StoreFailure) {}
}

/// Two files of 256 KiB at most, segments allocated for all that is appended here, and no reserve: on the full disk not even
/// a checkpoint finds space.
fn options() -> StoreOptions {
    StoreOptions {
        journal: JournalOptions {
            ring_bytes_max: 512 << 10,
            file_bytes_first: 256 << 10,
            file_bytes_max: 256 << 10,
            ..JournalOptions::default()
        },
        checkpoint_after_bytes: 128 << 10,
        allocate_bytes_min: 64 << 20,
        allocate_bytes_max: 64 << 20,
        reserve_bytes: 0,
        ..StoreOptions::default()
    }
}

fn batch(value_bytes: usize) -> Result<Batch> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(1_000, None, Some(&vec![7; value_bytes]), &[])?;
    Ok(Batch::parse(builder.finish()?)?)
}

fn opened(disk: &FaultyDisk, options: StoreOptions) -> Result<(Store, Log)> {
    let (store, _) = Store::open(StoreSetup {
        disk: disk.shared(),
        path: PathBuf::from("/store"),
        options,
        clock: SystemClock::shared(),
        driver: CommitDriver::Thread,
        listener: Arc::new(Nobody),
    })?;
    let log = store.create_log(LogId(1), Offset(0), LogOptions::default())?;
    Ok((store, log))
}

/// Appends so many batches on a thread of its own; the number comes when all are appended.
fn append_all(log: &Log, value_bytes: usize, count: usize) -> Receiver<Result<usize>> {
    let (done, answer) = channel();
    let log = log.clone();
    std::thread::spawn(move || {
        let append = |_| -> Result<_> { Ok(log.append(&batch(value_bytes)?, LeaderEpoch(1))?) };
        let appended: Result<Vec<_>> = (0..count).map(append).collect();
        let _ = done.send(appended.map(|appended| appended.len()));
    });
    answer
}

/// Appends on a thread of its own until one is refused.
fn append_until_refused(log: &Log, value_bytes: usize) -> Receiver<(usize, AppendError)> {
    let (done, answer) = channel();
    let log = log.clone();
    std::thread::spawn(move || {
        let Ok(batch) = batch(value_bytes) else { return };
        for count in 0.. {
            if let Err(error) = log.append(&batch, LeaderEpoch(1)) {
                let _ = done.send((count, error));
                return;
            }
        }
    });
    answer
}

#[test]
fn a_full_ring_on_a_full_disk_refuses_in_time_and_goes_on_with_space() -> Result<()> {
    let disk = FaultyDisk::new(1);
    let (store, log) = opened(&disk, options())?;
    log.append(&batch(100)?, LeaderEpoch(1))?;
    store.sync()?;
    disk.set_capacity(Some(disk.used_bytes()));
    // Nobody does background work, several append.
    let answers: Vec<_> = (0..3).map(|_| append_until_refused(&log, 10_000)).collect();
    let mut appended = 1;
    for answer in answers {
        let (count, error) = answer.recv_timeout(PATIENCE).context("no answer in bounded time")?;
        assert!(matches!(error, AppendError::NoSpace(_)), "{error}");
        assert!(error.to_string().contains("full"), "{error}");
        appended += count;
    }
    assert!(appended > 10, "{appended} batches until the ring was full");
    assert!(store.failure().is_none(), "{:?}", store.failure());
    let (_, again) = append_until_refused(&log, 10_000).recv_timeout(PATIENCE)?;
    assert!(matches!(again, AppendError::NoSpace(_)), "{again}");

    disk.set_capacity(None);
    // So long after a refusal nobody tries again.
    std::thread::sleep(Duration::from_millis(1_100));
    append_all(&log, 10_000, 200).recv_timeout(PATIENCE).context("appends do not go on")??;
    store.sync()?;
    assert_eq!(log.durable(), Offset(i64::try_from(appended + 200)?));
    Ok(store.close()?)
}

#[test]
fn a_batch_that_no_journal_file_can_take_is_refused_and_holds_nobody_up() -> Result<()> {
    let disk = FaultyDisk::new(2);
    let roomy = StoreOptions { journal: JournalOptions::default(), ..options() };
    let (store, log) = opened(&disk, roomy)?;
    log.append(&batch(100)?, LeaderEpoch(1))?;
    disk.set_capacity(Some(disk.used_bytes()));
    // The journal's first file has 256 KiB.
    let large = append_until_refused(&log, 700_000).recv_timeout(PATIENCE).context("it waits for ever")?;
    assert!(matches!(large, (0, AppendError::NoSpace(_))), "{large:?}");
    append_all(&log, 100, 1).recv_timeout(PATIENCE).context("a small one waits behind it")??;
    store.sync()?;
    assert_eq!(log.durable(), Offset(2));

    disk.set_capacity(None);
    append_all(&log, 700_000, 5)
        .recv_timeout(PATIENCE)
        .context("it waits for a file that nobody makes")??;
    store.sync()?;
    assert_eq!(log.durable(), Offset(7));
    Ok(store.close()?)
}
