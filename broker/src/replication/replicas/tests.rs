//! Partitions on a real store in a real directory, stepped by hand: what is synced when is the test's to say.

use super::*;
use crate::{
    clock::SystemClock,
    disk::OsDisk,
    ids::{BrokerEpoch, BrokerId, ClusterId, DirectoryId, IncarnationId, PartitionIndex, TopicId},
    metadata::{Endpoints, Registration},
    replication::{Acks, CommitDriver, Produced, ReplicasOptions},
};
use bytes::Bytes;
use cairn_proto::record::{Batch, BatchBuilder, BatchOptions};
use std::{collections::BTreeMap, path::Path};
use uuid::Uuid;

const BROKER: BrokerId = BrokerId(1);

fn replicas(path: &Path) -> (Replicas, RecoveryReport) {
    Replicas::open(ReplicasSetup {
        disk: OsDisk::shared(),
        path: path.join("data"),
        broker: BROKER,
        options: ReplicasOptions::default(),
        clock: SystemClock::shared(),
        driver: CommitDriver::Stepped,
        lanes: Lanes::Inline,
    })
    .expect("it opens")
}

/// A metadata state that a test changes by hand, and the partitions that follow it.
struct Node {
    state: ClusterState,
    replicas: Replicas,
    lives: u128,
}

type Answers = Arc<Mutex<Vec<Result<Produced, ProduceError>>>>;

impl Node {
    fn start(path: &Path, state: ClusterState) -> Self {
        let mut node = Self { state, replicas: replicas(path).0, lives: 0 };
        if node.state.cluster.is_none() {
            node.propose(Command::FormCluster { cluster: ClusterId(Uuid::from_u128(1)) });
        }
        node.register();
        node
    }

    fn propose(&mut self, command: Command) {
        let index = self.state.index.next();
        self.state.apply(index, &command).expect("accepted");
    }

    fn register(&mut self) {
        let known = self.state.broker(BROKER).cloned();
        self.lives += 1;
        self.propose(Command::RegisterBroker(Registration {
            broker: BROKER,
            incarnation: IncarnationId(Uuid::from_u128(
                self.lives + u128::from(self.state.index.get()) * 100,
            )),
            endpoints: Endpoints::default(),
            rack: None,
            directories: vec![DirectoryId(Uuid::from_u128(9))],
            clean_epoch: None,
            disk_epoch: known.and_then(|known| known.disk_epoch),
            boot_id: None,
            suspect_logs: Vec::new(),
        }));
        let epoch = BrokerEpoch(self.state.index.get());
        self.propose(Command::UnfenceBroker { broker: BROKER, epoch });
        self.follow();
    }

    /// As the node does: until nothing is left to be told.
    fn follow(&mut self) {
        for _ in 0..10 {
            let commands = self.replicas.apply_image(&self.state);
            if commands.is_empty() {
                return;
            }
            commands.into_iter().for_each(|command| self.propose(command));
        }
        panic!("the image never settles");
    }

    fn create(&mut self, number: u128, configs: &[(&str, &str)]) -> TopicPartition {
        let configs = configs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let topic = TopicId(Uuid::from_u128(number));
        self.propose(Command::CreateTopic {
            topic,
            name: format!("topic-{number}"),
            partitions: 1,
            replication_factor: 1,
            configs,
            internal: false,
        });
        self.follow();
        TopicPartition { topic, partition: PartitionIndex(0) }
    }

    fn epoch(&self, partition: TopicPartition) -> LeaderEpoch {
        self.state.partition(partition).expect("there").leader_epoch
    }

    fn send(&self, request: ProduceRequest) -> Answers {
        let answers = Answers::default();
        let into = Arc::clone(&answers);
        self.replicas.produce(request, Box::new(move |answer| into.lock().push(answer)));
        answers
    }

    fn produce(&self, partition: TopicPartition, acks: Acks, batch: Bytes) -> Answers {
        self.send(ProduceRequest { partition, leader_epoch: None, acks, batch })
    }

    fn read(&self, partition: TopicPartition, offset: i64) -> Result<Read, FetchError> {
        let offset = Offset(offset);
        let request =
            ReadRequest { partition, offset, leader_epoch: None, last_epoch: None, bytes_max: 1 << 20 };
        self.replicas.read(&request, Residency::MayBlock)
    }

