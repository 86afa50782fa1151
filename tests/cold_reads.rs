//! Records that have left the page cache: a read that may not wait says so and touches nothing, one that may wait brings
//! them back whole. On a real disk, because memory has no cold pages.

#![cfg(test)]

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use cairn_broker::{
    clock::SystemClock,
    disk::{Caching, OpenMode, OsDisk},
    ids::{LeaderEpoch, LogId, Offset},
    storage::{
        CommitDriver, Log, LogOptions, ReadError, Residency, Store, StoreFailure, StoreListener,
        StoreOptions, StoreSetup,
    },
};
use cairn_client::{Client, NewTopic, Record, StartAt};
use cairn_proto::record::{Batch, BatchOptions, DecompressLimit};
use cairn_tests::{
    scene::{Scene, stop_cleanly},
    tree, wire,
};
use rand::RngCore as _;
use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const VALUE_BYTES: usize = 64 << 10;
const RECORDS: usize = 640;
/// Larger than what the kernel reads ahead.
const SEGMENT_BYTES: u64 = 16 << 20;
const EPOCH: LeaderEpoch = LeaderEpoch(1);

/// A directory on the disk that holds the build. Memory has no cold pages: there the tests fail and say so, rather than pass
/// without having tested anything.
fn directory() -> Result<tempfile::TempDir> {
    let directory = tempfile::Builder::new().prefix("cairn-cold-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    const TMPFS: rustix::fs::FsWord = 0x0102_1994;
    let is_memory = rustix::fs::statfs(directory.path())?.f_type == TMPFS;
    ensure!(!is_memory, "{} is in memory: build on a disk (CARGO_TARGET_DIR)", directory.path().display());
    Ok(directory)
}

/// Takes every segment out of the page cache. Nobody has them mapped.
fn evict(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut segments = Vec::new();
    for path in tree::files(directory)? {
        if path.extension().is_some_and(|extension| extension == "log") {
            let path = directory.join(path);
            let file = File::open(&path)?;
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
            segments.push(path);
        }
    }
    ensure!(!segments.is_empty(), "no segment below {}", directory.display());
    Ok(segments)
}

fn is_resident(segment: &Path, position: u64, bytes: usize) -> Result<bool> {
    let file = OsDisk::shared().open(segment, OpenMode::Read, Caching::Buffered)?;
    Ok(file.is_resident(position, bytes)?)
}

fn values() -> Vec<Bytes> {
    let mut random = cairn_tests::seed::random("cold_reads");
    let value = |_| {
        let mut value = vec![0; VALUE_BYTES];
        random.fill_bytes(&mut value);
        value.into()
    };
    (0..RECORDS).map(value).collect()
}

struct Deaf;

impl StoreListener for Deaf {
    fn durable_advanced(&self, _advances: &[(LogId, Offset)]) {}
    fn store_failed(&self, _failure: &StoreFailure) {}
}

fn open(path: &Path) -> Result<Store> {
    let setup = StoreSetup {
        disk: OsDisk::shared(),
        path: path.into(),
        options: StoreOptions::default(),
        clock: SystemClock::shared(),
        driver: CommitDriver::Thread,
        listener: Arc::new(Deaf),
    };
    Ok(Store::open(setup)?.0)
}

/// Appends each value, while another thread does what the broker's maintenance does: an append may wait for it.
fn fill(store: &Store, log: &Log, values: &[Bytes]) -> Result<()> {
    let filled = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !filled.load(Ordering::Acquire) {
                store.maintain();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let append = |value: &Bytes| {
            let batch = wire::batch(BatchOptions::default(), &[value])?;
            log.append(&Batch::parse(batch.into())?, EPOCH)?;
            Ok(())
        };
        let result = values.iter().try_for_each(append);
        filled.store(true, Ordering::Release);
        result
    })
}

/// The values of the records from an offset on, as far as one read goes.
fn read(log: &Log, offset: usize, residency: Residency) -> Result<Vec<Bytes>, ReadError> {
    let run =
        log.read(Offset(i64::try_from(offset).unwrap_or(i64::MAX)), log.end(), VALUE_BYTES, residency)?;
    let mut bytes = run.bytes;
    let mut values = Vec::new();
    while let Ok(Some(batch)) = Batch::split_first(&mut bytes) {
        let records = batch.records(DecompressLimit { bytes_max: 1 << 20 }).expect("whole batches");
        values.extend(records.filter_map(|record| record.expect("a record").value));
    }
    Ok(values)
}

