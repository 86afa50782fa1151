//! The bodies of the fuzz targets in `tests/fuzz`, bounded: any bytes, and valid bytes with some of them changed. A body
//! asserts what must hold of its answers; here it must also stay within its time and its memory.

#![cfg(test)]

use cairn_broker::{disk::fuzz::small_file, metadata, storage};
use cairn_proto::{
    fuzz, kafka,
    kafka::{ApiKey, RequestBody, ResponseBody},
    record::{BatchBuilder, BatchOptions, Compression},
};
use parking_lot::Mutex;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{
    alloc::System,
    cell::Cell,
    fs,
    path::Path,
    time::{Duration, Instant},
};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![any::<u8>(), Just(0), Just(0xff), 0_u8..16], 0..600)
}

fn valid_batch() -> impl Strategy<Value = Vec<u8>> {
    let record = (any::<u32>(), proptest::option::of(vec(any::<u8>(), 0..40)));
    (prop::sample::select(CODECS.to_vec()), vec(record, 1..20)).prop_map(|(compression, records)| {
        let mut builder = BatchBuilder::new(BatchOptions { compression, ..BatchOptions::default() });
        for (timestamp, value) in records {
            builder
                .append(i64::from(timestamp), None, value.as_deref(), &[("key", Some(&b"value"[..]))])
                .expect("fits");
        }
        builder.finish().expect("encodes").to_vec()
    })
}

type Changes = Vec<(prop::sample::Index, u8)>;

fn changed(mut bytes: Vec<u8>, changes: Changes) -> Vec<u8> {
    for (index, value) in changes {
        let index = index.index(bytes.len());
        bytes[index] = value;
    }
    bytes
}

fn changes() -> impl Strategy<Value = Changes> {
    vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)
}

/// No body allocates more than this altogether, whatever counts and lengths its few bytes declare.
const ALLOCATED_BYTES_MAX: usize = 16 << 20;
/// Generous, because the machine may be busy.
const BODY_TIME_MAX: Duration = Duration::from_secs(2);
const CASES: u32 = 3000;

/// The choices behind a Kafka message: its API, its version, and the bytes that make it.
fn kafka_choices() -> impl Strategy<Value = (ApiKey, prop::sample::Index, Vec<u8>)> {
    (prop::sample::select(ApiKey::ALL.to_vec()), any::<prop::sample::Index>(), vec(any::<u8>(), 0..200))
}

/// The frame of a Kafka request without its length, perhaps with some bytes changed.
fn kafka_request_frame() -> impl Strategy<Value = Vec<u8>> {
    (kafka_choices(), changes()).prop_map(|((api, version, entropy), changes)| {
        let version = *version.get(&api.served().collect::<Vec<_>>());
        let body = RequestBody::sample(api, version, &entropy).expect("a served version");
        let frame = body.frame(1, Some("client"), version).expect("encodes");
        changed(frame.chunks().flatten().copied().skip(4).collect(), changes)
    })
}

/// The same of a response, behind the two bytes that choose its API and version.
fn kafka_response_frame() -> impl Strategy<Value = Vec<u8>> {
    (kafka_choices(), changes()).prop_map(|((api, version, entropy), changes)| {
        let versions = api.served().collect::<Vec<_>>();
        let chosen = version.index(versions.len());
        let body = ResponseBody::sample(api, versions[chosen], &entropy).expect("a served version");
        let frame = body.frame(1, versions[chosen]).expect("encodes");
        let api = ApiKey::ALL.iter().position(|other| *other == api).expect("it is one of them");
        let choice = [api, chosen].map(|number| u8::try_from(number).expect("few"));
        let content = changed(frame.chunks().flatten().copied().skip(4).collect(), changes);
        [&choice[..], &content].concat()
    })
}

/// Held while cases run, so that nothing else allocates while one counts.
static ALONE: Mutex<()> = Mutex::new(());

/// The same for a body that answers whether anything decoded: often enough it must, or the body is not tried at all.
fn hold_decoding<S: Strategy>(inputs: S, body: impl Fn(S::Value) -> bool) {
    let decoded = Cell::new(0);
    hold(inputs, |input| decoded.set(decoded.get() + u32::from(body(input))));
    assert!(decoded.get() > CASES / 40, "only {} of {CASES} inputs were decoded", decoded.get());
}

