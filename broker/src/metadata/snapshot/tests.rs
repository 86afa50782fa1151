//! Snapshots and logged commands as bytes: golden, round trip, damaged.

use super::super::{Command, Endpoints, Registration};
use super::*;
use crate::{
    disk::OsDisk,
    ids::{DirectoryId, IncarnationId, TopicId},
};
use proptest::prelude::*;
use uuid::Uuid;

fn sample() -> ClusterState {
    let mut state = ClusterState::new();
    let mut apply = |command: &Command| {
        let index = state.index.next();
        state.apply(index, command).expect("valid");
    };
    apply(&Command::FormCluster { cluster: ClusterId(Uuid::from_u128(1)) });
    apply(&Command::RegisterBroker(Registration {
        broker: BrokerId(3),
        incarnation: IncarnationId(Uuid::from_u128(2)),
        endpoints: Endpoints { grpc: Some("127.0.0.1:9095".into()), ..Endpoints::default() },
        rack: None,
        directories: vec![DirectoryId(Uuid::from_u128(4))],
        clean_epoch: None,
        disk_epoch: None,
        boot_id: None,
        suspect_logs: Vec::new(),
    }));
    apply(&Command::UnfenceBroker { broker: BrokerId(3), epoch: crate::ids::BrokerEpoch(2) });
    for (number, name) in [(5, "one"), (6, "two")] {
        apply(&Command::CreateTopic {
            topic: TopicId(Uuid::from_u128(number)),
            name: name.into(),
            partitions: 1,
            replication_factor: 1,
            configs: [("retention.ms".to_string(), "7".to_string())].into(),
            internal: false,
        });
    }
    apply(&Command::DeleteTopic { topic: TopicId(Uuid::from_u128(6)) });
    apply(&Command::AllocateProducerIds { count: 10 });
    state
}

const GOLDEN: &str = concat!(
    r#"{"cluster":"00000000-0000-0000-0000-000000000001","index":7,"feature_level":1,"next_log":3,"next_producer":10,"#,
    r#""brokers":{"3":{"epoch":2,"incarnation":"00000000-0000-0000-0000-000000000002","#,
    r#""endpoints":{"grpc":"127.0.0.1:9095"},"fenced":false,"shutting_down":false,"#,
    r#""directories":["00000000-0000-0000-0000-000000000004"],"disk_epoch":2,"logs_created_below":0}},"#,
    r#""topics":[{"id":"00000000-0000-0000-0000-000000000005","name":"one","replication_factor":1,"#,
    r#""configs":{"retention.ms":"7"},"partitions":[{"log":1,"replicas":[3],"isr":[3],"last_known_leader":3,"#,
    r#""leader":3,"leader_epoch":0,"partition_epoch":0,"min_isr":1}]}],"#,
    r#""deleted":[{"id":"00000000-0000-0000-0000-000000000006","name":"two","index":6,"logs":[2],"remaining":[3]}]}"#,
);

/// A change of these bytes is a change of the format: an old data directory must still open.
#[test]
fn the_json_is_as_documented() {
    let file = encode(&sample());
    assert_eq!(String::from_utf8_lossy(&file[HEADER_BYTES..]), GOLDEN);
    let command = Command::CreateTopic {
        topic: TopicId(Uuid::from_u128(5)),
        name: "one".into(),
        partitions: 2,
        replication_factor: 1,
        configs: BTreeMap::new(),
        internal: false,
    };
    let json = concat!(
        r#"{"format":1,"command":{"create_topic":{"topic":"00000000-0000-0000-0000-000000000005","#,
        r#""name":"one","partitions":2,"replication_factor":1}}}"#
    );
    assert_eq!(String::from_utf8_lossy(&command.encode()), json);
    assert_eq!(Command::decode(json.as_bytes()).expect("a command"), command);
}

#[test]
fn a_state_comes_back_as_it_was() {
    let state = sample();
    assert_eq!(decode(&encode(&state)), Ok(state));
    let empty = ClusterState::new();
    assert_eq!(decode(&encode(&empty)), Ok(empty));
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    let sound = encode(&sample());
    for byte in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[byte] ^= 1 << (byte % 8);
        decode(&damaged).expect_err("a flipped bit");
        decode(&sound[..byte]).expect_err("a cut");
    }
}