    fn sync(&self) {
        while self.replicas.step() {}
    }
}

fn batch_of(values: &[&str], producer: Option<(i64, i16, i32)>, timestamp_ms: i64) -> Bytes {
    let mut options = BatchOptions::default();
    if let Some((producer_id, producer_epoch, base_sequence)) = producer {
        options = BatchOptions { producer_id, producer_epoch, base_sequence, ..options };
    }
    let mut builder = BatchBuilder::new(options);
    for value in values {
        builder.append(timestamp_ms, None, Some(value.as_bytes()), &[]).expect("it fits");
    }
    builder.finish().expect("a batch")
}

fn batch(values: &[&str]) -> Bytes {
    batch_of(values, None, 1000)
}

fn base(answers: &Answers) -> i64 {
    match answers.lock().as_slice() {
        [Ok(produced)] => produced.base_offset.get(),
        other => panic!("{other:?}"),
    }
}

fn error(answers: &Answers) -> ProduceError {
    match answers.lock().as_slice() {
        [Err(error)] => error.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_acknowledged_or_read_before_it_is_synced() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[]);
    let all = node.produce(partition, Acks::All, batch(&["a", "b"]));
    let leader = node.produce(partition, Acks::Leader, batch(&["c"]));
    let none = node.produce(partition, Acks::None, batch(&["d"]));
    assert_eq!((all.lock().len(), leader.lock().len()), (0, 0));
    assert_eq!(base(&none), 3, "acks=0 waits for nothing");
    assert!(node.read(partition, 0).expect("readable").batches.is_empty());
    node.sync();
    assert_eq!((base(&all), base(&leader)), (0, 2));
    let read = node.read(partition, 0).expect("readable");
    assert_eq!((read.high_watermark, read.next_offset), (Offset(4), Offset(4)));
    let mut bytes = read.batches;
    let mut ends = Vec::new();
    while let Some(batch) = Batch::split_first(&mut bytes).expect("whole batches") {
        assert!(batch.crc_ok());
        assert_eq!(batch.header().leader_epoch, node.epoch(partition).get());
        ends.push(batch.header().base_offset);
    }
    assert_eq!(ends, [0, 2, 3]);
    assert!(matches!(node.read(partition, 5), Err(FetchError::OutOfRange { .. })));
    let status = node.replicas.describe(partition).expect("there");
    assert_eq!(
        (status.high_watermark, status.durable_end, status.log_end),
        (Offset(4), Offset(4), Offset(4))
    );
    assert!(status.problems.is_empty());
}

/// A topic's name in this test, and what was synced of the partition when its batch was acknowledged.
type Seen = Arc<Mutex<Vec<(&'static str, Offset)>>>;

impl Node {
    fn produce_and_look(&self, name: &'static str, partition: TopicPartition, acks: Acks, seen: &Seen) {
        let (replicas, seen) = (self.replicas.clone(), Arc::clone(seen));
        let request = ProduceRequest { partition, leader_epoch: None, acks, batch: batch(&["x"]) };
        let done = move |answer: Result<Produced, ProduceError>| {
            answer.expect("acknowledged");
            seen.lock().push((name, replicas.describe(partition).expect("there").durable_end));
        };
        self.replicas.produce(request, Box::new(done));
    }

    fn alter(&mut self, partition: TopicPartition, name: &str, value: &str) {
        let set = BTreeMap::from([(name.into(), value.into())]);
        self.propose(Command::AlterTopic {
            topic: partition.topic,
            partitions: None,
            set,
            reset: Vec::new(),
        });
        self.follow();
    }
}

#[test]
fn async_is_acknowledged_before_the_sync_and_fsync_behind_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let (synced, written) = (node.create(5, &[]), node.create(6, &[("durability", "async")]));
    let seen = Seen::default();
    node.produce_and_look("fsync", synced, Acks::All, &seen);
    node.produce_and_look("async", written, Acks::All, &seen);
    node.produce_and_look("async, leader", written, Acks::Leader, &seen);
    assert_eq!(*seen.lock(), [], "not even written");
    assert!(node.replicas.step(), "one group has all three");
    let expected = [("async", Offset(0)), ("async, leader", Offset(0)), ("fsync", Offset(1))];
    assert_eq!(*seen.lock(), expected, "of async nothing was synced yet");
    assert_eq!(node.replicas.describe(written).expect("there").durable_end, Offset(2));
}

