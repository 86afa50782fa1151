//! Rounds of one group, told from outside: who is answered what, and when.

use super::*;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

fn request(waiter: u64, member_id: &str) -> JoinRequest {
    JoinRequest {
        waiter: Waiter(waiter),
        member_id: member_id.to_string(),
        new_member_id: format!("member-{waiter}"),
        instance_id: None,
        client_id: "client".to_string(),
        client_host: "127.0.0.1".to_string(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: "consumer".to_string(),
        assignors: vec![Assignor { name: "range".to_string(), metadata: Bytes::from(format!("m{waiter}")) }],
        comes_again: false,
        may_skip_assignment: true,
    }
}

fn of_instance(waiter: u64, member_id: &str, instance: &str) -> JoinRequest {
    JoinRequest { instance_id: Some(instance.to_string()), ..request(waiter, member_id) }
}

fn sync(waiter: u64, member_id: &str, generation: i32, assignments: &[(&str, &'static str)]) -> SyncRequest {
    SyncRequest {
        waiter: Waiter(waiter),
        member_id: member_id.to_string(),
        instance_id: None,
        generation,
        protocol_type: None,
        protocol: None,
        assignments: assignments.iter().map(|(id, share)| ((*id).to_string(), Bytes::from(*share))).collect(),
    }
}

fn group() -> Group {
    Group::new(GroupOptions::default())
}

/// The results of join requests among effects, by waiter.
fn joins(effects: &[Effect]) -> BTreeMap<u64, Result<Joined, GroupError>> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Joined(waiter, result) => Some((waiter.0, result.clone())),
            _ => None,
        })
        .collect()
}

fn syncs(effects: &[Effect]) -> BTreeMap<u64, Result<Bytes, GroupError>> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Synced(waiter, result) => {
                Some((waiter.0, result.clone().map(|synced| synced.assignment)))
            }
            _ => None,
        })
        .collect()
}

/// Two members, `member-1` the leader, at generation 1 and stable since second 4.
fn stable() -> Group {
    let mut group = group();
    assert!(group.join(request(1, ""), at(0)).is_empty());
    assert!(group.join(request(2, ""), at(1)).is_empty());
    let effects = group.tick(at(3));
    assert!(effects.is_empty(), "somebody came: more may");
    assert_eq!(joins(&group.tick(at(6))).len(), 2);
    assert_eq!(group.sync(sync(10, "member-2", 1, &[]), at(6)), []);
    let effects = group.sync(sync(11, "member-1", 1, &[("member-1", "a"), ("member-2", "b")]), at(6));
    assert_eq!(effects, [Effect::Write(1)], "nobody is told before it is written");
    let told = syncs(&group.written(1, true, at(6)));
    assert_eq!(told, [(10, Ok(Bytes::from("b"))), (11, Ok(Bytes::from("a")))].into());
    assert_eq!(group.describe().state, "Stable");
    group
}

