//! Members join, share, and leave.

use super::{
    member::{commit, enter, heartbeat, join, join_twice, lead, leave, protocols, shares, sync},
    nearest,
};
use crate::side::Side;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use cairn_proto::kafka::{
    ApiKey,
    describe_groups::DescribeGroupsRequest,
    heartbeat::HeartbeatRequest,
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
    leave_group::{LeaveGroupRequest, MemberIdentity},
    sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
};
use std::time::Duration;

/// Until a request that waits has surely arrived.
const ARRIVED: Duration = Duration::from_millis(150);

pub(crate) async fn joining(side: &mut Side) -> Result<()> {
    for version in 0..=9 {
        side.begin(&format!("joining as a client of version {version}"));
        let group = format!("joined-{version}");
        refused_joins(side, version, &group).await?;
        let joined = join_twice(side, "the first member", version, &group).await?;
        let who = (joined.member_id.as_str(), joined.generation_id);
        alone(side, version, &group, who).await?;
    }
    Ok(())
}

/// Nobody of these becomes a member.
async fn refused_joins(side: &mut Side, version: i16, group: &str) -> Result<()> {
    let good = join(version, group, "");
    let rows: Vec<(&str, JoinGroupRequest)> = vec![
        ("an empty group", JoinGroupRequest { group_id: String::new(), ..good.clone() }),
        ("a session too short", JoinGroupRequest { session_timeout_ms: 10, ..good.clone() }),
        ("a session too long", JoinGroupRequest { session_timeout_ms: 100_000_000, ..good.clone() }),
        ("a session below 0", JoinGroupRequest { session_timeout_ms: -1, ..good.clone() }),
        ("an unknown member", join(version, group, "nobody")),
        ("no protocols", JoinGroupRequest { protocols: Vec::new(), ..good.clone() }),
        ("no protocol type", JoinGroupRequest { protocol_type: String::new(), ..good.clone() }),
        (
            "an unknown member without protocols",
            JoinGroupRequest { protocols: Vec::new(), ..join(version, group, "x") },
        ),
    ];
    let version = nearest(ApiKey::JoinGroup, version);
    for (case, request) in rows {
        side.ask(case, version, &request).await?;
    }
    Ok(())
}

/// What the only member of a group may do, from its first generation to its end.
async fn alone(side: &mut Side, version: i16, group: &str, (id, generation): (&str, i32)) -> Result<()> {
    let at = |api| nearest(api, version);
    let (to_sync, to_beat, to_leave) = (at(ApiKey::SyncGroup), at(ApiKey::Heartbeat), at(ApiKey::LeaveGroup));
    for (state, synced) in [("before its sync", false), ("with its share", true)] {
        if synced {
            let request = SyncGroupRequest {
                assignments: shares(&[id, "nobody"]),
                ..sync(to_sync, group, (id, generation))
            };
            side.ask("the leader's sync", to_sync, &request).await?;
            side.ask("its sync again", to_sync, &sync(to_sync, group, (id, generation))).await?;
        }
        for (case, who, of) in [
            ("it", (id, generation), group),
            ("an older generation", (id, generation - 1), group),
            ("a later generation", (id, generation + 1), group),
            ("no generation", (id, -1), group),
            ("an unknown member", ("nobody", generation), group),
            ("no member", ("", generation), group),
            ("an unknown group", (id, generation), "absent"),
            ("an empty group", (id, generation), ""),
        ] {
            // Which member syncs at all is asked above.
            if case != "it" {
                side.ask(&format!("{case} {state}"), to_sync, &sync(to_sync, of, who)).await?;
            }
            side.ask(&format!("{case} {state}"), to_beat, &heartbeat(of, who)).await?;
        }
        if to_sync >= 5 {
            let other = Some("other".to_owned());
            let good = sync(to_sync, group, (id, generation));
            let rows = [
                ("another protocol", SyncGroupRequest { protocol_name: other.clone(), ..good.clone() }),
                ("another protocol type", SyncGroupRequest { protocol_type: other, ..good.clone() }),
                ("no protocol", SyncGroupRequest { protocol_name: None, ..good.clone() }),
                ("no protocol type", SyncGroupRequest { protocol_type: None, ..good }),
            ];
            for (case, request) in rows {
                side.ask(&format!("{case} {state}"), to_sync, &request).await?;
            }
        }
    }
    second_thoughts(side, version, group, (id, generation)).await?;
    for (case, of, members) in [
        ("an unknown member leaves", group, ("nobody", None)),
        ("nobody leaves", group, ("", None)),
        ("it leaves an unknown group", "absent", (id, None)),
        ("it leaves an empty group", "", (id, None)),
        ("it leaves", group, (id, None)),
        ("it leaves again", group, (id, None)),
    ] {
        side.ask(case, to_leave, &leave(to_leave, of, &[members])).await?;
    }
    if to_leave >= 3 {
        side.ask("none of many leaves", to_leave, &leave(to_leave, group, &[])).await?;
        side.ask("two of nobody leave", to_leave, &leave(to_leave, group, &[("a", None), ("b", None)]))
            .await?;
    }
    side.ask("it, gone", to_beat, &heartbeat(group, (id, generation))).await?;
    side.ask("it, gone", to_sync, &sync(to_sync, group, (id, generation))).await?;
    Ok(())
}