#[test]
fn a_switch_of_the_durability_holds_for_what_is_in_flight() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(6, &[("durability", "async")]);
    let seen = Seen::default();
    node.produce_and_look("sent as async", partition, Acks::All, &seen);
    node.alter(partition, "durability", "fsync");
    node.sync();
    node.produce_and_look("fsync", partition, Acks::All, &seen);
    node.sync();
    node.alter(partition, "durability", "async");
    node.produce_and_look("async", partition, Acks::All, &seen);
    node.sync();
    assert_eq!(*seen.lock(), [("sent as async", Offset(1)), ("fsync", Offset(2)), ("async", Offset(2))]);
}

#[test]
fn acknowledgements_come_in_order_and_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    for number in 0..50 {
        let seen = Arc::clone(&seen);
        let request = ProduceRequest { partition, leader_epoch: None, acks: Acks::All, batch: batch(&["x"]) };
        let done = move |answer: Result<Produced, ProduceError>| {
            seen.lock().push((number, answer.expect("acknowledged").base_offset.get()));
        };
        node.replicas.produce(request, Box::new(done));
        if number % 7 == 0 {
            node.sync();
        }
    }
    node.sync();
    assert_eq!(*seen.lock(), (0..50).map(|number| (number, number)).collect::<Vec<_>>());
}

#[test]
fn a_duplicate_is_told_the_original_offset_and_not_before_that_is_committed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[]);
    let sequenced = |sequence| batch_of(&["x", "y"], Some((7, 0, sequence)), 1000);
    let first = node.produce(partition, Acks::All, sequenced(0));
    let second = node.produce(partition, Acks::All, sequenced(2));
    let again = node.produce(partition, Acks::All, sequenced(0));
    assert_eq!(again.lock().len(), 0);
    node.sync();
    assert_eq!((base(&first), base(&second), base(&again)), (0, 2, 0));
    assert_eq!(base(&node.produce(partition, Acks::All, sequenced(2))), 2, "committed already");
    let gap = error(&node.produce(partition, Acks::All, sequenced(9)));
    assert!(matches!(gap, ProduceError::OutOfOrderSequence { expected: 4, .. }), "{gap}");
    assert!(gap.nothing_appended());
}

#[test]
fn what_cannot_be_accepted_is_refused_and_nothing_is_appended() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[("max.message.bytes", "1024")]);
    let unknown = TopicPartition { partition: PartitionIndex(1), ..partition };
    assert!(matches!(
        error(&node.produce(unknown, Acks::All, batch(&["x"]))),
        ProduceError::UnknownPartition
    ));
    let long = "x".repeat(2000);
    assert!(matches!(
        error(&node.produce(partition, Acks::All, batch(&[&long]))),
        ProduceError::TooLarge { .. }
    ));
    let mut damaged = batch(&["hello"]).to_vec();
    *damaged.last_mut().expect("bytes") ^= 1;
    assert!(matches!(error(&node.produce(partition, Acks::All, damaged.into())), ProduceError::Corrupt(_)));
    assert!(matches!(error(&node.produce(partition, Acks::All, Bytes::new())), ProduceError::Corrupt(_)));
    let ahead = SystemClock::shared().wall_ms() + 3_700_000;
    let ahead = error(&node.produce(partition, Acks::All, batch_of(&["x"], None, ahead)));
    assert!(matches!(ahead, ProduceError::InvalidTimestamp { .. }) && !ahead.retryable(), "{ahead}");
    let epoch = node.epoch(partition);
    let request = |leader_epoch: i32| ProduceRequest {
        partition,
        leader_epoch: Some(LeaderEpoch(leader_epoch)),
        acks: Acks::All,
        batch: batch(&["x"]),
    };
    let newer = error(&node.send(request(epoch.get() + 1)));
    assert!(matches!(newer, ProduceError::UnknownLeaderEpoch { .. }), "{newer}");
    assert_eq!(node.replicas.describe(partition).expect("there").log_end, Offset(0));
}

