//! Groups of clients over gRPC beside classic ones: a name has one of them at a time, and one store of offsets.

use super::*;
use crate::coordinator::native::{Beat, Directive, NativeError, Profile};

const TOPIC_ID: TopicId = TopicId(uuid::Uuid::from_u128(1));

fn lookup(name: &str) -> Option<(TopicId, u32)> {
    (name == "topic").then_some((TOPIC_ID, 2))
}

fn beat(waiter: u64, epoch: i32) -> Beat {
    Beat {
        waiter: Waiter(waiter),
        member_id: "native-1".into(),
        epoch,
        known_epoch: epoch,
        profile: Profile {
            instance_id: None,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(60),
            topics: ["topic".to_string()].into(),
        },
        wait: Duration::from_secs(1),
    }
}

fn answers(effects: Vec<NativeEffect>) -> Vec<Result<Directive, NativeError>> {
    let answer = |effect| match effect {
        NativeEffect::Answer(_, answer) => Some(answer),
        NativeEffect::Write(_) => None,
    };
    effects.into_iter().filter_map(answer).collect()
}

/// Writes what a group wants written, until it wants nothing more.
fn write_all(groups: &mut Groups, mut effects: Vec<NativeEffect>, records: &mut Vec<Record>) {
    while let Some(NativeEffect::Write(version)) =
        effects.iter().find(|effect| matches!(effect, NativeEffect::Write(_)))
    {
        let version = *version;
        records.extend(groups.native_record_of("g", 0));
        effects = groups.native_written("g", version, Ok(()), 0);
    }
}

/// A native group whose one member has both partitions.
fn with_native() -> (Groups, Vec<Record>) {
    let (mut groups, mut records) = (Groups::new(GroupOptions::default()), Vec::new());
    for (waiter, epoch) in [(1, 0), (2, 2)] {
        let effects = groups.native_heartbeat("g", beat(waiter, epoch), &lookup, at(0));
        write_all(&mut groups, effects, &mut records);
    }
    (groups, records)
}

fn commit(number: u64, offset: i64) -> NativeCommit {
    NativeCommit { member_id: "native-1".into(), epoch: 2, number, offsets: offsets(offset, 0) }
}

#[test]
fn a_name_has_members_of_one_kind_at_a_time() {
    let (mut groups, mut records) = with_native();
    let refused = groups.join("g", join(9), at(1));
    assert_eq!(refused, [Effect::Joined(Waiter(9), Err(GroupError::OtherKind))]);
    assert_eq!(groups.commit("g", &nobody(), &offsets(5, 0), at(1)), Err(GroupError::UnknownMember));
    assert_eq!(groups.set_offsets("g", &offsets(5, 0)), Err(DeleteGroupError::NotEmpty));
    assert_eq!(groups.delete("g"), Err(DeleteGroupError::NotEmpty));
    let checked = groups.native_commit("g", commit(1, 7)).expect("its own");
    assert!(checked.refused.is_empty() && checked.records.len() == 2);
    groups.committed("g", checked.offsets, 0);
    let effects = groups.native_leave("g", "native-1", at(2)).expect("a member");
    write_all(&mut groups, effects, &mut records);
    assert_eq!(
        groups.describe("g").map(|group| (group.kind, group.state)),
        Some((GroupKind::Native, "Empty"))
    );
    // It is empty: now others may, and go on where it stopped.
    assert!(groups.join("g", join(9), at(3)).is_empty());
    assert_eq!(groups.describe("g").map(|group| group.kind), Some(GroupKind::Classic));
    assert_eq!(groups.offset("g", &("topic".to_string(), 0)).map(|it| it.offset), Some(7));
    let refused = answers(groups.native_heartbeat("g", beat(4, 0), &lookup, at(3)));
    assert_eq!(refused, [Err(NativeError::OtherKind)]);
}

#[test]
fn a_native_group_is_read_back_expires_and_is_deleted_like_any_other() {
    let (mut groups, mut records) = with_native();
    let checked = groups.native_commit("g", commit(1, 7)).expect("its own");
    records.extend(checked.records);
    groups.committed("g", checked.offsets, 0);
    let mut again = replayed(&records);
    assert_eq!(
        again.describe("g").map(|group| (group.kind, group.members.len())),
        Some((GroupKind::Native, 1))
    );
    assert_eq!(again.offsets("g").count(), 2);
    let effects = again.native_heartbeat("g", beat(1, 2), &lookup, at(51));
    assert!(matches!(&effects[..], [NativeEffect::Write(_)]), "nothing has changed for it: {effects:?}");
    write_all(&mut again, effects, &mut records);
    let effects: Vec<_> = again.tick(at(62)).native.into_iter().map(|(_, effect)| effect).collect();
    let [NativeEffect::Answer(_, Err(NativeError::UnknownMember)), NativeEffect::Write(_)] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    write_all(&mut again, effects, &mut records);
    assert_eq!(again.expired(Duration::from_secs(60), 10_000_000), ["g"]);
    let (deleted, places) = again.delete("g").expect("nobody is in it");
    records.extend(deleted);
    again.forget("g", &places);
    assert_eq!((again.list().count(), again.next_deadline()), (0, None));
    assert_eq!(replayed(&records).list().count(), 0);
}

#[test]
fn a_deleted_group_is_not_written_once_more() {
    let (mut groups, mut records) = with_native();
    // The member's latest change is on its way when it leaves, so that its end is still to be written.
    let effects =
        groups.native_heartbeat("g", Beat { member_id: "native-2".into(), ..beat(5, 0) }, &lookup, at(1));
    let [NativeEffect::Write(version)] = effects[..] else { panic!("{effects:?}") };
    records.extend(groups.native_record_of("g", 0));
    for id in ["native-1", "native-2"] {
        groups.native_leave("g", id, at(1)).expect("a member");
    }
    let (deleted, places) = groups.delete("g").expect("nobody is in it");
    records.extend(deleted);
    let more = groups.native_written("g", version, Ok(()), 0);
    assert_eq!(more, [], "it would come after the deletion");
    groups.forget("g", &places);
    assert_eq!(replayed(&records).list().count(), 0);
}

#[test]
fn a_refused_heartbeat_leaves_no_group_behind() {
    let mut groups = Groups::new(GroupOptions::default());
    assert_eq!(
        answers(groups.native_heartbeat("g", beat(1, 3), &lookup, at(0))),
        [Err(NativeError::UnknownMember)]
    );
    assert_eq!((groups.list().count(), groups.next_deadline()), (0, None));
}