#[test]
fn the_first_round_waits_for_more_members_and_not_for_ever() {
    let mut group = group();
    assert!(group.join(request(1, ""), at(0)).is_empty());
    assert_eq!(group.next_deadline(), Some(at(3)));
    let told = joins(&group.tick(at(3)));
    let joined = told[&1].clone().expect("joined");
    assert_eq!((joined.generation, joined.leader.as_str()), (1, "member-1"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(joined.members[0].metadata, Bytes::from("m1"));
    let mut group = self::group();
    for second in 0..200 {
        group.join(request(second, ""), at(second));
        if group.tick(at(second)).iter().any(|effect| matches!(effect, Effect::Joined(_, Ok(_)))) {
            assert!(
                (55..=63).contains(&second),
                "the rebalance timeout ends the first round, not {second} s"
            );
            return;
        }
    }
    panic!("the first round never ended");
}

#[test]
fn a_member_without_an_id_is_told_to_come_again_with_one() {
    let mut group = group();
    let effects = group.join(JoinRequest { comes_again: true, ..request(1, "") }, at(0));
    assert_eq!(joins(&effects)[&1], Err(GroupError::MemberIdRequired("member-1".into())));
    assert!(!group.is_empty(), "it is awaited");
    assert!(group.join(request(2, "member-1"), at(1)).is_empty());
    assert!(joins(&group.tick(at(4)))[&2].is_ok());
    let effects = group.join(request(3, "never-given"), at(5));
    assert_eq!(joins(&effects)[&3], Err(GroupError::UnknownMember));
    let mut group = self::group();
    group.join(JoinRequest { comes_again: true, ..request(1, "") }, at(0));
    group.tick(at(10));
    assert!(group.is_empty(), "it did not come");
}

#[test]
fn a_third_member_makes_the_others_join_again() {
    let mut group = stable();
    assert!(group.join(request(3, ""), at(7)).is_empty());
    let refused = group.heartbeat("member-1", None, 1, at(7));
    assert_eq!(refused, Err(GroupError::RebalanceInProgress));
    assert!(group.join(request(4, "member-1"), at(8)).is_empty());
    let told = joins(&group.join(request(5, "member-2"), at(8)));
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(told[&4].as_ref().expect("joined").members.len(), 3);
    assert!(told[&5].as_ref().expect("joined").members.is_empty(), "only the leader sees the others");
    assert_eq!(
        group.heartbeat("member-1", None, 1, at(8)),
        Err(GroupError::IllegalGeneration { current: 2 })
    );
    assert_eq!(group.heartbeat("member-1", None, 2, at(8)), Ok(()));
    assert_eq!(group.check_commit("member-1", None, 2, at(8)), Err(GroupError::RebalanceInProgress));
}

#[test]
fn requests_of_another_generation_or_member_change_nothing() {
    let mut group = stable();
    let before = group.describe();
    assert_eq!(
        group.check_commit("member-1", None, 0, at(6)),
        Err(GroupError::IllegalGeneration { current: 1 })
    );
    assert_eq!(group.check_commit("member-9", None, 1, at(6)), Err(GroupError::UnknownMember));
    assert_eq!(group.check_commit("", None, -1, at(6)), Err(GroupError::UnknownMember));
    let told = syncs(&group.sync(sync(20, "member-1", 0, &[("member-2", "stolen")]), at(6)));
    assert_eq!(told[&20], Err(GroupError::IllegalGeneration { current: 1 }));
    let told = syncs(&group.sync(sync(21, "member-2", 1, &[("member-2", "stolen")]), at(6)));
    assert_eq!(told[&21], Ok(Bytes::from("b")), "only the leader assigns, once a generation");
    assert_eq!(group.describe(), before);
    assert_eq!(self::group().check_commit("", None, -1, at(0)), Ok(()), "without members anybody may");
}

#[test]
fn a_silent_member_goes_and_a_waiting_one_does_not() {
    let mut group = stable();
    group.heartbeat("member-1", None, 1, at(14)).expect("alive");
    assert_eq!(group.next_deadline(), Some(at(16)));
    assert!(group.tick(at(16)).is_empty());
    assert_eq!(group.describe().state, "PreparingRebalance");
    let told = joins(&group.join(request(5, "member-1"), at(17)));
    assert_eq!(told[&5].as_ref().expect("joined").members.len(), 1);
    let mut group = stable();
    group.join(request(5, "member-2"), at(6));
    group.join(request(6, ""), at(7));
    assert_eq!(joins(&group.tick(at(16))).len(), 2, "the leader was silent, the others go on without it");
}

#[test]
fn whoever_misses_the_round_is_left_out() {
    let mut group = stable();
    group.join(request(3, ""), at(7));
    group.join(request(4, "member-2"), at(7));
    for second in (8..=66).step_by(2) {
        let refused = group.heartbeat("member-1", None, 1, at(second));
        assert_eq!(refused, Err(GroupError::RebalanceInProgress), "second {second}");
        assert!(group.tick(at(second)).is_empty(), "second {second}");
    }
    let told = joins(&group.tick(at(67)));
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), [3, 4]);
    let leaders: Vec<_> = told.values().map(|joined| joined.clone().expect("joined").leader).collect();
    assert_eq!(leaders, ["member-2", "member-2"]);
    // And who joins but never syncs, after the same time.
    group.sync(sync(9, "member-2", 2, &[]), at(68));
    for second in (68..128).step_by(2) {
        let _ = group.heartbeat("member-2", None, 2, at(second));
        let _ = group.heartbeat("member-3", None, 2, at(second));
        group.tick(at(second));
    }
    assert_eq!(group.describe().state, "CompletingRebalance", "the leader's share is being written");
}