#[test]
fn another_epoch_leaves_what_was_parked_unknown_and_fences_who_knows_the_old_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[]);
    let before = node.epoch(partition);
    let parked = node.produce(partition, Acks::All, batch(&["x"]));
    node.register();
    assert!(node.epoch(partition) > before);
    let parked = error(&parked);
    assert!(matches!(parked, ProduceError::OutcomeUnknown(_)) && !parked.nothing_appended(), "{parked}");
    let request =
        ProduceRequest { partition, leader_epoch: Some(before), acks: Acks::All, batch: batch(&["x"]) };
    let fenced = error(&node.send(request));
    assert!(
        matches!(fenced, ProduceError::FencedLeaderEpoch { .. }) && fenced.nothing_appended(),
        "{fenced}"
    );
    node.propose(Command::FenceBroker {
        broker: BROKER,
        epoch: node.state.broker(BROKER).expect("there").epoch,
    });
    node.follow();
    assert!(matches!(error(&node.produce(partition, Acks::All, batch(&["x"]))), ProduceError::NotLeader));
    assert!(matches!(node.read(partition, 0), Err(FetchError::NotLeader)));
}

#[test]
fn a_restart_finds_everything_and_an_older_image_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[]);
    let old_image = node.state.clone();
    let answer = node.produce(partition, Acks::All, batch(&["a", "b", "c"]));
    node.sync();
    assert_eq!(base(&answer), 0);
    let epoch = node.epoch(partition);
    let state = node.state.clone();
    node.replicas.close().expect("closed");
    assert!(matches!(error(&node.produce(partition, Acks::All, batch(&["d"]))), ProduceError::ShuttingDown));
    let node = Node::start(directory.path(), state);
    assert!(node.epoch(partition) > epoch);
    let read = node.read(partition, 0).expect("readable");
    assert_eq!(read.high_watermark, Offset(3));
    assert!(node.replicas.apply_image(&old_image).is_empty());
    assert_eq!(node.read(partition, 0).expect("readable").leader_epoch, node.epoch(partition));
    // The client read up to 3 in the old epoch; in an epoch that nobody led there is nothing.
    let request = |last_epoch: i32| ReadRequest {
        partition,
        offset: Offset(3),
        leader_epoch: None,
        last_epoch: Some(LeaderEpoch(last_epoch)),
        bytes_max: 1000,
    };
    node.replicas.read(&request(epoch.get()), Residency::MayBlock).expect("not truncated");
    let truncated = node.replicas.read(&request(node.epoch(partition).get() + 5), Residency::MayBlock);
    assert!(matches!(truncated, Err(FetchError::Truncated { .. })));
    node.replicas.close().expect("closed");
}

#[test]
fn a_log_that_is_gone_is_damage_and_never_begins_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[]);
    let state = node.state.clone();
    node.replicas.close().expect("closed");
    drop(node);
    let (disk, data) = (OsDisk::shared(), directory.path().join("data"));
    disk.rename(&data, &directory.path().join("lost")).expect("moved away");
    let node = Node::start(directory.path(), state);
    let offline = error(&node.produce(partition, Acks::All, batch(&["x"])));
    assert!(matches!(offline, ProduceError::Offline(_)), "{offline}");
    assert!(matches!(node.read(partition, 0), Err(FetchError::Offline(_))));
    let problems = node.replicas.describe(partition).expect("there").problems;
    assert!(problems[0].contains("is gone"), "{problems:?}");
}

#[test]
fn a_topic_is_deleted_by_its_record_and_absence_deletes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let (one, two) = (node.create(5, &[]), node.create(6, &[]));
    let parked = node.produce(one, Acks::All, batch(&["x"]));
    node.sync();
    assert_eq!(base(&parked), 0);
    node.propose(Command::DeleteTopic { topic: one.topic });
    node.follow();
    assert!(node.state.deleted.is_empty(), "confirmed once it was durable");
    assert!(matches!(error(&node.produce(one, Acks::All, batch(&["x"]))), ProduceError::UnknownPartition));
    assert!(node.replicas.describe(one).is_none());
    assert_eq!(node.replicas.inner.store.log_ids().len(), 1);
    // An image that simply lacks the topic is no reason.
    let mut without = node.state.clone();
    without.topics.remove(&two.topic);
    without.index = without.index.next();
    node.replicas.apply_image(&without);
    assert_eq!(node.replicas.inner.store.log_ids().len(), 1);
    node.produce(two, Acks::All, batch(&["x"]));
    node.sync();
    assert_eq!(node.read(two, 0).expect("still served").high_watermark, Offset(1));
}

