//! Offsets committed and asked for.

use super::member::{commit, heartbeat, lead, offset_fetch};
use crate::side::Side;
use anyhow::Result;
use cairn_proto::kafka::{
    ApiKey,
    offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch::OffsetFetchRequest,
};

const NOBODY: (&str, i32) = ("", -1);

pub(crate) async fn committing(side: &mut Side) -> Result<()> {
    side.topic("committed", 3, &[]).await?;
    for version in ApiKey::OffsetCommit.served() {
        let alone = format!("alone-{version}");
        let alone = alone.as_str();
        let at = |index| ("committed", index);
        for (case, group, who, place, offset) in [
            ("of no group", alone, NOBODY, at(0), (5, Some("note"))),
            ("without a note", alone, NOBODY, at(1), (5, None)),
            ("an empty note", alone, NOBODY, at(1), (5, Some(""))),
            ("an offset below 0", alone, NOBODY, at(0), (-1, None)),
            ("an offset far below 0", alone, NOBODY, at(0), (-77, None)),
            ("the greatest offset", alone, NOBODY, at(2), (i64::MAX, None)),
            ("an unknown partition", alone, NOBODY, at(9), (5, None)),
            ("a partition below 0", alone, NOBODY, at(-1), (5, None)),
            ("an unknown topic", alone, NOBODY, ("absent", 0), (5, None)),
            ("a bad name", alone, NOBODY, ("a/b", 0), (5, None)),
            ("an empty group", "", NOBODY, at(0), (5, None)),
            ("a member of no group", alone, ("somebody", -1), at(0), (5, None)),
            ("a generation of no group", alone, ("", 3), at(0), (5, None)),
            ("a member and generation of no group", alone, ("somebody", 3), at(0), (5, None)),
            ("a generation of an unknown group", "absent", ("somebody", 3), at(0), (5, None)),
            ("a generation below -1", alone, ("", -5), at(0), (5, None)),
        ] {
            side.ask(case, version, &commit(group, who, place, offset)).await?;
        }
        for length in [4096, 4097] {
            let note = "n".repeat(length);
            let case = format!("a note of {length}");
            side.ask(&case, version, &commit(alone, NOBODY, at(0), (5, Some(&note)))).await?;
        }
        let partition = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: 6,
            ..Default::default()
        };
        let topics = vec![
            OffsetCommitRequestTopic {
                name: "committed".into(),
                partitions: vec![partition(0), partition(9)],
            },
            OffsetCommitRequestTopic { name: "absent".into(), partitions: vec![partition(0)] },
        ];
        let mixed = OffsetCommitRequest { group_id: alone.into(), topics, ..Default::default() };
        side.ask("good and bad together", version, &mixed).await?;
        let none = OffsetCommitRequest { topics: Vec::new(), ..mixed.clone() };
        side.ask("no topics", version, &none).await?;
        let twice = OffsetCommitRequestTopic {
            name: "committed".into(),
            partitions: vec![
                partition(0),
                OffsetCommitRequestPartition { committed_offset: 8, ..partition(0) },
            ],
        };
        side.ask("a partition twice", version, &OffsetCommitRequest { topics: vec![twice], ..mixed }).await?;

        of_members(side, version, alone).await?;
    }
    Ok(())
}

/// The same beside members; and what all of it left.
async fn of_members(side: &mut Side, version: i16, alone: &str) -> Result<()> {
    let group = format!("committing-{version}");
    let (id, generation) = lead(side, &group).await?;
    let id = id.as_str();
    for (case, who) in [
        ("of a member", (id, generation)),
        ("of an older generation", (id, generation - 1)),
        ("of a later generation", (id, generation + 1)),
        ("of an unknown member", ("nobody", generation)),
        ("of nobody beside a member", NOBODY),
        ("of a member without a generation", (id, -1)),
    ] {
        side.ask(case, version, &commit(&group, who, ("committed", 0), (5, None))).await?;
    }
    side.ask(&format!("committed in {version}"), 4, &heartbeat(&group, (id, generation))).await?;
    let back = offset_fetch(8, &[alone, &group], None);
    side.ask(&format!("what was committed in {version}"), 8, &back).await?;
    Ok(())
}

pub(crate) async fn committed_offsets(side: &mut Side) -> Result<()> {
    side.topic("kept", 3, &[]).await?;
    side.topic("kept-too", 1, &[]).await?;
    for (place, offset) in [(("kept", 0), 3), (("kept", 2), 7), (("kept-too", 0), 9)] {
        let mut request = commit("keeping", NOBODY, place, (offset, Some("note")));
        request.topics[0].partitions[0].committed_leader_epoch = 4;
        side.kafka.call(8, &request).await?;
    }
    for version in ApiKey::OffsetFetch.served() {
        let ask = |groups: &[&str], topics: Option<&[(&str, &[i32])]>| offset_fetch(version, groups, topics);
        let some: &[(&str, &[i32])] = &[("kept", &[0, 1, 2])];
        side.ask("some", version, &ask(&["keeping"], Some(some))).await?;
        side.ask("an unknown partition", version, &ask(&["keeping"], Some(&[("kept", &[0, 9, -1])]))).await?;
        side.ask("an unknown topic", version, &ask(&["keeping"], Some(&[("absent", &[0])]))).await?;
        side.ask("a partition twice", version, &ask(&["keeping"], Some(&[("kept", &[0, 0])]))).await?;
        side.ask("two topics", version, &ask(&["keeping"], Some(&[("kept", &[0]), ("kept-too", &[0])])))
            .await?;
        side.ask("no topics", version, &ask(&["keeping"], Some(&[]))).await?;
        side.ask("no partitions", version, &ask(&["keeping"], Some(&[("kept", &[])]))).await?;
        side.ask("of an unknown group", version, &ask(&["unheard-of"], Some(some))).await?;
        side.ask("of an empty group", version, &ask(&[""], Some(some))).await?;
        if version >= 2 {
            side.ask("all", version, &ask(&["keeping"], None)).await?;
            side.ask("all of an unknown group", version, &ask(&["unheard-of"], None)).await?;
            side.ask("all of an empty group", version, &ask(&[""], None)).await?;
        }
        if version >= 7 {
            let stable = OffsetFetchRequest { require_stable: true, ..ask(&["keeping"], Some(some)) };
            side.ask("stable ones", version, &stable).await?;
        }
        if version >= 8 {
            side.ask("of many groups", version, &ask(&["keeping", "unheard-of", ""], Some(some))).await?;
            side.ask("of a group twice", version, &ask(&["keeping", "keeping"], Some(some))).await?;
            side.ask("of no group", version, &ask(&[], None)).await?;
        }
    }
    Ok(())
}
