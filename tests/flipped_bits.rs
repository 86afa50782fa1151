//! One wrong bit in any file of a stopped broker's directory: `verify` names the file and the place, and the broker
//! refuses to start and names the file, or heals, or serves everything but the damaged offsets, with an error that names
//! these. Never wrong bytes, never silence.

#![cfg(test)]

use anyhow::{Context as _, Result, ensure};
use cairn_broker::{
    disk::OsDisk,
    storage::{VerifyReport, verify},
};
use cairn_client::{Client, ConsumeError, NewTopic, Record, StartAt};
use cairn_tests::{
    process::BrokerProcess,
    scene::{ENDS_WITHIN, Scene, stop_cleanly},
    seed, tree,
};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const TOPIC: &str = "bits";
const PARTITIONS: u32 = 2;
const RECORDS: usize = 900;
/// Positions tried in each file: by `verify`, and by a broker that starts on it.
const VERIFIED_PER_FILE: usize = 12;
const STARTED_PER_FILE: usize = 3;
/// No frame or batch of this test is longer.
const NEAR_BYTES: u64 = 8192;
/// Wider damage than this says that more is withheld than a few batches.
const DAMAGED_OFFSETS_MAX: i64 = 200;

/// By partition and offset, what was acknowledged.
type Content = BTreeMap<(u32, i64), Vec<u8>>;

fn scene() -> Result<Scene> {
    Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))
}

/// A directory with every kind of file, and what it holds. `end` ends the broker.
async fn populated(scene: &Scene, end: fn(BrokerProcess) -> Result<()>) -> Result<Content> {
    let broker = tokio::task::block_in_place(|| scene.small_broker().start())?;
    let client = Client::connect(broker.grpc_address()).await?;
    let topic = NewTopic::named(TOPIC).partitions(PARTITIONS).config("segment.bytes", "65536");
    client.admin().create_topic(topic).await?;
    let producer = client.producer().batch_bytes(2000).build().await?;
    let mut content = Content::new();
    let mut deliveries = Vec::new();
    for number in 0..RECORDS {
        let value = format!("record {number} {}", "x".repeat(number % 300)).into_bytes();
        let partition = u32::try_from(number)? % PARTITIONS;
        let record = Record::to(TOPIC).partition(partition).value(value.clone());
        deliveries.push((value, producer.send(record).await?));
    }
    for (value, delivery) in deliveries {
        let delivered = delivery.await?;
        content.insert((delivered.partition, delivered.offset), value);
    }
    ensure!(content.len() == RECORDS, "two records share a place");
    producer.close(Duration::from_secs(10)).await?;
    client.close().await;
    tokio::task::block_in_place(|| end(broker))?;
    Ok(content)
}

fn verified(directory: &Path) -> Result<VerifyReport> {
    Ok(verify(&*OsDisk::shared(), directory, &mut |_| {})?)
}

/// Files whose every byte means something.
fn files_with_content(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = tree::files(directory)?;
    files.retain(|file| !matches!(file.file_name().and_then(|name| name.to_str()), Some("lock" | "reserve")));
    Ok(files)
}

/// The kind of a file: its name without numbers.
fn kind(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let store = file.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned());
    let name: String = name.chars().filter(|c| !c.is_ascii_digit()).collect();
    format!("{} {name}", store.filter(|_| file.components().count() > 1).unwrap_or_default())
}

