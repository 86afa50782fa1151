//! Commands one by one, on one broker and on several; and random ones, which must keep the rules.

use super::super::{
    BrokerSet, Durability, Endpoints, LossCause, RecoveryState, Registration, election::check_sets,
};
use super::*;
use crate::ids::{BrokerEpoch, DirectoryId, IncarnationId, LeaderEpoch, PartitionEpoch, PartitionIndex};
use proptest::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn topic_id(number: u128) -> TopicId {
    TopicId(uuid(number))
}

fn partition(topic: u128, index: u32) -> TopicPartition {
    TopicPartition { topic: topic_id(topic), partition: PartitionIndex(index) }
}

struct Cluster {
    state: ClusterState,
    lives: u128,
}

impl Cluster {
    fn formed() -> Self {
        let mut cluster = Self { state: ClusterState::new(), lives: 0 };
        cluster.apply(Command::FormCluster { cluster: ClusterId(uuid(7)) }).expect("the first command");
        cluster
    }

    fn apply(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let index = self.state.index.next();
        self.state.apply(index, &command)
    }

    fn registration(&mut self, broker: u32) -> Registration {
        self.lives += 1;
        let known = self.state.broker(BrokerId(broker));
        Registration {
            broker: BrokerId(broker),
            incarnation: IncarnationId(uuid(1000 + self.lives)),
            endpoints: Endpoints::default(),
            rack: None,
            directories: vec![DirectoryId(uuid(u128::from(broker)))],
            clean_epoch: None,
            disk_epoch: known.and_then(|known| known.disk_epoch),
            boot_id: Some("boot".into()),
            suspect_logs: Vec::new(),
        }
    }

    fn start(&mut self, registration: Registration) {
        let broker = registration.broker;
        let Ok(Outcome::Registered { epoch }) = self.apply(Command::RegisterBroker(registration)) else {
            panic!("a registration is accepted");
        };
        self.apply(Command::UnfenceBroker { broker, epoch }).expect("registered just now");
    }

    fn with_brokers(count: u32) -> Self {
        let mut cluster = Self::formed();
        for broker in 1..=count {
            let registration = cluster.registration(broker);
            cluster.start(registration);
        }
        cluster
    }

    fn create(&mut self, number: u128, configs: &[(&str, &str)], factor: u32) -> Result<Outcome, Rejection> {
        self.apply(Command::CreateTopic {
            topic: topic_id(number),
            name: format!("topic-{number}"),
            partitions: 2,
            replication_factor: factor,
            configs: map(configs),
            internal: false,
        })
    }

    fn record(&self, topic: u128, index: u32) -> &PartitionRecord {
        self.state.partition(partition(topic, index)).expect("it exists")
    }

