//! The whole metadata on a real directory: proposals, reopening, snapshots, lost copies.

use super::{
    super::{Endpoints, Registration, Rejection},
    *,
};
use crate::{
    clock::SystemClock,
    disk::OsDisk,
    ids::{BrokerEpoch, BrokerId, ClusterId, DirectoryId, IncarnationId, TopicId},
};
use std::{collections::BTreeMap, path::Path};
use uuid::Uuid;

fn setup(path: &Path, options: MetadataOptions) -> MetadataSetup {
    MetadataSetup {
        disk: OsDisk::shared(),
        path: path.join("metadata"),
        options,
        clock: SystemClock::shared(),
        driver: CommitDriver::Thread,
    }
}

fn open(path: &Path) -> Handle {
    Handle::open(setup(path, MetadataOptions::default())).expect("it opens")
}

fn form() -> Command {
    Command::FormCluster { cluster: ClusterId(Uuid::from_u128(1)) }
}

fn register(life: u128) -> Command {
    Command::RegisterBroker(Registration {
        broker: BrokerId(1),
        incarnation: IncarnationId(Uuid::from_u128(life)),
        endpoints: Endpoints::default(),
        rack: None,
        directories: vec![DirectoryId(Uuid::from_u128(9))],
        clean_epoch: None,
        disk_epoch: None,
        boot_id: None,
        suspect_logs: Vec::new(),
    })
}

fn create(number: u128, partitions: u32) -> Command {
    Command::CreateTopic {
        topic: TopicId(Uuid::from_u128(number)),
        name: format!("topic-{number}"),
        partitions,
        replication_factor: 1,
        configs: BTreeMap::new(),
        internal: false,
    }
}

fn started(handle: &Handle) {
    handle.propose_blocking(form()).expect("formed");
    let committed = handle.propose_blocking(register(2)).expect("registered");
    let epoch = BrokerEpoch(committed.index.get());
    handle.propose_blocking(Command::UnfenceBroker { broker: BrokerId(1), epoch }).expect("unfenced");
}

fn read(file: &Path) -> Vec<u8> {
    crate::disk::read_file(&*OsDisk::shared(), file, 1 << 20).expect("a snapshot")
}

fn write(file: &Path, content: &[u8]) {
    let (directory, name) = (file.parent().expect("a directory"), file.file_name().expect("a name"));
    let name = name.to_str().expect("UTF-8");
    crate::disk::replace_file(&*OsDisk::shared(), directory, name, content).expect("written");
}

#[test]
fn what_was_accepted_is_there_again_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let handle = open(directory.path());
    assert_eq!(*handle.image(), ClusterState::new());
    started(&handle);
    let committed = handle.propose_blocking(create(5, 3)).expect("created");
    assert_eq!(committed.index, MetadataIndex(4));
    assert_eq!(handle.image().index, MetadataIndex(4), "the image is there before the answer");
    let refused = handle.propose_blocking(create(5, 3)).expect_err("twice");
    assert!(matches!(refused, ProposeError::Rejected(Rejection::TopicExists { .. })), "{refused}");
    let before = handle.image();
    handle.close().expect("closed");
    assert!(matches!(handle.propose_blocking(create(6, 1)), Err(ProposeError::Closed)));
    handle.close().expect("closed again");
    let handle = open(directory.path());
    assert_eq!(*handle.image(), *before);
    // The same incarnation registered already; another one is a new epoch.
    let again = handle.propose_blocking(register(3)).expect("registered");
    assert_eq!(again.outcome, Outcome::Registered { epoch: BrokerEpoch(5) });
    handle.close().expect("closed");
}

#[test]
fn a_thread_that_ends_without_a_close_loses_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let handle = open(directory.path());
    started(&handle);
    let before = handle.image();
    let thread = handle.inner.thread.lock().take().expect("running");
    drop(handle);
    thread.join().expect("it ends by itself");
    assert_eq!(*open(directory.path()).image(), *before);
}

#[test]
fn many_proposals_at_once_are_all_answered_in_one_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let handle = open(directory.path());
    started(&handle);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let handle = handle.clone();
            thread::spawn(move || {
                let propose = |_| handle.propose_blocking(Command::AllocateProducerIds { count: 10 });
                let firsts = (0..20).map(propose).map(|done| match done.expect("accepted").outcome {
                    Outcome::ProducerIds { first, .. } => first.get(),
                    other => panic!("{other:?}"),
                });
                firsts.collect::<Vec<i64>>()
            })
        })
        .collect();
    let mut firsts: Vec<i64> =
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
    firsts.sort_unstable();
    assert_eq!(firsts, (0..160).map(|number| number * 10).collect::<Vec<i64>>());
    handle.close().expect("closed");
}

#[test]
fn snapshots_replace_the_log_and_either_copy_is_enough() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = MetadataOptions { snapshot_after_commands: 5, ..MetadataOptions::default() };
    let handle = Handle::open(setup(directory.path(), options.clone())).expect("it opens");
    started(&handle);
    for number in 10..30 {
        handle.propose_blocking(create(number, 2)).expect("created");
    }
    let before = handle.image();
    handle.close().expect("closed");
    for name in super::super::snapshot::SNAPSHOT_FILES {
        let file = directory.path().join("metadata").join(name);
        let sound = read(&file);
        let mut damaged = sound.clone();
        damaged[40] ^= 1;
        write(&file, &damaged);
        let handle = Handle::open(setup(directory.path(), options.clone())).expect("it opens with one copy");
        assert_eq!(*handle.image(), *before);
        handle.close().expect("closed");
        assert_ne!(read(&file), damaged, "two copies again");
    }
    for name in super::super::snapshot::SNAPSHOT_FILES {
        let file = directory.path().join("metadata").join(name);
        write(&file, b"nonsense");
    }
    let refused = Handle::open(setup(directory.path(), options)).expect_err("both copies are gone");
    assert!(refused.to_string().contains("snapshot"), "{refused}");
}

/// One command, whatever the number of partitions.
#[test]
fn a_thousand_partitions_are_one_command() {
    let directory = tempfile::tempdir().expect("a directory");
    let handle = open(directory.path());
    started(&handle);
    let committed = handle.propose_blocking(create(5, 1000)).expect("created");
    assert_eq!(committed.index, MetadataIndex(4));
    handle.close().expect("closed");
}

#[test]
fn commands_larger_than_the_first_journal_file_do_not_wait_for_one_another() {
    let directory = tempfile::tempdir().expect("a directory");
    let handle = open(directory.path());
    started(&handle);
    // More than half a MiB each: after a damaged journal a broker with many partitions says as much.
    let suspects: Vec<_> = (0..90_000).map(crate::ids::LogId).collect();
    let (done, answers) = std::sync::mpsc::channel();
    for life in 0..8 {
        let (handle, done, suspects) = (handle.clone(), done.clone(), suspects.clone());
        thread::spawn(move || {
            let Command::RegisterBroker(registration) = register(100 + life) else {
                panic!("a registration")
            };
            let command = Command::RegisterBroker(Registration { suspect_logs: suspects, ..registration });
            assert!(command.encode().len() > 512 << 10);
            let _ = done.send(handle.propose_blocking(command));
        });
    }
    for _ in 0..8 {
        let answer = answers.recv_timeout(std::time::Duration::from_secs(30)).expect("an answer in time");
        answer.expect("registered");
    }
    handle.close().expect("closed");
    assert_eq!(open(directory.path()).image().index, MetadataIndex(11));
}