fn position_in(random: &mut ChaCha8Rng, live: u64, sample: usize) -> u64 {
    match sample {
        0 => 0,
        1 => live - 1,
        _ => random.random_range(0..live),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_names_the_file_and_the_place_of_a_wrong_bit() -> Result<()> {
    let mut random = seed::random("flipped_bits");
    let scene = scene()?;
    populated(&scene, stop_cleanly).await?;
    let directory = scene.data();
    let before = verified(&directory)?;
    ensure!(before.damage.is_empty(), "{before:?}");
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut silent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files_with_content(&directory)? {
        let path = directory.join(&file);
        let live = tree::live_bytes(&path)?;
        for sample in 0..VERIFIED_PER_FILE.min(usize::try_from(live)?) {
            let (position, bit) = (position_in(&mut random, live, sample), random.random_range(0..8));
            tree::flip(&path, position, bit)?;
            let found = match verified(&directory) {
                Ok(report) => names(&report, &path, position),
                Err(refusal) => refusal.to_string().contains(&*path.to_string_lossy()),
            };
            tree::flip(&path, position, bit)?;
            *kinds.entry(kind(&file)).or_default() += 1;
            if !found {
                let flip = format!("{} byte {position} of {live} bit {bit}", file.display());
                silent.entry(kind(&file)).or_default().push(flip);
            }
        }
    }
    println!("{kinds:?}");
    for (kind, flips) in &silent {
        println!("{} of {:?} flips in {kind} were not found: {}", flips.len(), kinds.get(kind), flips[0]);
    }
    ensure!(silent.is_empty(), "verify is silent about {:?}", silent.keys());
    ensure!(verified(&directory)?.damage.is_empty(), "the test did not put every bit back");
    for wanted in ["cairn.meta", "checkpoint", ".journal", ".log", ".index", ".producers"] {
        ensure!(kinds.keys().any(|kind| kind.ends_with(wanted)), "there is no {wanted} file: {kinds:?}");
    }
    Ok(())
}

/// Whether a report names the damage, or the torn tail, in that file. Where a file has many checksums, the place is that
/// of the frame or batch; where it has one, any place in it.
fn names(report: &VerifyReport, file: &Path, position: u64) -> bool {
    let has_many = file.extension().is_some_and(|extension| extension == "journal" || extension == "log");
    let is_near = |at: u64| at <= position && position - at < NEAR_BYTES;
    let mut damage = report.damage.iter().filter(|damage| damage.file == file);
    damage.any(|damage| !has_many || is_near(damage.position))
        || report.notes.iter().any(|note| note.contains(&*file.to_string_lossy()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_finds_padding_that_is_not_zero() -> Result<()> {
    let mut random = seed::random("flipped_bits");
    let scene = scene()?;
    populated(&scene, stop_cleanly).await?;
    let directory = scene.data();
    let mut tried = 0;
    for file in files_with_content(&directory)? {
        let path = directory.join(&file);
        let (live, mut length) = (tree::live_bytes(&path)?, path.metadata()?.len());
        if path.extension().is_some_and(|extension| extension == "journal") {
            // Behind the last group lies what the next lap overwrites: what stands there means nothing.
            length = live.next_multiple_of(4096);
        }
        for _ in 0..10 {
            if live == length {
                break;
            }
            let position = random.random_range(live..length);
            tree::flip(&path, position, 3)?;
            let report = verified(&directory);
            tree::flip(&path, position, 3)?;
            let found = report.map_or_else(|_| true, |report| names(&report, &path, position));
            ensure!(found, "{} byte {position}, behind its {live} live bytes", file.display());
            tried += 1;
        }
    }
    ensure!(tried > 10, "there is hardly any padding");
    Ok(())
}

async fn starts_on_wrong_bits(end: fn(BrokerProcess) -> Result<()>) -> Result<()> {
    let mut random = seed::random("flipped_bits");
    let scene = scene()?;
    let content = populated(&scene, end).await?;
    let good = scene.data();
    let mut outcomes: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for file in files_with_content(&good)? {
        let live = tree::live_bytes(&good.join(&file))?;
        for sample in 0..STARTED_PER_FILE.min(usize::try_from(live)?) {
            let (position, bit) = (position_in(&mut random, live, sample), random.random_range(0..8));
            let copy = scene.path().join("flipped");
            tree::copy(&good, &copy)?;
            tree::flip(&copy.join(&file), position, bit)?;
            let what = format!("{} byte {position} of {live} bit {bit}", file.display());
            let outcome = start_on(&scene, &copy, &file, &content).await.context(what)?;
            *outcomes.entry(kind(&file)).or_default().entry(outcome).or_default() += 1;
            fs::remove_dir_all(&copy)?;
        }
    }
    println!("{outcomes:#?}");
    Ok(())
}

/// What a broker makes of a directory in which `file` is damaged.
async fn start_on(scene: &Scene, directory: &Path, file: &Path, content: &Content) -> Result<&'static str> {
    // Complaints are what is wanted here.
    let command = scene.broker_on(directory).expecting_complaint("");
    let started = tokio::task::block_in_place(|| command.start());
    let broker = match started {
        Ok(broker) => broker,
        Err(refusal) => {
            let said = format!("{refusal:#}");
            let name = file.file_name().context("a name")?.to_string_lossy().into_owned();
            ensure!(
                said.contains(&name) && !said.contains("panicked"),
                "refused without naming {name}: {said}"
            );
            return Ok("refused");
        }
    };
    let client = Client::connect(broker.grpc_address()).await?;
    let damaged = read_around_damage(&client, content).await;
    let said = broker.said();
    let damaged = damaged.with_context(|| said.clone())?;
    if damaged > 0 {
        let described = client.admin().describe_topic(TOPIC).await?;
        let problems: Vec<_> = described.partitions.iter().flat_map(|one| &one.problems).collect();
        ensure!(
            problems.iter().any(|problem| problem.contains("cannot be read")),
            "the topic has {problems:?}"
        );
    }
    client.close().await;
    ensure!(!said.contains("panicked"), "{said}");
    tokio::task::block_in_place(|| broker.stop(Signal::TERM, ENDS_WITHIN))?;
    ensure!(damaged <= DAMAGED_OFFSETS_MAX, "{damaged} offsets are withheld");
    Ok(if damaged > 0 { "served around the damage" } else { "served everything" })
}

/// Reads every partition; how many offsets were answered with an error that names them. All others must be right.
async fn read_around_damage(client: &Client, content: &Content) -> Result<i64> {
    let mut damaged = 0;
    for partition in 0..PARTITIONS {
        let end = 1 + content.range((partition, 0)..(partition + 1, 0)).next_back().context("records")?.0.1;
        let consumer = client.consumer().assign(TOPIC, [partition]).from(StartAt::Beginning);
        let mut consumer = consumer.build().await?;
        let mut next = 0;
        while next < end {
            let record = tokio::time::timeout(Duration::from_secs(6), consumer.next_record()).await;
            match record.context("the consumer stands still")?.context("closed")? {
                Ok(record) => {
                    ensure!(record.offset == next, "{next} was skipped to {} without a word", record.offset);
                    let wanted = content.get(&(partition, record.offset)).map(Vec::as_slice);
                    ensure!(
                        record.value.as_deref() == wanted,
                        "wrong bytes at {partition}/{}",
                        record.offset
                    );
                    next = record.offset + 1;
                }
                Err(ConsumeError::Damaged { damaged_from, damaged_to, .. }) => {
                    ensure!(
                        damaged_from <= next && next < damaged_to && damaged_to <= end,
                        "at {next} of {end}: {damaged_from}..{damaged_to} is called damaged"
                    );
                    damaged += damaged_to - next;
                    next = damaged_to;
                    consumer.seek(TOPIC, partition, StartAt::Offset(next)).await?;
                }
                Err(other) => return Err(other.into()),
            }
        }
    }
    Ok(damaged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_starts_on_wrong_bits_after_a_clean_end() -> Result<()> {
    starts_on_wrong_bits(stop_cleanly).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_starts_on_wrong_bits_after_a_kill() -> Result<()> {
    starts_on_wrong_bits(|broker| {
        // Until the journal's witness stands behind the last group, a wrong bit there is a torn tail.
        std::thread::sleep(Duration::from_millis(300));
        broker.kill()
    })
    .await
}
