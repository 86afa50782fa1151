//! Groups as administrators see them.

use super::member::{commit, enter, lead, leave, offset_fetch};
use crate::side::Side;
use anyhow::Result;
use cairn_proto::kafka::{
    ApiKey,
    delete_groups::DeleteGroupsRequest,
    describe_groups::DescribeGroupsRequest,
    list_groups::{ListGroupsRequest, ListGroupsResponse},
    offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
};

const NOBODY: (&str, i32) = ("", -1);

fn described(groups: &[&str], include_authorized_operations: bool) -> DescribeGroupsRequest {
    let groups = groups.iter().map(|group| (*group).into()).collect();
    DescribeGroupsRequest { groups, include_authorized_operations }
}

/// Groups in each state that lasts; the ids of the members do not matter.
pub(crate) async fn describing_and_listing(side: &mut Side) -> Result<()> {
    side.topic("described", 1, &[]).await?;
    lead(side, "shown-stable").await?;
    enter(side, "shown-completing").await?;
    let (id, _) = lead(side, "shown-left").await?;
    side.kafka.call(5, &leave(5, "shown-left", &[(&id, None)])).await?;
    side.kafka.call(8, &commit("shown-commits", NOBODY, ("described", 0), (1, None))).await?;
    for version in ApiKey::DescribeGroups.served() {
        for group in ["shown-stable", "shown-completing", "shown-left", "shown-commits", "unheard-of", ""] {
            side.ask(&format!("group '{group}'"), version, &described(&[group], false)).await?;
        }
        side.ask("many", version, &described(&["shown-stable", "unheard-of", "shown-left"], false)).await?;
        side.ask("a group twice", version, &described(&["shown-left", "shown-left"], false)).await?;
        side.ask("none", version, &described(&[], false)).await?;
        if version >= 3 {
            let groups = ["shown-stable", "unheard-of"];
            side.ask("with operations", version, &described(&groups, true)).await?;
        }
    }
    for version in ApiKey::ListGroups.served() {
        list(side, "all", version, &[], &[]).await?;
        if version >= 4 {
            for states in [
                &["Stable"][..],
                &["stable"],
                &["Empty"],
                &["CompletingRebalance"],
                &["PreparingRebalance"],
                &["Dead"],
                &["Nonsense"],
                &[""],
                &["Stable", "Empty"],
                &["Stable", "Nonsense"],
            ] {
                list(side, &format!("states {states:?}"), version, states, &[]).await?;
            }
        }
        if version >= 5 {
            for types in [&["classic"][..], &["Classic"], &["consumer"], &["share"], &["nonsense"], &[""]] {
                list(side, &format!("types {types:?}"), version, &[], types).await?;
            }
            list(side, "a state and a type", version, &["Stable"], &["classic"]).await?;
        }
    }
    Ok(())
}

/// Of all that there are, the groups of this scene.
async fn list(side: &mut Side, case: &str, version: i16, states: &[&str], types: &[&str]) -> Result<()> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
    let request = ListGroupsRequest { states_filter: texts(states), types_filter: texts(types) };
    let mut response: ListGroupsResponse = side.kafka.call(version, &request).await?;
    response.groups.retain(|group| group.group_id.starts_with("shown-"));
    let rows = crate::reply::fields(&response, &mut crate::reply::Names::default());
    side.note(&format!("groups listed in version {version}, {case}"), rows);
    Ok(())
}

pub(crate) async fn deleting_groups(side: &mut Side) -> Result<()> {
    side.topic("forgotten", 1, &[]).await?;
    lead(side, "lively").await?;
    for version in ApiKey::DeleteGroups.served() {
        let delete = |groups: &[&str]| DeleteGroupsRequest {
            groups_names: groups.iter().map(|group| (*group).into()).collect(),
        };
        let name = format!("deleted-{version}");
        side.kafka.call(8, &commit(&name, NOBODY, ("forgotten", 0), (1, None))).await?;
        for (case, groups) in [
            ("an unknown group", &["unheard-of"][..]),
            ("an empty name", &[""]),
            ("a group with members", &["lively"]),
            ("a group", &[name.as_str()]),
            ("a group again", &[name.as_str()]),
            ("good and bad together", &["unheard-of", "lively"]),
            ("a group twice", &["unheard-of", "unheard-of"]),
            ("none", &[]),
        ] {
            side.ask(case, version, &delete(groups)).await?;
        }
        let case = format!("offsets after deletion in version {version}");
        side.ask(&case, 8, &offset_fetch(8, &[&name], None)).await?;
        let case = format!("the group after deletion in version {version}");
        side.ask(&case, 5, &described(&[&name], false)).await?;
    }
    Ok(())
}

fn delete_offsets(group: &str, rows: &[(&str, &[i32])]) -> OffsetDeleteRequest {
    let topic = |(name, indexes): &(&str, &[i32])| OffsetDeleteRequestTopic {
        name: (*name).into(),
        partitions: indexes
            .iter()
            .map(|index| OffsetDeleteRequestPartition { partition_index: *index })
            .collect(),
    };
    OffsetDeleteRequest { group_id: group.into(), topics: rows.iter().map(topic).collect() }
}

pub(crate) async fn deleting_offsets(side: &mut Side) -> Result<()> {
    side.topic("subscribed", 2, &[]).await?;
    side.topic("unsubscribed", 2, &[]).await?;
    let (id, generation) = lead(side, "reading").await?;
    for topic in ["subscribed", "unsubscribed"] {
        side.kafka.call(8, &commit("reading", (&id, generation), (topic, 0), (1, None))).await?;
        side.kafka.call(8, &commit("idle", NOBODY, (topic, 0), (1, None))).await?;
    }
    let nothing: &[(&str, &[i32])] = &[];
    for (case, group, rows) in [
        ("of an unknown group", "unheard-of", &[("subscribed", &[0][..])][..]),
        ("of an empty group", "", &[("subscribed", &[0])]),
        ("of a topic that members read", "reading", &[("subscribed", &[0, 1])]),
        ("of a topic that no member reads", "reading", &[("unsubscribed", &[0, 1])]),
        ("of both", "reading", &[("subscribed", &[0]), ("unsubscribed", &[0])]),
        ("of an unknown topic", "reading", &[("absent", &[0])]),
        ("of an unknown partition", "idle", &[("subscribed", &[9, -1])]),
        ("of a group without members", "idle", &[("subscribed", &[0]), ("absent", &[0])]),
        ("of a group without members again", "idle", &[("subscribed", &[0])]),
        ("of no topic", "idle", nothing),
        ("of no topic of an unknown group", "unheard-of", nothing),
    ] {
        side.ask(case, 0, &delete_offsets(group, rows)).await?;
    }
    side.ask("what is left", 8, &offset_fetch(8, &["reading", "idle"], None)).await?;
    side.ask("the last of a group", 0, &delete_offsets("idle", &[("unsubscribed", &[0])])).await?;
    side.ask("the group after its last", 5, &described(&["idle"], false)).await?;
    let (other, _) = lead(side, "silent").await?;
    side.ask("it leaves", 5, &leave(5, "silent", &[(&other, None)])).await?;
    Ok(())
}