#[test]
fn records_are_deleted_up_to_the_high_watermark_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[]);
    node.produce(partition, Acks::All, batch(&["a"]));
    node.produce(partition, Acks::All, batch(&["b"]));
    node.sync();
    node.produce(partition, Acks::All, batch(&["not synced"]));
    let delete = |before: Option<i64>| {
        let answer = Arc::new(Mutex::new(None));
        let into = Arc::clone(&answer);
        let done = Box::new(move |result| *into.lock() = Some(result));
        node.replicas.delete_records(partition, before.map(Offset), done);
        answer.lock().take().expect("answered")
    };
    let beyond: Result<Offset, DeleteRecordsError> = delete(Some(3));
    let text = beyond.expect_err("beyond the high watermark").to_string();
    assert!(text.contains("0 to 2"), "{text}");
    assert_eq!(delete(Some(1)).expect("deleted"), Offset(1));
    assert_eq!(delete(Some(0)).expect("already"), Offset(1));
    assert!(matches!(node.read(partition, 0), Err(FetchError::OutOfRange { .. })));
    let earliest = node.replicas.list_offset(partition, OffsetQuery::Earliest, None).expect("known");
    assert_eq!(earliest.offset, Some(Offset(1)));
    assert!(node.read(partition, 1).expect("readable").next_offset > Offset(1));
}

#[derive(Default)]
struct Woken(Mutex<Vec<u64>>);

impl FetchWaker for Woken {
    fn wake(&self, token: u64) {
        self.0.lock().push(token);
    }
}

#[test]
fn a_fetch_at_the_end_is_woken_by_the_next_commit_and_by_a_deletion() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[]);
    let woken = Arc::new(Woken::default());
    let waker: Arc<dyn FetchWaker> = Arc::clone(&woken) as _;
    assert!(node.replicas.wait_readable(partition, Offset(0), &waker, 1));
    assert!(node.replicas.wait_readable(partition, Offset(0), &waker, 2));
    node.replicas.cancel_wait(partition, &waker, 2);
    node.produce(partition, Acks::All, batch(&["x"]));
    assert!(woken.0.lock().is_empty(), "appended is not readable");
    node.sync();
    assert_eq!(*woken.0.lock(), [1]);
    assert!(!node.replicas.wait_readable(partition, Offset(0), &waker, 3), "readable already");
    assert!(node.replicas.wait_readable(partition, Offset(1), &waker, 4));
    node.propose(Command::DeleteTopic { topic: partition.topic });
    node.follow();
    assert_eq!(*woken.0.lock(), [1, 4]);
    assert!(!node.replicas.wait_readable(partition, Offset(1), &waker, 5));
}

#[test]
fn a_partition_takes_nothing_before_the_metadata_knows_its_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let topic = TopicId(Uuid::from_u128(5));
    node.propose(Command::CreateTopic {
        topic,
        name: "early".into(),
        partitions: 1,
        replication_factor: 1,
        configs: BTreeMap::new(),
        internal: false,
    });
    let partition = TopicPartition { topic, partition: PartitionIndex(0) };
    let applied = node.replicas.applied();
    let commands = node.replicas.apply_image(&node.state);
    assert!(matches!(commands.as_slice(), [Command::ConfirmLogs { .. }]), "{commands:?}");
    assert!(*applied.borrow() < node.state.index);
    assert!(matches!(error(&node.produce(partition, Acks::All, batch(&["x"]))), ProduceError::NotLeader));
    node.follow();
    assert_eq!(*applied.borrow(), node.state.index);
    let answer = node.produce(partition, Acks::All, batch(&["x"]));
    node.sync();
    assert_eq!(base(&answer), 0);
}

#[test]
fn a_switch_to_fsync_is_confirmed_once_everything_before_is_synced() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(directory.path(), ClusterState::new());
    let partition = node.create(5, &[("durability", "async")]);
    let parked = node.produce(partition, Acks::All, batch(&["x"]));
    let set = [("durability".to_string(), "fsync".to_string())].into();
    node.propose(Command::AlterTopic { topic: partition.topic, partitions: None, set, reset: Vec::new() });
    assert!(node.state.partition(partition).expect("there").fsync_unconfirmed);
    node.follow();
    assert!(!node.state.partition(partition).expect("there").fsync_unconfirmed);
    assert_eq!(base(&parked), 0, "the switch synced it");
}