/// Others that may not join, and the member joining again.
async fn second_thoughts(
    side: &mut Side,
    version: i16,
    group: &str,
    (id, generation): (&str, i32),
) -> Result<()> {
    let version = nearest(ApiKey::JoinGroup, version);
    let other = join(version, group, "");
    let rows = [
        ("another protocol type", JoinGroupRequest { protocol_type: "connect".into(), ..other.clone() }),
        ("other protocols", JoinGroupRequest { protocols: protocols(&["sticky"]), ..other }),
    ];
    for (case, request) in rows {
        side.ask(&format!("{case} joins"), version, &request).await?;
    }
    let again = side.ask("it joins again", version, &join(version, group, id)).await?.context("an answer")?;
    let later = (again.generation_id - generation).to_string();
    side.note("generations later", [("generations".to_owned(), later)]);
    Ok(())
}

fn described(group: &str) -> DescribeGroupsRequest {
    DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() }
}

/// Two members: what each hears while the other joins.
pub(crate) async fn rebalancing(side: &mut Side) -> Result<()> {
    let group = "rebalanced";
    let (first, generation) = lead(side, group).await?;
    let who = (first.as_str(), generation);
    side.ask("one member", 5, &described(group)).await?;

    let mut other = side.another().await?;
    let asked = other.call(9, &join(9, group, "")).await?;
    side.ask("a member that was given an id", 5, &described(group)).await?;
    other.send(9, &join(9, group, &asked.member_id)).await?;
    tokio::time::sleep(ARRIVED).await;
    side.ask("preparing", 5, &described(group)).await?;
    side.ask("preparing", 4, &heartbeat(group, who)).await?;
    side.ask("preparing", 5, &sync(5, group, who)).await?;
    side.ask("preparing", 8, &commit(group, who, ("subscribed", 0), (1, None))).await?;
    side.ask("preparing, an older generation", 4, &heartbeat(group, (first.as_str(), generation - 1)))
        .await?;
    let again = JoinGroupRequest { protocols: protocols(&["roundrobin", "range"]), ..join(9, group, &first) };
    let joined = side.ask("the leader joins again", 9, &again).await?.context("an answer")?;
    let follower = side.receive::<JoinGroupRequest>("the follower joins", 9, &mut other).await?;
    let follower = follower.context("an answer")?;
    let (who, second) = ((first.as_str(), joined.generation_id), follower.member_id.as_str());

    side.ask("completing", 5, &described(group)).await?;
    side.ask("completing", 4, &heartbeat(group, who)).await?;
    side.ask("completing", 8, &commit(group, who, ("subscribed", 0), (1, None))).await?;
    let name = joined.protocol_name.clone();
    let with = |request: SyncGroupRequest| SyncGroupRequest { protocol_name: name.clone(), ..request };
    other.send(5, &with(sync(5, group, (second, follower.generation_id)))).await?;
    tokio::time::sleep(ARRIVED).await;
    side.ask("completing, a follower waits", 5, &described(group)).await?;
    let share =
        SyncGroupRequestAssignment { member_id: first.clone(), assignment: Bytes::from_static(b"mine") };
    let request = SyncGroupRequest { assignments: vec![share], ..with(sync(5, group, who)) };
    side.ask("the leader shares with itself alone", 5, &request).await?;
    side.receive::<SyncGroupRequest>("the follower got nothing", 5, &mut other).await?;
    side.ask("stable", 5, &described(group)).await?;
    let request = SyncGroupRequest {
        assignments: shares(&[second]),
        ..with(sync(5, group, (second, follower.generation_id)))
    };
    side.ask("the follower shares", 5, &request).await?;

    side.ask("the follower leaves", 5, &leave(5, group, &[(second, None)])).await?;
    side.ask("after the follower left", 4, &heartbeat(group, who)).await?;
    side.ask("after the follower left", 5, &described(group)).await?;
    side.ask("the leader leaves", 5, &leave(5, group, &[(first.as_str(), None)])).await?;
    side.ask("empty", 5, &described(group)).await?;
    side.ask("empty, a commit of nobody", 8, &commit(group, ("", -1), ("subscribed", 0), (1, None))).await?;
    side.ask("empty, a commit of somebody", 8, &commit(group, who, ("subscribed", 0), (1, None))).await?;
    let joined = enter(side, group).await?;
    side.note("the generation after all left", [("generation".to_owned(), joined.generation_id.to_string())]);
    Ok(())
}