#[test]
fn leaving_is_noticed_at_once() {
    let mut group = stable();
    let leaver = |id: &str| Leaver { member_id: id.to_string(), instance_id: None };
    let (outcomes, effects) = group.leave(&[leaver("member-1"), leaver("nobody")], at(7));
    assert_eq!(outcomes, [Ok(()), Err(GroupError::UnknownMember)]);
    assert!(effects.is_empty());
    assert_eq!(group.heartbeat("member-2", None, 1, at(7)), Err(GroupError::RebalanceInProgress));
    let (outcomes, effects) = group.leave(&[leaver("member-2")], at(8));
    assert_eq!((outcomes, effects), (vec![Ok(())], vec![Effect::Write(2)]));
    assert_eq!(group.describe().state, "Empty");
}

#[test]
fn a_static_member_comes_back_to_its_place() {
    let mut group = group();
    group.join(of_instance(1, "", "one"), at(0));
    group.join(of_instance(2, "", "two"), at(0));
    group.tick(at(3));
    group.tick(at(6));
    let shares = [("member-1", "a"), ("member-2", "b")];
    group.sync(SyncRequest { instance_id: Some("one".into()), ..sync(5, "member-1", 1, &shares) }, at(6));
    group.written(1, true, at(6));
    let effects = group.join(of_instance(7, "", "two"), at(8));
    assert!(effects.contains(&Effect::Write(1)), "its new id is written");
    assert!(joins(&effects).is_empty(), "nobody is told before it is written");
    let joined = joins(&group.written(1, true, at(8)))[&7].clone().expect("joined");
    assert_eq!((joined.member_id.as_str(), joined.generation), ("member-7", 1), "nobody else notices");
    let told =
        group.sync(SyncRequest { instance_id: Some("two".into()), ..sync(8, "member-7", 1, &[]) }, at(8));
    assert_eq!(syncs(&told)[&8], Ok(Bytes::from("b")));
    assert_eq!(group.heartbeat("member-2", Some("two"), 1, at(8)), Err(GroupError::FencedInstance));
    assert_eq!(group.heartbeat("member-2", None, 1, at(8)), Err(GroupError::UnknownMember));
    // The leader: told that it leads and has nothing to assign, or, where it would assign, that somebody else leads.
    group.join(of_instance(9, "", "one"), at(9));
    let joined = joins(&group.written(1, true, at(9)))[&9].clone().expect("joined");
    assert!(joined.skip_assignment && joined.leader == "member-9" && joined.members.len() == 2);
    let old = JoinRequest { may_skip_assignment: false, ..of_instance(10, "", "one") };
    group.join(old, at(9));
    let joined = joins(&group.written(1, true, at(9)))[&10].clone().expect("joined");
    assert!(!joined.skip_assignment && joined.leader == "member-9" && joined.members.is_empty());
    assert_eq!(joined.member_id, "member-10");
    group.join(of_instance(11, "", "one"), at(9));
    assert_eq!(joins(&group.written(1, false, at(9)))[&11], Err(GroupError::NotWritten));
}

#[test]
fn no_more_members_than_allowed_and_who_has_an_id_has_a_place() {
    let mut group = Group::new(GroupOptions { members_max: 2, ..GroupOptions::default() });
    group.join(request(1, ""), at(0));
    let effects = group.join(JoinRequest { comes_again: true, ..request(2, "") }, at(0));
    assert_eq!(joins(&effects)[&2], Err(GroupError::MemberIdRequired("member-2".into())));
    let effects = group.join(request(3, ""), at(0));
    assert_eq!(joins(&effects)[&3], Err(GroupError::Full { max: 2 }));
    assert!(group.join(request(4, "member-2"), at(0)).is_empty(), "it has been given a place");
    assert_eq!(group.describe().members.len(), 2);
}

