//! One native group, step by step, in virtual time; and a model of whole groups with every kind of loss.

mod model;

use super::*;
use crate::ids::PartitionIndex;
use std::collections::BTreeSet;
use uuid::Uuid;

pub(super) const SESSION: Duration = Duration::from_secs(10);
pub(super) const REBALANCE: Duration = Duration::from_secs(60);

pub(super) const fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

pub(super) fn topic(number: u128) -> TopicId {
    TopicId(Uuid::from_u128(number))
}

fn four(name: &str) -> Option<(TopicId, u32)> {
    (name == "t").then_some((topic(1), 4))
}

pub(super) fn profile(topics: &[&str]) -> Profile {
    Profile {
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        topics: topics.iter().map(ToString::to_string).collect(),
    }
}

fn beat(waiter: u64, id: &str, epoch: i32) -> Beat {
    Beat {
        waiter: Waiter(waiter),
        member_id: id.into(),
        epoch,
        known_epoch: epoch,
        profile: profile(&["t"]),
        wait: Duration::from_secs(2),
    }
}

/// A group of which every write succeeds at once.
struct Scene {
    group: NativeGroup,
    now: Monotonic,
    answers: BTreeMap<u64, Result<Directive, NativeError>>,
    writes: Vec<WrittenGroup>,
    next_waiter: u64,
}

impl Scene {
    fn new() -> Self {
        let group = NativeGroup::new(GroupOptions::default());
        Self { group, now: at(0), answers: BTreeMap::new(), writes: Vec::new(), next_waiter: 0 }
    }

    fn perform(&mut self, effects: Vec<NativeEffect>) {
        for effect in effects {
            match effect {
                NativeEffect::Answer(waiter, answer) => {
                    assert!(self.answers.insert(waiter.0, answer).is_none(), "answered twice");
                }
                NativeEffect::Write(version) => {
                    self.writes.push(self.group.to_written());
                    let effects = self.group.written(version, Ok(()));
                    self.perform(effects);
                }
            }
        }
    }

    fn send(&mut self, mut beat: Beat) -> u64 {
        self.next_waiter += 1;
        beat.waiter = Waiter(self.next_waiter);
        let effects = self.group.heartbeat(beat, &four, self.now);
        self.perform(effects);
        self.next_waiter
    }

    /// Beats and takes the answer, which must be there.
    fn beat(&mut self, id: &str, epoch: i32) -> (i32, Option<Vec<u32>>) {
        let waiter = self.send(beat(0, id, epoch));
        told(self.answers.remove(&waiter).expect("an answer at once").expect("no refusal"))
    }

    fn pass(&mut self, seconds: u64) {
        self.now = Monotonic(self.now.0 + Duration::from_secs(seconds));
        let effects = self.group.tick(self.now);
        self.perform(effects);
    }
}

fn told(directive: Directive) -> (i32, Option<Vec<u32>>) {
    let numbers = |named: Vec<(String, TopicPartition)>| {
        named.into_iter().map(|(_, partition)| partition.partition.get()).collect()
    };
    (directive.epoch, directive.assigned.map(numbers))
}

#[test]
fn a_partition_moves_once_its_reader_has_given_it_up_and_the_others_stay() {
    let mut scene = Scene::new();
    assert_eq!(scene.beat("a", 0), (2, Some(vec![0, 1, 2, 3])));
    let waiting = scene.send(beat(0, "a", 2));
    assert!(!scene.answers.contains_key(&waiting), "no news");
    assert_eq!(scene.beat("b", 0), (1, Some(vec![])), "everything is held");
    let news = told(scene.answers.remove(&waiting).unwrap().unwrap());
    assert_eq!(news, (3, Some(vec![0, 1])), "a keeps two and never stops reading them");
    let newcomer = scene.send(beat(0, "b", 1));
    assert!(!scene.answers.contains_key(&newcomer), "a may still be reading them");
    // Its heartbeats go on while it finishes; they confirm nothing.
    let busy = scene.send(Beat { epoch: 2, ..beat(0, "a", 3) });
    assert!(!scene.answers.contains_key(&busy) && !scene.answers.contains_key(&newcomer));
    scene.send(beat(0, "a", 3));
    let news = told(scene.answers.remove(&newcomer).unwrap().unwrap());
    assert_eq!(news, (2, Some(vec![2, 3])));
    assert_eq!(scene.group.describe().state, "Reconciling");
    scene.send(beat(0, "b", 2));
    assert_eq!(scene.group.describe().state, "Stable");
}