fn named(group: &str, member_id: &str, instance_id: &str) -> JoinGroupRequest {
    JoinGroupRequest { group_instance_id: Some(instance_id.into()), ..join(9, group, member_id) }
}

/// KIP-345.
pub(crate) async fn static_members(side: &mut Side) -> Result<()> {
    for version in 5..=9 {
        let group = format!("static-{version}");
        let group = group.as_str();
        let first = side.ask("one joins", version, &named(group, "", "one")).await?.context("an answer")?;
        let who = (first.member_id.as_str(), first.generation_id);
        let instance = |name: &str| Some(name.to_owned());
        let request = SyncGroupRequest {
            group_instance_id: instance("one"),
            assignments: shares(&[who.0]),
            ..sync(5, group, who)
        };
        side.ask(&format!("one syncs, joined in {version}"), 5, &request).await?;
        side.ask(&format!("stable, joined in {version}"), 5, &described(group)).await?;
        for (case, member_id, name) in [
            ("another id of an instance", "somebody", "one"),
            ("an unknown instance with a known id", who.0, "two"),
            ("an unknown instance with an unknown id", "somebody", "two"),
        ] {
            side.ask(&format!("{case} joins"), version, &named(group, member_id, name)).await?;
            let case = format!("{case}, joined in {version}");
            let beat = HeartbeatRequest {
                group_instance_id: instance(name),
                ..heartbeat(group, (member_id, who.1))
            };
            side.ask(&case, 4, &beat).await?;
            let request =
                SyncGroupRequest { group_instance_id: instance(name), ..sync(5, group, (member_id, who.1)) };
            side.ask(&case, 5, &request).await?;
            let mut request = commit(group, (member_id, who.1), ("subscribed", 0), (1, None));
            request.group_instance_id = instance(name);
            side.ask(&case, 8, &request).await?;
        }
        let again =
            side.ask("it comes back", version, &named(group, "", "one")).await?.context("an answer")?;
        let back = (again.member_id.as_str(), again.generation_id);
        side.ask(&format!("it is back, joined in {version}"), 5, &described(group)).await?;
        for (case, who) in [("its old id", who), ("its new id", back)] {
            let beat = HeartbeatRequest { group_instance_id: instance("one"), ..heartbeat(group, who) };
            side.ask(&format!("{case}, joined in {version}"), 4, &beat).await?;
            let nameless = heartbeat(group, who);
            side.ask(&format!("{case} without its name, joined in {version}"), 4, &nameless).await?;
        }
        let identity = |member_id: &str, name: &str| MemberIdentity {
            member_id: member_id.into(),
            group_instance_id: instance(name),
            reason: None,
        };
        for (case, members) in [
            ("an unknown instance leaves", vec![identity("", "two")]),
            ("an instance with another id leaves", vec![identity("somebody", "one")]),
            ("good and bad leave", vec![identity("", "two"), identity("", "one")]),
            ("it leaves again", vec![identity("", "one")]),
        ] {
            let request = LeaveGroupRequest { group_id: group.into(), members, ..Default::default() };
            side.ask(&format!("{case}, joined in {version}"), 5, &request).await?;
        }
    }
    let nameless = JoinGroupRequest { group_instance_id: Some(String::new()), ..join(9, "static-empty", "") };
    side.ask("an empty instance id", 9, &nameless).await?;
    let protocol =
        |name: &str| JoinGroupRequestProtocol { name: name.into(), metadata: Bytes::from_static(b"raw") };
    let odd = JoinGroupRequest {
        protocol_type: "connect".into(),
        protocols: vec![protocol("default"), protocol("default")],
        ..join(9, "protocol-twice", "")
    };
    side.ask("a protocol twice", 9, &odd).await?;
    Ok(())
}