#[test]
fn a_newer_format_is_told_apart_from_damage() {
    let mut file = encode(&sample());
    file[8..12].copy_from_slice(&2u32.to_be_bytes());
    let crc = checksum(&file[8..20], &file[HEADER_BYTES..]);
    file[20..24].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(decode(&file), Err(SnapshotProblem::NewerFormat(2)));
    let newer = br#"{"format":2,"command":{"enchant":{}}}"#;
    let refused = Command::decode(newer).expect_err("newer").to_string();
    assert!(refused.contains("format 2"), "{refused}");
    for unknown in [&br#"{"format":1,"command":{"enchant":{}}}"#[..], b"", b"{}", b"[]", b"\xff"] {
        Command::decode(unknown).expect_err("not a command");
    }
}

#[test]
fn one_of_two_copies_is_enough_and_the_newer_one_counts() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let disk = OsDisk::shared();
    assert!(read(&*disk, path).expect("readable").state.is_none());
    let mut state = sample();
    write(&*disk, path, &state).expect("written");
    assert!(read(&*disk, path).expect("readable").whole);
    let older = encode(&state);
    let index = state.index.next();
    state.apply(index, &Command::AllocateProducerIds { count: 1 }).expect("valid");
    write(&*disk, path, &state).expect("written");
    for name in SNAPSHOT_FILES {
        replace_file(&*disk, path, name, &older).expect("written");
        let found = read(&*disk, path).expect("readable");
        assert_eq!((found.state.as_ref(), found.whole), (Some(&state), false));
        replace_file(&*disk, path, name, &older[..100]).expect("written");
        let found = read(&*disk, path).expect("readable");
        assert_eq!(found.state.as_ref(), Some(&state));
        assert!(found.problems[0].contains(name), "{:?}", found.problems);
        write(&*disk, path, &state).expect("written");
    }
}

/// What cannot have been written is refused even with a right checksum: nothing here may reach an assertion later.
#[test]
fn an_impossible_state_is_refused() {
    for (from, to) in [
        (r#""isr":[3]"#, r#""isr":[4]"#),
        (r#""leader":3"#, r#""leader":4"#),
        (r#""partition_epoch":0"#, r#""partition_epoch":2147483647"#),
        (r#""leader_epoch":0"#, r#""leader_epoch":-1"#),
        (r#""log":1"#, r#""log":3"#),
        (r#""name":"one""#, r#""name":"..""#),
        (r#""retention.ms""#, r#""retention.m""#),
        (r#""next_producer":10"#, r#""next_producer":-10"#),
        (r#""fenced":false"#, r#""fenced":true"#),
        (r#""min_isr":1"#, r#""min_isr":1,"surprise":1"#),
    ] {
        assert!(GOLDEN.contains(from), "{from}");
        let json = GOLDEN.replace(from, to);
        let mut file = [MAGIC.as_slice(), &1u32.to_be_bytes(), &(json.len() as u64).to_be_bytes()].concat();
        let crc = checksum(&file[8..], json.as_bytes());
        file.extend_from_slice(&crc.to_be_bytes());
        file.extend_from_slice(json.as_bytes());
        assert!(matches!(decode(&file), Err(SnapshotProblem::Damaged(_))), "{to}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_value_or_a_problem(bytes in prop::collection::vec(any::<u8>(), 0..300), sealed: bool) {
        let mut file = bytes;
        if sealed && file.len() >= HEADER_BYTES {
            file[..8].copy_from_slice(MAGIC);
            file[8..12].copy_from_slice(&1u32.to_be_bytes());
            let length = (file.len() - HEADER_BYTES) as u64;
            file[12..20].copy_from_slice(&length.to_be_bytes());
            let crc = checksum(&file[8..20], &file[HEADER_BYTES..]);
            file[20..24].copy_from_slice(&crc.to_be_bytes());
        }
        let _ = decode(&file);
        let _ = Command::decode(&file);
    }
}
