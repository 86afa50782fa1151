//! Many groups: what is committed, written, replayed, deleted and forgotten.

mod natives;

use super::*;
use crate::{
    coordinator::group::{Assignor, Waiter},
    ids::TopicId,
};

const fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

fn join(waiter: u64) -> JoinRequest {
    JoinRequest {
        waiter: Waiter(waiter),
        member_id: String::new(),
        new_member_id: format!("member-{waiter}"),
        instance_id: None,
        client_id: "client".into(),
        client_host: "127.0.0.1".into(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: "consumer".into(),
        assignors: vec![Assignor { name: "range".into(), metadata: Bytes::from("wants") }],
        comes_again: false,
        may_skip_assignment: false,
    }
}

fn nobody() -> Committer {
    Committer { member_id: String::new(), instance_id: None, generation: -1 }
}

fn member(generation: i32) -> Committer {
    Committer { member_id: "member-1".into(), instance_id: None, generation }
}

fn offsets(offset: i64, committed_ms: i64) -> BTreeMap<Place, CommittedOffset> {
    let committed = CommittedOffset {
        topic: TopicId(uuid::Uuid::from_u128(1)),
        offset,
        leader_epoch: Some(1),
        metadata: "note".into(),
        committed_ms,
    };
    [(("topic".to_string(), 0), committed.clone()), (("topic".to_string(), 1), committed)].into()
}

/// A group with one member at generation 1; the records that were written.
fn with_member(groups: &mut Groups) -> Vec<Record> {
    assert!(groups.join("g", join(1), at(0)).is_empty());
    let effects = groups.tick(at(3)).classic;
    assert!(matches!(&effects[..], [(_, Effect::Joined(Waiter(1), Ok(_)))]), "{effects:?}");
    let share = vec![("member-1".to_string(), Bytes::from("topic 0"))];
    let request = SyncRequest {
        waiter: Waiter(2),
        member_id: "member-1".into(),
        instance_id: None,
        generation: 1,
        protocol_type: None,
        protocol: None,
        assignments: share,
    };
    assert_eq!(groups.sync("g", request, at(3)), [Effect::Write(1)]);
    let record = groups.record_of("g", 0).expect("a record");
    let effects = groups.written("g", (1, true), (at(3), 0));
    assert!(matches!(&effects[..], [Effect::Synced(Waiter(2), Ok(_))]), "{effects:?}");
    vec![record]
}

fn replayed(records: &[Record]) -> Groups {
    let mut groups = Groups::new(GroupOptions::default());
    for record in records {
        groups.replay((&record.key, record.value.as_ref()), (at(50), 50_000)).expect("a record");
    }
    groups.finish_replay(at(50));
    groups
}

#[test]
fn an_offset_is_told_once_it_is_durable_and_comes_back() {
    let mut groups = Groups::new(GroupOptions::default());
    let mut records = with_member(&mut groups);
    let refused = groups.commit("g", &nobody(), &offsets(5, 0), at(4));
    assert_eq!(refused, Err(GroupError::UnknownMember));
    let written = groups.commit("g", &member(1), &offsets(5, 0), at(4)).expect("may commit");
    let place = ("topic".to_string(), 1);
    assert_eq!(groups.offset("g", &place), None, "not durable yet");
    groups.committed("g", offsets(5, 0), 0);
    assert_eq!(groups.offset("g", &place).map(|committed| committed.offset), Some(5));
    records.extend(written);
    let mut again = replayed(&records);
    assert_eq!(again.offset("g", &place), groups.offset("g", &place));
    assert_eq!(again.describe("g").map(|group| group.members.len()), Some(1));
    assert_eq!(again.heartbeat("g", &member(1), at(55)), Ok(()));
    // The member is silent from then on.
    assert_eq!(again.next_deadline(), Some(at(65)));
    again.tick(at(65));
    assert_eq!(again.describe("g").map(|group| group.state), Some("Empty"));
}

#[test]
fn a_group_that_only_commits_needs_no_member() {
    let mut groups = Groups::new(GroupOptions::default());
    let records = groups.commit("simple", &nobody(), &offsets(9, 0), at(0)).expect("may commit");
    groups.committed("simple", offsets(9, 0), 0);
    assert_eq!(groups.offsets("simple").count(), 2);
    let refused = groups.commit("other", &member(3), &offsets(9, 0), at(0));
    assert_eq!(refused, Err(GroupError::IllegalGeneration { current: -1 }));
    assert_eq!(replayed(&records).offsets("simple").count(), 2);
}

#[test]
fn what_was_deleted_does_not_come_back() {
    let mut groups = Groups::new(GroupOptions::default());
    let mut records = with_member(&mut groups);
    assert_eq!(groups.delete("g"), Err(DeleteGroupError::NotEmpty));
    assert_eq!(groups.delete("unknown"), Err(DeleteGroupError::NotFound));
    records.extend(groups.commit("g", &member(1), &offsets(5, 0), at(4)).expect("may commit"));
    groups.committed("g", offsets(5, 0), 0);
    let leaver = Leaver { member_id: "member-1".into(), instance_id: None };
    let (outcomes, effects) = groups.leave("g", &[leaver], at(5));
    assert_eq!((outcomes, effects), (vec![Ok(())], vec![Effect::Write(2)]));
    records.extend(groups.record_of("g", 5_000));
    let place = ("topic".to_string(), 0);
    records.extend(groups.delete_offsets("g", [&place].into_iter()));
    groups.forget_offsets("g", [&place].into_iter());
    assert_eq!(replayed(&records).offsets("g").count(), 1);
    let (all, places) = groups.delete("g").expect("empty now");
    assert_eq!((all.len(), places.len()), (2, 1));
    records.extend(all);
    groups.forget("g", &places);
    assert_eq!(groups.list().count(), 0);
    let again = replayed(&records);
    assert_eq!((again.list().count(), again.next_deadline()), (0, None));
    // Compaction keeps the last record of each key, in any case in some order.
    let last: BTreeMap<_, _> = records.iter().map(|record| (record.key.clone(), record.clone())).collect();
    let kept: Vec<Record> = last.into_values().rev().collect();
    assert_eq!(replayed(&kept).list().count(), 0);
}

#[test]
fn unused_groups_expire_and_used_ones_do_not() {
    const DAY_MS: i64 = 86_400_000;
    let week = Duration::from_secs(7 * 86_400);
    let mut groups = Groups::new(GroupOptions::default());
    with_member(&mut groups);
    groups.committed("g", offsets(1, 0), 0);
    groups.committed("unused", offsets(1, 0), 0);
    groups.committed("used", offsets(1, 0), 0);
    groups.committed("used", offsets(2, 3 * DAY_MS), 3 * DAY_MS);
    assert_eq!(groups.expired(week, 6 * DAY_MS), Vec::<String>::new());
    assert_eq!(groups.expired(week, 7 * DAY_MS), ["unused"]);
    assert_eq!(groups.expired(week, 10 * DAY_MS), ["unused", "used"], "a group with members stays");
}

#[test]
fn bytes_that_are_no_record_change_nothing() {
    let mut groups = Groups::new(GroupOptions::default());
    let key = encode_key(&Key::Group("g".into()));
    for (key, value) in [(Bytes::from("x"), None), (key, Some(Bytes::from("\0\x03\0")))] {
        assert!(groups.replay((&key, value.as_ref()), (at(0), 0)).is_err());
    }
    assert_eq!(groups.list().count(), 0);
}

#[test]
fn a_refused_request_leaves_no_group_behind() {
    let mut groups = Groups::new(GroupOptions::default());
    let refused = groups.join("g", JoinRequest { session_timeout: Duration::ZERO, ..join(1) }, at(0));
    assert!(matches!(&refused[..], [Effect::Joined(_, Err(_))]), "{refused:?}");
    assert_eq!(groups.list().count(), 0);
    groups.join("g", JoinRequest { comes_again: true, ..join(2) }, at(0));
    assert_eq!(groups.list().count(), 1, "its member is awaited");
    groups.tick(at(10));
    assert_eq!((groups.list().count(), groups.next_deadline()), (0, None), "it did not come");
}

#[test]
fn sessions_begin_when_everything_is_read() {
    let mut groups = Groups::new(GroupOptions::default());
    let records = with_member(&mut groups);
    let mut again = Groups::new(GroupOptions::default());
    for record in &records {
        again.replay((&record.key, record.value.as_ref()), (at(50), 50_000)).expect("a record");
    }
    again.finish_replay(at(90));
    assert_eq!(again.next_deadline(), Some(at(100)));
    assert!(again.tick(at(99)).classic.is_empty());
    assert_eq!(again.describe("g").map(|group| group.members.len()), Some(1));
}

#[test]
fn a_group_that_comes_back_with_members_does_not_expire_once_they_leave() {
    const DAY_MS: i64 = 86_400_000;
    let mut groups = Groups::new(GroupOptions::default());
    let mut records = with_member(&mut groups);
    records.extend(groups.commit("g", &member(1), &offsets(5, 0), at(4)).expect("may commit"));
    let mut again = replayed(&records);
    let leaver = Leaver { member_id: "member-1".into(), instance_id: None };
    assert_eq!(again.leave("g", &[leaver], at(51)).1, [Effect::Write(2)]);
    again.written("g", (2, true), (at(51), 8 * DAY_MS));
    let week = Duration::from_secs(7 * 86_400);
    assert_eq!(again.expired(week, 9 * DAY_MS), Vec::<String>::new());
    assert_eq!(again.expired(week, 15 * DAY_MS), ["g"]);
}

#[test]
fn offsets_in_use_are_those_of_topics_that_members_read() {
    let mut groups = Groups::new(GroupOptions::default());
    assert_eq!(groups.topics_in_use("g"), Err(DeleteGroupError::NotFound));
    groups.committed("g", offsets(1, 0), 0);
    assert_eq!(groups.topics_in_use("g"), Ok(BTreeSet::new()));
    let metadata = Bytes::from(&b"\0\0\0\0\0\x01\0\x05topic"[..]);
    let assignors = vec![Assignor { name: "range".into(), metadata }];
    groups.join("g", JoinRequest { assignors, ..join(1) }, at(0));
    assert_eq!(groups.topics_in_use("g"), Ok(["topic".to_string()].into()));
    groups.join("g", join(2), at(0));
    assert_eq!(groups.topics_in_use("g"), Err(DeleteGroupError::NotEmpty), "nobody knows what it reads");
}

#[test]
fn who_joins_or_commits_while_a_group_is_deleted_is_not_forgotten() {
    let mut groups = Groups::new(GroupOptions::default());
    groups.committed("g", offsets(1, 0), 0);
    let place = ("later".to_string(), 0);
    let later: BTreeMap<_, _> = offsets(2, 0).into_values().take(1).map(|it| (place.clone(), it)).collect();
    let written = groups.commit("g", &nobody(), &later, at(0)).expect("may commit");
    let (deleted, places) = groups.delete("g").expect("nobody is in it");
    let records = [written, deleted].concat();
    groups.committed("g", later, 0);
    groups.join("g", join(1), at(0));
    groups.forget("g", &places);
    assert_eq!(groups.describe("g").map(|group| group.members.len()), Some(1));
    let left: Vec<_> = groups.offsets("g").map(|(place, _)| place.clone()).collect();
    assert_eq!(left, [place]);
    let again = replayed(&records);
    assert_eq!(again.offsets("g").map(|(place, _)| place.clone()).collect::<Vec<_>>(), left);
    assert!(!groups.tick(at(3)).classic.is_empty(), "the round goes on");
}

#[test]
fn a_first_round_without_delay_ends_at_once() {
    let options = GroupOptions { initial_rebalance_delay: Duration::ZERO, ..GroupOptions::default() };
    let mut groups = Groups::new(options);
    assert!(groups.join("g", join(1), at(0)).is_empty());
    assert!(groups.join("g", join(2), at(0)).is_empty());
    assert_eq!(groups.next_deadline(), Some(at(0)));
    assert_eq!(groups.tick(at(0)).classic.len(), 2, "both are told");
}

#[test]
fn static_members_without_time_to_join_do_not_keep_the_clock_busy() {
    let mut groups = Groups::new(GroupOptions::default());
    let of_instance = |waiter, instance: &str| JoinRequest {
        instance_id: Some(instance.to_string()),
        rebalance_timeout: Duration::ZERO,
        ..join(waiter)
    };
    groups.join("g", of_instance(1, "one"), at(0));
    assert_eq!(groups.tick(at(3)).classic.len(), 1);
    let request = SyncRequest {
        waiter: Waiter(2),
        member_id: "member-1".into(),
        instance_id: Some("one".into()),
        generation: 1,
        protocol_type: None,
        protocol: None,
        assignments: Vec::new(),
    };
    assert_eq!(groups.sync("g", request, at(3)), [Effect::Write(1)]);
    groups.written("g", (1, true), (at(3), 0));
    // Somebody comes and goes. The static member says nothing, and has until its session is over.
    groups.join("g", JoinRequest { rebalance_timeout: Duration::ZERO, ..join(3) }, at(4));
    groups.leave("g", &[Leaver { member_id: "member-3".into(), instance_id: None }], at(4));
    let (mut now, mut turns) = (at(4), 0);
    while let Some(next) = groups.next_deadline() {
        assert!(next > now, "{next:?} is not behind {now:?}");
        (now, turns) = (next, turns + 1);
        groups.tick(now);
        assert!(turns < 1000, "no end");
    }
    assert_eq!(groups.describe("g").map(|group| group.state), Some("Empty"));
}