#[test]
fn a_read_that_may_not_wait_touches_no_cold_page() -> Result<()> {
    let directory = directory()?;
    let path = directory.path().join("store");
    let values = values();
    let store = open(&path)?;
    let options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() };
    let log = store.create_log(LogId(1), Offset(0), options)?;
    fill(&store, &log, &values)?;
    store.close()?;
    drop((log, store));

    let store = open(&path)?;
    let log = store.log(LogId(1)).context("the log is there")?;
    let segments = evict(&path)?;
    let first = segments.first().context("a segment")?;
    ensure!(!is_resident(first, 0, 4096)?, "{} was not evicted", first.display());
    ensure!(matches!(read(&log, 0, Residency::Required), Err(ReadError::WouldBlock)), "the file is not open");
    ensure!(read(&log, 0, Residency::MayBlock)? == values[..1], "the first record");
    ensure!(read(&log, 0, Residency::Required)? == values[..1], "it is in memory now");

    // The file is open and mapped and its index known; what is missing is the page.
    let far = 150;
    let position = far as u64 * VALUE_BYTES as u64;
    ensure!(!is_resident(first, position, VALUE_BYTES)?, "the kernel reads too far ahead for this test");
    for _ in 0..3 {
        let refused = read(&log, far, Residency::Required);
        ensure!(matches!(refused, Err(ReadError::WouldBlock)), "{refused:?}");
    }
    ensure!(!is_resident(first, position, VALUE_BYTES)?, "the read that may not wait has brought it in");
    ensure!(read(&log, far, Residency::MayBlock)? == values[far..=far], "record {far}");
    ensure!(read(&log, far, Residency::Required)? == values[far..=far], "it is in memory now");
    for (offset, value) in values.iter().enumerate() {
        ensure!(read(&log, offset, Residency::MayBlock)?.first() == Some(value), "record {offset}");
    }
    Ok(store.close()?)
}

async fn cold_reads(http: &str) -> Result<u64> {
    let mut connection = TcpStream::connect(http).await?;
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    let line = answer.lines().find_map(|line| line.strip_prefix("cairn_cold_reads_total "));
    Ok(line.with_context(|| format!("no such metric: {answer}"))?.trim().parse()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_of_cold_segments_gets_every_byte() -> Result<()> {
    let directory = directory()?;
    let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
    let data = directory.path().join("data");
    let start = || tokio::task::block_in_place(|| scene.broker_on(&data).start());
    let values = values();
    let broker = start()?;
    let client = Client::connect(broker.grpc_address()).await?;
    client.admin().create_topic(NewTopic::named("cold").config("segment.bytes", "16777216")).await?;
    let producer = client.producer().build().await?;
    for value in &values {
        let _acknowledged_by_the_flush = producer.send(Record::to("cold").value(value.clone())).await?;
    }
    producer.flush().await;
    producer.close(Duration::from_secs(30)).await?;
    tokio::task::block_in_place(|| stop_cleanly(broker))?;
    evict(&data)?;

    let broker = start()?;
    let client = Client::connect(broker.grpc_address()).await?;
    let before = cold_reads(broker.http_address()).await?;
    let mut consumer = client.consumer().assign_all("cold").from(StartAt::Beginning).build().await?;
    for (offset, value) in values.iter().enumerate() {
        let next = tokio::time::timeout(Duration::from_secs(60), consumer.next_record()).await;
        let Some(record) = next.context("the consumer stands still")? else { bail!("it ended at {offset}") };
        let record = record?;
        ensure!(usize::try_from(record.offset) == Ok(offset), "{} instead of {offset}", record.offset);
        ensure!(record.value.as_ref() == Some(value), "record {offset}");
    }
    let cold = cold_reads(broker.http_address()).await? - before;
    println!("{cold} reads waited for the disk");
    ensure!(cold > 0, "no read waited for the disk: nothing was cold");
    tokio::task::block_in_place(|| stop_cleanly(broker))
}