#[test]
fn who_shares_no_assignor_is_refused() {
    let mut group = stable();
    let other = vec![Assignor { name: "sticky".into(), metadata: Bytes::new() }];
    let effects = group.join(JoinRequest { assignors: other, ..request(3, "") }, at(7));
    assert_eq!(joins(&effects)[&3], Err(GroupError::InconsistentProtocol));
    let effects = group.join(JoinRequest { protocol_type: "connect".into(), ..request(4, "") }, at(7));
    assert_eq!(joins(&effects)[&4], Err(GroupError::InconsistentProtocol));
    let effects = group.join(JoinRequest { session_timeout: Duration::ZERO, ..request(5, "") }, at(7));
    assert!(matches!(joins(&effects)[&5], Err(GroupError::InvalidSessionTimeout { .. })));
    assert_eq!(group.describe().state, "Stable");
}

#[test]
fn a_share_that_could_not_be_written_is_told_to_nobody() {
    let mut group = stable();
    group.join(request(3, "member-1"), at(7));
    group.join(request(4, "member-2"), at(7));
    assert_eq!(group.generation(), 2);
    group.sync(sync(5, "member-1", 2, &[("member-1", "a")]), at(7));
    assert_eq!(syncs(&group.written(2, false, at(8)))[&5], Err(GroupError::NotWritten));
    assert_eq!(group.describe().state, "PreparingRebalance");
    assert_eq!(group.written(2, true, at(9)), [], "too late");
}

#[test]
fn a_group_that_was_written_comes_back_with_its_members() {
    let group = stable();
    let mut restored = Group::restore(GroupOptions::default(), group.describe(), at(100));
    assert_eq!(restored.heartbeat("member-2", None, 1, at(105)), Ok(()));
    assert_eq!(syncs(&restored.sync(sync(1, "member-2", 1, &[]), at(105)))[&1], Ok(Bytes::from("b")));
    restored.tick(at(110));
    assert_eq!(restored.describe().members.len(), 1, "the silent one went after a whole session");
}

/// Random members that come, go, die and answer late: each request is answered exactly once, generations rise, everybody
/// stable has a share that the leader of this generation gave.
#[test]
fn every_request_is_answered_exactly_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..200 {
        let mut group = group();
        let (mut open, mut generation, mut now) = (BTreeSet::new(), 0, 0);
        let mut ids: Vec<String> = vec![String::new()];
        for waiter in 1..150_u64 {
            now += random.random_range(0..4);
            let id = ids[random.random_range(0..ids.len())].clone();
            let present = group.generation() - i32::from(random.random_bool(0.1));
            let effects = match random.random_range(0..8) {
                0 | 1 => {
                    open.insert(waiter);
                    let comes_again = random.random_bool(0.5);
                    let instance_id =
                        (id.is_empty() && random.random_bool(0.3)).then(|| "static".to_string());
                    group.join(JoinRequest { comes_again, instance_id, ..request(waiter, &id) }, at(now))
                }
                2..=4 => {
                    open.insert(waiter);
                    group.sync(sync(waiter, &id, present, &[]), at(now))
                }
                5 => group.written(present, random.random_bool(0.9), at(now)),
                6 => group.leave(&[Leaver { member_id: id, instance_id: None }], at(now)).1,
                _ => {
                    let _ = group.heartbeat(&id, None, present, at(now));
                    group.tick(at(now))
                }
            };
            close(&mut open, &mut ids, &effects);
            assert!(group.generation() >= generation, "generations rise");
            generation = group.generation();
            assert!(group.next_deadline().is_some() || group.is_empty() || group.describe().state != "Empty");
        }
        for _ in 0..40 {
            now += 400;
            let effects = group.tick(at(now));
            close(&mut open, &mut ids, &effects);
            let effects = group.written(group.generation(), true, at(now));
            close(&mut open, &mut ids, &effects);
        }
        assert!(open.is_empty(), "never answered: {open:?} in {:?}", group.describe());
        assert!(group.is_empty(), "everybody was silent: {:?}", group.describe());
    }
}

fn close(open: &mut BTreeSet<u64>, ids: &mut Vec<String>, effects: &[Effect]) {
    for effect in effects {
        let waiter = match effect {
            Effect::Joined(waiter, result) => {
                match result {
                    Ok(joined) => ids.push(joined.member_id.clone()),
                    Err(GroupError::MemberIdRequired(id)) => ids.push(id.clone()),
                    Err(_) => {}
                }
                waiter
            }
            Effect::Synced(waiter, _) => waiter,
            Effect::Write(_) => continue,
        };
        assert!(open.remove(&waiter.0), "{waiter:?} was answered twice");
    }
}