#[test]
fn a_lost_answer_is_told_again_and_an_old_heartbeat_confirms_nothing() {
    let mut scene = Scene::new();
    assert_eq!(scene.beat("a", 0), (2, Some(vec![0, 1, 2, 3])));
    assert_eq!(scene.beat("a", 0), (2, Some(vec![0, 1, 2, 3])), "the first answer was lost");
    scene.send(beat(0, "a", 2));
    assert_eq!(scene.beat("b", 0), (1, Some(vec![])));
    // A heartbeat of before, delayed: a was told to give up by now, and has not.
    assert_eq!(scene.beat("a", 2), (3, Some(vec![0, 1])));
    let newcomer = scene.send(beat(0, "b", 1));
    assert!(!scene.answers.contains_key(&newcomer));
}

#[test]
fn nothing_is_told_before_it_is_written_nor_after_a_failed_write() {
    let mut group = NativeGroup::new(GroupOptions::default());
    let effects = group.heartbeat(beat(1, "a", 0), &four, at(0));
    let [NativeEffect::Write(version)] = effects[..] else { panic!("{effects:?}") };
    let effects = group.written(version, Err("full".into()));
    assert_eq!(effects, [NativeEffect::Answer(Waiter(1), Err(NativeError::NotWritten("full".into())))]);
    // The next heartbeat tries again.
    let effects = group.heartbeat(beat(2, "a", 0), &four, at(1));
    let [NativeEffect::Write(version)] = effects[..] else { panic!("{effects:?}") };
    // A change meanwhile is one more write, after this one.
    assert_eq!(group.heartbeat(beat(3, "b", 0), &four, at(1)), []);
    let effects = group.written(version, Ok(()));
    assert!(
        matches!(effects[..], [NativeEffect::Answer(Waiter(2), Ok(_)), NativeEffect::Write(_)]),
        "{effects:?}"
    );
}

#[test]
fn silence_and_reluctance_end_a_membership() {
    let mut scene = Scene::new();
    scene.beat("a", 0);
    scene.send(beat(0, "a", 2));
    scene.beat("b", 0);
    for _ in 0..12 {
        scene.pass(5);
        scene.send(Beat { epoch: 2, ..beat(0, "a", 3) });
        scene.send(beat(0, "b", 1));
    }
    scene.pass(1);
    let gone = scene.send(Beat { epoch: 2, ..beat(0, "a", 3) });
    assert_eq!(scene.answers[&gone], Err(NativeError::UnknownMember), "it never gave anything up");
    let (epoch, share) = scene.beat("b", 1);
    assert_eq!(share, Some(vec![0, 1, 2, 3]));
    scene.send(beat(0, "b", epoch));
    scene.pass(11);
    assert!(scene.group.is_empty(), "b is silent");
    assert_eq!(scene.group.describe().state, "Empty");
}

#[test]
fn a_heartbeat_without_news_is_answered_in_its_time() {
    let mut scene = Scene::new();
    scene.beat("a", 0);
    let first = scene.send(beat(0, "a", 2));
    let second = scene.send(beat(0, "a", 2));
    assert_eq!(scene.answers[&first], Ok(Directive { epoch: 2, assigned: None }), "another one came");
    scene.pass(2);
    assert_eq!(scene.answers[&second], Ok(Directive { epoch: 2, assigned: None }));
    let long = scene.send(Beat { wait: Duration::from_secs(3600), ..beat(0, "a", 2) });
    scene.pass(4);
    assert!(scene.answers.contains_key(&long), "a part of the session at most");
}

#[test]
fn a_static_member_takes_its_place_again_and_the_earlier_process_is_fenced() {
    let mut scene = Scene::new();
    let one = || Profile { instance_id: Some("one".into()), ..profile(&["t"]) };
    let waiter = scene.send(Beat { profile: one(), ..beat(0, "a", 0) });
    let (epoch, _) = told(scene.answers.remove(&waiter).unwrap().unwrap());
    scene.send(Beat { profile: one(), ..beat(0, "a", epoch) });
    let other = scene.send(beat(0, "b", 0));
    scene.answers.remove(&other);
    let waiter = scene.send(Beat { profile: one(), ..beat(0, "a-again", 0) });
    let (epoch, share) = told(scene.answers.remove(&waiter).unwrap().unwrap());
    assert_eq!(share, Some(vec![0, 1]), "all that it was told to keep, at once");
    let fenced = scene.send(Beat { profile: one(), ..beat(0, "a", 3) });
    assert_eq!(scene.answers[&fenced], Err(NativeError::FencedInstance));
    scene.send(Beat { profile: one(), ..beat(0, "a-again", epoch) });
    assert_eq!(scene.beat("b", 1), (2, Some(vec![2, 3])), "what the earlier one had to give up is free");
}