fn hold<S: Strategy>(inputs: S, body: impl Fn(S::Value)) {
    let _alone = ALONE.lock();
    let config = Config { failure_persistence: None, ..Config::with_cases(CASES) };
    let outcome = TestRunner::new(config).run(&inputs, |input| {
        let (begun, region) = (Instant::now(), Region::new(GLOBAL));
        body(input);
        let (taken, allocated_bytes) = (begun.elapsed(), region.change().bytes_allocated);
        prop_assert!(allocated_bytes <= ALLOCATED_BYTES_MAX, "{allocated_bytes} bytes allocated");
        prop_assert!(taken <= BODY_TIME_MAX, "{taken:?}");
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// A file of a data directory that an earlier build wrote, at most its first 20,000 bytes. The fixture is without the zeros at
/// files' ends, and says how long each was.
fn file(name: &str) -> Vec<u8> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data-v1");
    let read = |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lengths = String::from_utf8(read(&fixture.join("lengths.txt"))).expect("text");
    let length = lengths.lines().find_map(|line| line.strip_suffix(name)?.trim().parse().ok());
    let mut content = read(&fixture.join(name));
    content.resize(length.unwrap_or_else(|| panic!("lengths.txt has no {name}")), 0);
    content.truncate(20_000);
    content
}

/// Any bytes, and valid bytes with some of them changed and perhaps the end cut off.
fn any_bytes_or(valid: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let cut = prop_oneof![2 => Just(0), 1 => 0..valid.len()];
    let spoilt = (Just(valid), changes(), cut).prop_map(|(mut bytes, changes, cut)| {
        bytes.truncate(bytes.len() - cut);
        changed(bytes, changes)
    });
    prop_oneof![any_bytes(), spoilt]
}

#[test]
fn batch() {
    hold(any_bytes(), |bytes| fuzz::batch(&bytes));
}

#[test]
fn batch_of_valid_bytes() {
    hold((valid_batch(), changes()), |(bytes, changes)| fuzz::batch(&changed(bytes, changes)));
}

#[test]
fn records() {
    let codec = prop::sample::select(CODECS.to_vec());
    hold((codec, any_bytes()), |(codec, bytes)| fuzz::records(codec, &bytes));
}

#[test]
fn records_of_valid_bytes() {
    hold((valid_batch(), changes()), |(bytes, changes)| {
        let codec = CODECS[usize::from(bytes[22] & 7)];
        fuzz::records(codec, &changed(bytes[61..].to_vec(), changes));
    });
}

#[test]
fn protobuf_request() {
    hold(any_bytes(), |bytes| fuzz::protobuf_request(&bytes));
}

#[test]
fn kafka_request() {
    hold_decoding(prop_oneof![any_bytes(), kafka_request_frame()], |bytes| kafka::fuzz::request(&bytes));
}

#[test]
fn kafka_response() {
    hold_decoding(prop_oneof![any_bytes(), kafka_response_frame()], |bytes| kafka::fuzz::response(&bytes));
}

#[test]
fn kafka_sampled() {
    hold(any_bytes(), |bytes| kafka::fuzz::sampled(&bytes));
}

#[test]
fn journal_frame() {
    let mut head = file("data/journal/0001.journal");
    // The first groups begin behind the two pages of the head.
    let groups = head.split_off(8192);
    head.truncate(4096);
    let bytes = prop_oneof![any_bytes_or(head), any_bytes_or(groups)];
    hold(bytes, |bytes| storage::fuzz::fuzz_journal_frame(&bytes));
}

#[test]
fn index() {
    hold_decoding(any_bytes_or(file("data/logs/1/00000000000000000000.index")), |bytes| {
        storage::fuzz::index(&bytes)
    });
}

#[test]
fn producer_snapshot() {
    let producers = file("data/logs/1/00000000000000002000.producers");
    hold_decoding(any_bytes_or(producers), |bytes| storage::fuzz::producer_snapshot(&bytes));
}

#[test]
fn checkpoint() {
    hold_decoding(any_bytes_or(file("data/checkpoint")), |bytes| storage::fuzz::checkpoint(&bytes));
}

#[test]
fn small_files() {
    hold_decoding(any_bytes_or(file("cairn.meta")), |bytes| small_file(&bytes));
    hold_decoding(any_bytes_or(file("broker-epoch")), |bytes| small_file(&bytes));
}

#[test]
fn metadata_snapshot() {
    let bytes = any_bytes_or(metadata::fuzz::sample_snapshot());
    hold_decoding(bytes, |bytes| metadata::fuzz::metadata_snapshot(&bytes));
}

#[test]
fn metadata_command() {
    let commands = [
        r#""register_broker":{"broker":3,"incarnation":"00000000-0000-0000-0000-000000000009","endpoints":{},"directories":[]}"#,
        r#""unfence_broker":{"broker":3,"epoch":2}"#,
        r#""fence_broker":{"broker":3,"epoch":2}"#,
        r#""confirm_logs":{"broker":3,"epoch":2,"below":4}"#,
        r#""create_topic":{"topic":"00000000-0000-0000-0000-000000000007","name":"three","partitions":2,"replication_factor":1}"#,
        r#""alter_topic":{"topic":"00000000-0000-0000-0000-000000000005","partitions":3,"set":{"retention.ms":"9"}}"#,
        r#""delete_topic":{"topic":"00000000-0000-0000-0000-000000000005"}"#,
        r#""confirm_deletion":{"broker":3,"epoch":2,"topics":["00000000-0000-0000-0000-000000000006"]}"#,
        r#""allocate_producer_ids":{"count":1000}"#,
        r#""change_partition":{"partition":{"topic":"00000000-0000-0000-0000-000000000005","partition":1},"broker":3,
            "broker_epoch":2,"leader_epoch":1,"partition_epoch":2,"isr":[[3,2]]}"#,
        r#""confirm_durability":{"partition":{"topic":"00000000-0000-0000-0000-000000000005","partition":0},
            "leader_epoch":0,"partition_epoch":0,"durability":"fsync"}"#,
    ];
    let valid =
        prop::sample::select(commands.map(|body| format!(r#"{{"format":1,"command":{{{body}}}}}"#)).to_vec());
    let spoilt = (valid, changes()).prop_map(|(command, changes)| changed(command.into_bytes(), changes));
    hold_decoding(prop_oneof![any_bytes(), spoilt], |bytes| metadata::fuzz::metadata_command(&bytes));
}