    fn epoch(&self, broker: u32) -> BrokerEpoch {
        self.state.broker(BrokerId(broker)).expect("registered").epoch
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect()
}

fn set(brokers: &[u32]) -> BrokerSet {
    brokers.iter().copied().map(BrokerId).collect()
}

#[test]
fn nothing_comes_before_the_clusters_identity() {
    let mut state = ClusterState::new();
    let refused = state.apply(MetadataIndex(1), &Command::AllocateProducerIds { count: 1 });
    assert_eq!(refused, Err(Rejection::NotFormed));
    assert_eq!(state, ClusterState::new());
    let mut cluster = Cluster::formed();
    let again = cluster.apply(Command::FormCluster { cluster: ClusterId(uuid(8)) });
    assert_eq!(again, Err(Rejection::AlreadyFormed));
    assert_eq!(cluster.state.index, MetadataIndex(1));
}

#[test]
fn every_start_is_a_new_broker_epoch_and_a_new_leader_epoch() {
    let mut cluster = Cluster::with_brokers(1);
    cluster.create(1, &[], 1).expect("valid");
    let first = cluster.record(1, 0).clone();
    assert_eq!((first.leader, first.isr.clone()), (Some(BrokerId(1)), set(&[1])));
    let registration = cluster.registration(1);
    let epoch = cluster.state.index.next().get();
    let outcome = cluster.apply(Command::RegisterBroker(registration.clone()));
    assert_eq!(outcome, Ok(Outcome::Registered { epoch: BrokerEpoch(epoch) }));
    let fenced = cluster.record(1, 0).clone();
    assert_eq!((fenced.leader, fenced.isr.clone(), fenced.elr.clone()), (None, set(&[]), set(&[1])));
    assert_eq!(fenced.leader_epoch, first.leader_epoch.next());
    assert_eq!(fenced.last_known_leader, Some(BrokerId(1)));
    // The same incarnation again is a retry and changes nothing.
    let before = cluster.state.clone();
    assert_eq!(
        cluster.apply(Command::RegisterBroker(registration)),
        Ok(Outcome::Registered { epoch: BrokerEpoch(epoch) })
    );
    assert_eq!(cluster.state.brokers, before.brokers);
    let stale = Command::UnfenceBroker { broker: BrokerId(1), epoch: BrokerEpoch(epoch - 1) };
    assert!(matches!(cluster.apply(stale), Err(Rejection::StaleBrokerEpoch { .. })));
    let (broker, epoch) = (BrokerId(1), BrokerEpoch(epoch));
    cluster.apply(Command::UnfenceBroker { broker, epoch }).expect("registered");
    let leading = cluster.record(1, 0);
    assert_eq!(
        (leading.leader, leading.isr.clone(), leading.elr.clone()),
        (Some(broker), set(&[1]), set(&[]))
    );
    assert!(leading.leader_epoch > fenced.leader_epoch && leading.partition_epoch > fenced.partition_epoch);
    assert_eq!(leading.loss_events, []);
}

/// (durability, clean, same boot, genuine disk) and what an unclean stop of the only broker comes to.
#[test]
fn the_only_copy_leads_again_and_a_possible_loss_is_on_record() {
    let cases = [
        ("fsync", false, false, true, None),
        ("fsync", false, false, false, Some(LossCause::LostDirectory)),
        ("async", true, false, true, None),
        ("async", false, true, true, None),
        ("async", false, false, true, Some(LossCause::UncleanShutdown)),
    ];
    for (durability, clean, same_boot, genuine, cause) in cases {
        let mut cluster = Cluster::with_brokers(1);
        cluster.create(1, &[("durability", durability)], 1).expect("valid");
        let mut registration = cluster.registration(1);
        registration.clean_epoch = clean.then(|| cluster.epoch(1));
        if !same_boot {
            registration.boot_id = Some("another boot".into());
        }
        if !genuine {
            registration.disk_epoch = None;
        }
        cluster.start(registration);
        let record = cluster.record(1, 0);
        assert_eq!(record.leader, Some(BrokerId(1)), "{durability} {clean} {same_boot} {genuine}");
        assert_eq!(record.recovery_state, RecoveryState::Recovered);
        assert_eq!(record.loss_events.iter().map(|event| event.cause).next(), cause);
        if let Some(event) = record.loss_events.first() {
            assert_eq!(event.leader_epoch, record.leader_epoch);
        }
        // It stays there for ever, and the next clean start adds none.
        let events = record.loss_events.clone();
        let mut registration = cluster.registration(1);
        registration.clean_epoch = Some(cluster.epoch(1));
        cluster.start(registration);
        assert_eq!(cluster.record(1, 0).loss_events, events);
    }
}

#[test]
fn a_suspect_log_is_a_loss_event_of_its_partition_alone() {
    let mut cluster = Cluster::with_brokers(1);
    cluster.create(1, &[], 1).expect("valid");
    let mut registration = cluster.registration(1);
    registration.suspect_logs = vec![cluster.record(1, 1).log];
    cluster.start(registration);
    assert_eq!(cluster.record(1, 0).loss_events, []);
    assert_eq!(
        cluster.record(1, 1).loss_events.first().map(|event| event.cause),
        Some(LossCause::DamagedLog)
    );
}

#[test]
fn with_three_copies_the_in_sync_ones_go_on_and_the_last_one_stays_eligible() {
    let mut cluster = Cluster::with_brokers(3);
    cluster.create(1, &[("min.insync.replicas", "2")], 3).expect("valid");
    let leader = cluster.record(1, 0).leader.expect("led");
    let replicas = cluster.record(1, 0).replicas.clone();
    let order: Vec<u32> = replicas.iter().map(BrokerId::get).collect();
    for (gone, broker) in order.iter().enumerate() {
        let epoch = cluster.epoch(*broker);
        cluster.apply(Command::FenceBroker { broker: BrokerId(*broker), epoch }).expect("registered");
        let record = cluster.record(1, 0);
        let (isr, elr) = (record.isr.clone(), record.elr.clone());
        match gone {
            0 => {
                assert_eq!((isr, elr, record.leader), (set(&order[1..]), set(&[]), Some(BrokerId(order[1]))))
            }
            1 => assert_eq!(
                (isr, elr, record.leader),
                (set(&order[2..]), set(&[order[1]]), Some(BrokerId(order[2])))
            ),
            _ => assert_eq!((isr, elr, record.leader), (set(&[]), set(&order[1..]), None)),
        }
    }
    assert_eq!(leader, BrokerId(order[0]));
    // The first to go was not complete: it is not elected.
    let epoch = cluster.epoch(order[0]);
    cluster.apply(Command::UnfenceBroker { broker: BrokerId(order[0]), epoch }).expect("registered");
    assert_eq!(cluster.record(1, 0).leader, None);
    let epoch = cluster.epoch(order[2]);
    cluster.apply(Command::UnfenceBroker { broker: BrokerId(order[2]), epoch }).expect("registered");
    let record = cluster.record(1, 0);
    assert_eq!((record.leader, record.isr.clone()), (Some(BrokerId(order[2])), set(&[order[2]])));
    assert_eq!(record.elr, set(&[order[1]]));
}

#[test]
fn a_leader_changes_its_isr_by_compare_and_set() {
    let mut cluster = Cluster::with_brokers(2);
    cluster.create(1, &[], 2).expect("valid");
    let before = cluster.record(1, 0).clone();
    let leader = before.leader.expect("led");
    let other = before.replicas.iter().find(|broker| *broker != leader).expect("two");
    let (leader_be, other_be) = (cluster.epoch(leader.get()), cluster.epoch(other.get()));
    let change =
        |isr: &[(BrokerId, BrokerEpoch)], le: i32, pe: i32, be: BrokerEpoch| Command::ChangePartition {
            partition: partition(1, 0),
            broker: leader,
            broker_epoch: be,
            leader_epoch: LeaderEpoch(le),
            partition_epoch: PartitionEpoch(pe),
            isr: isr.to_vec(),
        };
    let alone = [(leader, leader_be)];
    let both = [(leader, leader_be), (other, other_be)];
    assert!(matches!(cluster.apply(change(&alone, 1, 0, leader_be)), Err(Rejection::NotController { .. })));
    assert!(matches!(cluster.apply(change(&alone, 0, 1, leader_be)), Err(Rejection::NotController { .. })));
    let stale = BrokerEpoch(leader_be.get() - 1);
    assert!(matches!(cluster.apply(change(&alone, 0, 0, stale)), Err(Rejection::StaleBrokerEpoch { .. })));
    let without_itself = [(other, other_be)];
    assert!(matches!(cluster.apply(change(&without_itself, 0, 0, leader_be)), Err(Rejection::Invalid(_))));
    let shrunk = cluster.apply(change(&alone, 0, 0, leader_be)).expect("valid");
    let expected = |pe: i32, ineligible: bool| Outcome::Partition {
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(pe),
        ineligible,
    };
    assert_eq!(shrunk, expected(1, false));
    // A lost reply: the same again is a success, without a bump.
    assert_eq!(cluster.apply(change(&alone, 0, 0, leader_be)), Ok(expected(1, false)));
    assert!(matches!(
        cluster.apply(change(&both, 0, 0, leader_be)),
        Err(Rejection::StalePartitionEpoch { .. })
    ));
    let late = [(leader, leader_be), (other, BrokerEpoch(other_be.get() + 50))];
    assert_eq!(
        cluster.apply(change(&late, 0, 1, leader_be)),
        Ok(expected(2, true)),
        "another life: ineligible"
    );
    assert_eq!(cluster.record(1, 0).isr, set(&[leader.get()]));
    assert_eq!(cluster.apply(change(&both, 0, 2, leader_be)), Ok(expected(3, false)));
    assert!(cluster.record(1, 0).isr.same_members(&set(&[1, 2])));
}

#[test]
fn names_collide_and_are_free_again_after_a_deletion() {
    let mut cluster = Cluster::with_brokers(1);
    let create = |number: u128, name: &str| Command::CreateTopic {
        topic: topic_id(number),
        name: name.into(),
        partitions: 1,
        replication_factor: 1,
        configs: BTreeMap::new(),
        internal: false,
    };
    cluster.apply(create(1, "a.b")).expect("free");
    assert!(matches!(cluster.apply(create(2, "a.b")), Err(Rejection::TopicExists { .. })));
    let collision = cluster.apply(create(2, "a_b")).expect_err("collides");
    assert!(collision.to_string().contains("\"a.b\""), "{collision}");
    assert!(matches!(cluster.apply(create(2, "..")), Err(Rejection::TopicName(_))));
    cluster.apply(Command::DeleteTopic { topic: topic_id(1) }).expect("there");
    let deleted = cluster.state.deleted.get(&topic_id(1)).expect("a record stays").clone();
    assert_eq!((deleted.logs.clone(), deleted.remaining.clone()), (vec![LogId(1)], set(&[1])));
    assert_eq!(cluster.apply(create(1, "x")), Err(Rejection::TopicIdExists { topic: topic_id(1) }));
    cluster.apply(create(2, "a_b")).expect("free again");
    assert_eq!(cluster.record(2, 0).log, LogId(2), "log numbers are never used again");
    let (broker, epoch, topics) = (BrokerId(1), cluster.epoch(1), vec![topic_id(1)]);
    cluster.apply(Command::ConfirmDeletion { broker, epoch, topics }).expect("registered");
    assert!(cluster.state.deleted.is_empty());
    assert_eq!(cluster.state.partition_count, 1);
}

#[test]
fn an_altered_topic_changes_as_a_whole_or_not_at_all() {
    let mut cluster = Cluster::with_brokers(1);
    cluster.create(1, &[("retention.ms", "5")], 1).expect("valid");
    let alter = |partitions, set: &[(&str, &str)], reset: &[&str]| Command::AlterTopic {
        topic: topic_id(1),
        partitions,
        set: map(set),
        reset: reset.iter().map(|name| (*name).to_string()).collect(),
    };
    let before = cluster.state.clone();
    for refused in [
        alter(Some(5), &[("durability", "maybe")], &[]),
        alter(Some(1), &[("durability", "async")], &[]),
        alter(None, &[], &["no.such"]),
        alter(Some(100_001), &[], &[]),
    ] {
        cluster.apply(refused).expect_err("refused");
        assert_eq!(cluster.state, before);
    }
    cluster.apply(alter(Some(5), &[("segment.ms", "7")], &["retention.ms"])).expect("valid");
    let topic = cluster.state.topic(topic_id(1)).expect("there").clone();
    assert_eq!(topic.configs, map(&[("segment.ms", "7")]));
    assert_eq!(topic.partitions.len(), 5);
    assert_eq!(cluster.record(1, 0), before.partition(partition(1, 0)).expect("there"), "no rule touched it");
}

#[test]
fn a_switch_to_fsync_counts_as_async_until_it_is_confirmed() {
    let mut cluster = Cluster::with_brokers(1);
    cluster.create(1, &[("durability", "async")], 1).expect("valid");
    let set = map(&[("durability", "fsync")]);
    let alter = Command::AlterTopic { topic: topic_id(1), partitions: None, set, reset: Vec::new() };
    cluster.apply(alter).expect("valid");
    let switched = cluster.record(1, 0).clone();
    assert_eq!((switched.durability, switched.election_durability()), (Durability::Fsync, Durability::Async));
    assert_eq!(switched.partition_epoch, PartitionEpoch(1));
    let confirm = |partition_epoch: i32| Command::ConfirmDurability {
        partition: partition(1, 0),
        leader_epoch: switched.leader_epoch,
        partition_epoch: PartitionEpoch(partition_epoch),
        durability: Durability::Fsync,
    };
    assert!(matches!(cluster.apply(confirm(0)), Err(Rejection::StalePartitionEpoch { .. })));
    cluster.apply(confirm(1)).expect("current");
    assert_eq!(cluster.record(1, 0).election_durability(), Durability::Fsync);
    assert_eq!(cluster.record(1, 1).election_durability(), Durability::Async);
}

#[test]
fn refusals_say_what_is_allowed() {
    let mut cluster = Cluster::with_brokers(1);
    let factor = cluster.create(1, &[], 3).expect_err("one broker");
    assert!(factor.to_string().contains("use 1 to 1"), "{factor}");
    let none = cluster
        .apply(Command::CreateTopic {
            topic: topic_id(1),
            name: "t".into(),
            partitions: 0,
            replication_factor: 1,
            configs: BTreeMap::new(),
            internal: false,
        })
        .expect_err("no partitions");
    assert!(none.to_string().contains("1 to 100000"), "{none}");
    assert_eq!(cluster.state.next_log, LogId(1));
}

/// A command that a confused client, broker or operator might send.
fn any_command() -> impl Strategy<Value = (u8, u32, u128, i32, i32, u8)> {
    (0u8..12, 1u32..4, 1u128..4, 0i32..40, 0i32..60, any::<u8>())
}

fn command(
    cluster: &mut Cluster,
    (kind, broker, topic, le, pe, bits): (u8, u32, u128, i32, i32, u8),
) -> Command {
    let bit = |bit: u8| bits & (1 << bit) != 0;
    let epoch = cluster.state.broker(BrokerId(broker)).map_or(BrokerEpoch(0), |record| record.epoch);
    let sent = if bit(7) { epoch } else { BrokerEpoch(epoch.get() / 2) };
    let record = cluster.state.partition(partition(topic, 0)).cloned();
    match kind {
        0 | 1 => {
            let mut registration = cluster.registration(broker);
            registration.clean_epoch = bit(0).then_some(epoch);
            registration.boot_id = Some(format!("boot {}", bit(1)));
            registration.suspect_logs = if bit(2) { vec![LogId(1), LogId(3)] } else { Vec::new() };
            registration.disk_epoch = registration.disk_epoch.filter(|_| bit(3) || bit(4));
            Command::RegisterBroker(registration)
        }
        2..=4 => Command::UnfenceBroker { broker: BrokerId(broker), epoch },
        5 => Command::FenceBroker { broker: BrokerId(broker), epoch: sent },
        6 => Command::CreateTopic {
            topic: topic_id(topic),
            name: format!("topic-{topic}"),
            partitions: 2,
            replication_factor: 1 + u32::from(bits % 3),
            configs: map(&[
                ("min.insync.replicas", if bit(3) { "2" } else { "1" }),
                ("durability", if bit(4) { "async" } else { "fsync" }),
            ]),
            internal: false,
        },
        7 => Command::AlterTopic {
            topic: topic_id(topic),
            partitions: bit(0).then_some(3),
            set: map(&[
                ("min.insync.replicas", if bit(1) { "3" } else { "1" }),
                ("durability", if bit(2) { "async" } else { "fsync" }),
            ]),
            reset: Vec::new(),
        },
        8 if bit(0) && bit(1) => Command::DeleteTopic { topic: topic_id(topic) },
        9 => Command::ConfirmDurability {
            partition: partition(topic, 0),
            leader_epoch: record.as_ref().map_or(LeaderEpoch(le), |record| record.leader_epoch),
            partition_epoch: record.as_ref().map_or(PartitionEpoch(pe), |record| record.partition_epoch),
            durability: Durability::Fsync,
        },
        _ => {
            let guess = |record: &PartitionRecord| match bit(6) {
                true => (record.leader_epoch, record.partition_epoch),
                false => (LeaderEpoch(le), PartitionEpoch(pe)),
            };
            let (leader_epoch, partition_epoch) =
                record.as_ref().map_or((LeaderEpoch(le), PartitionEpoch(pe)), guess);
            let broker =
                record.and_then(|record| record.leader).filter(|_| bit(5)).unwrap_or(BrokerId(broker));
            let registered =
                |broker: BrokerId| cluster.state.broker(broker).map_or(BrokerEpoch(9), |one| one.epoch);
            Command::ChangePartition {
                partition: partition(topic, 0),
                broker,
                broker_epoch: registered(broker),
                leader_epoch,
                partition_epoch,
                isr: (1..4)
                    .filter(|one| bit(*one))
                    .map(|one| BrokerId(one.into()))
                    .map(|b| (b, registered(b)))
                    .collect(),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// I6, I10 and I18 over random commands; a refused one changes nothing; the same commands give the same state.
    #[test]
    fn random_commands_keep_the_rules(inputs in prop::collection::vec(any_command(), 1..60)) {
        let mut cluster = Cluster::formed();
        let mut twin = cluster.state.clone();
        for input in inputs {
            let command = command(&mut cluster, input);
            let before = cluster.state.clone();
            let outcome = cluster.apply(command.clone());
            prop_assert_eq!(&outcome, &twin.apply(before.index.next(), &command));
            prop_assert_eq!(&cluster.state, &twin);
            if outcome.is_err() {
                prop_assert_eq!(&cluster.state, &before);
                prop_assert_eq!(twin.index, before.index);
            }
            for (id, topic) in &cluster.state.topics {
                for (index, record) in topic.numbered() {
                    let state = &cluster.state;
                    check_sets(record, &|broker| state.is_live(broker));
                    let Some(old) = before.partition(TopicPartition { topic: *id, partition: index }) else { continue };
                    let step = i32::from(record != old);
                    prop_assert_eq!(record.partition_epoch.get() - old.partition_epoch.get(), step);
                    prop_assert!(record.leader_epoch >= old.leader_epoch);
                    prop_assert!(record.leader == old.leader || record.leader_epoch > old.leader_epoch);
                    prop_assert!(record.loss_events.starts_with(&old.loss_events));
                    if record != old
                        && let Command::ChangePartition { leader_epoch, partition_epoch, .. } = &command
                    {
                        prop_assert_eq!((*leader_epoch, *partition_epoch), (old.leader_epoch, old.partition_epoch));
                    }
                }
            }
        }
    }
}