#[test]
fn who_no_longer_holds_a_partition_does_not_commit_it() {
    let mut scene = Scene::new();
    scene.beat("a", 0);
    scene.send(beat(0, "a", 2));
    scene.beat("b", 0);
    let places = || (0..4).map(|index| TopicPartition { topic: topic(1), partition: PartitionIndex(index) });
    let allowed = |scene: &mut Scene, id, epoch, number| {
        let places = scene.group.check_commit((id, epoch), number, places());
        places.map(|places| places.iter().map(|place| place.is_allowed).collect::<Vec<_>>())
    };
    assert_eq!(
        allowed(&mut scene, "a", 2, 1),
        Ok(vec![true; 4]),
        "two are being given up, and still its own"
    );
    assert_eq!(allowed(&mut scene, "a", 2, 1), Err(NativeError::StaleEpoch { current: 3 }), "overtaken");
    assert_eq!(allowed(&mut scene, "b", 1, 1), Ok(vec![false; 4]));
    scene.send(beat(0, "a", 3));
    assert_eq!(allowed(&mut scene, "a", 3, 2), Ok(vec![true, true, false, false]));
    let (epoch, _) = scene.beat("b", 1);
    assert_eq!(allowed(&mut scene, "b", epoch, 2), Ok(vec![false, false, true, true]));
    assert_eq!(
        allowed(&mut scene, "b", epoch - 1, 3),
        Ok(vec![false; 4]),
        "from before they were given to it"
    );
    assert_eq!(allowed(&mut scene, "c", 1, 1), Err(NativeError::UnknownMember));
    assert!(allowed(&mut scene, "b", epoch + 1, 4).is_err(), "an epoch that it was never told");
}

#[test]
fn topics_that_grow_go_and_come_again_are_noticed() {
    let mut scene = Scene::new();
    let facts = std::cell::Cell::new(Some((topic(1), 2)));
    let step = |scene: &mut Scene, epoch| {
        let lookup = |_: &str| facts.get();
        let effects =
            scene.group.heartbeat(beat(100 + scene.answers.len() as u64, "a", epoch), &lookup, scene.now);
        scene.perform(effects);
        let (_, answer) = scene.answers.last_key_value().unwrap();
        answer.clone().unwrap()
    };
    let first = step(&mut scene, 0);
    assert_eq!(told(first), (2, Some(vec![0, 1])));
    facts.set(Some((topic(1), 3)));
    assert_eq!(told(step(&mut scene, 2)), (3, Some(vec![0, 1, 2])));
    facts.set(Some((topic(2), 1)));
    let again = step(&mut scene, 3);
    let ids: BTreeSet<TopicId> = again.assigned.clone().unwrap().iter().map(|(_, one)| one.topic).collect();
    assert_eq!((told(again).1, ids), (Some(vec![0]), [topic(2)].into()), "another topic of the same name");
    facts.set(None);
    assert_eq!(told(step(&mut scene, 4)), (5, Some(vec![])));
}

#[test]
fn refusals_change_nothing() {
    let mut scene = Scene::new();
    scene.beat("a", 0);
    let before = scene.group.to_written();
    let short = Profile { session_timeout: Duration::from_secs(1), ..profile(&["t"]) };
    let no_topic = Beat { profile: profile(&[]), ..beat(0, "b", 0) };
    let names: Vec<String> = (0..TOPICS_MAX).map(|number| format!("{number:0>249}")).collect();
    let many = || Profile { topics: names.iter().cloned().collect(), ..profile(&[]) };
    for refused in [
        Beat { profile: short, ..beat(0, "b", 0) },
        no_topic,
        beat(0, "stranger", 7),
        Beat { epoch: 9, ..beat(0, "a", 9) },
    ] {
        let waiter = scene.send(refused);
        assert!(scene.answers[&waiter].is_err(), "{:?}", scene.answers[&waiter]);
        assert_eq!(scene.group.to_written(), before);
    }
    for number in 0..2 {
        scene.send(Beat { profile: many(), ..beat(0, &format!("m{number}"), 0) });
    }
    let waiter = scene.send(Beat { profile: many(), ..beat(0, "m2", 0) });
    assert!(matches!(scene.answers[&waiter], Err(NativeError::TooManyTopics { .. })));
}

#[test]
fn a_coordinator_that_comes_back_knows_what_its_members_know() {
    let mut scene = Scene::new();
    scene.beat("a", 0);
    scene.send(beat(0, "a", 2));
    scene.beat("b", 0);
    let written = scene.writes.last().cloned().unwrap();
    scene.group = NativeGroup::restore(GroupOptions::default(), written);
    scene.group.begin_sessions(scene.now);
    assert_eq!(scene.beat("b", 0), (1, Some(vec![])), "a may still be reading everything");
    let newcomer = scene.send(beat(0, "b", 1));
    assert_eq!(scene.beat("a", 2), (3, Some(vec![0, 1])));
    scene.send(beat(0, "a", 3));
    assert_eq!(told(scene.answers.remove(&newcomer).unwrap().unwrap()), (2, Some(vec![2, 3])));
}
