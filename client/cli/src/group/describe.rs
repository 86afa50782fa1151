//! `cairn group describe`: one group with its members and how far it is behind.

use super::{kind, summary_json};
use crate::{
    failure::Failure,
    session::Session,
    table::{self, Align, Table},
};
use cairn_client::{GroupDescription, GroupLag, GroupMember};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

pub(super) async fn run(name: &str, session: &Session) -> Result<(), Failure> {
    let admin = session.client.admin();
    let group = admin.describe_group(name).await?;
    let lags = admin.group_lag(&group).await?;
    session.output.print(&json(&group, &lags), || text(&group, &lags))
}

/// Who has a partition.
fn reader<'a>(group: &'a GroupDescription, lag: &GroupLag) -> Option<&'a GroupMember> {
    let has = |member: &&GroupMember| {
        member.partitions.iter().any(|(topic, partition)| *topic == lag.topic && *partition == lag.partition)
    };
    group.members.iter().find(has)
}

fn text(group: &GroupDescription, lags: &[GroupLag]) -> String {
    let summary = &group.summary;
    let mut text = format!(
        "group '{}': {}, {}, {}, epoch {}, coordinated by broker {}\n",
        table::printable(&summary.name),
        kind(summary),
        summary.state,
        table::counted(summary.members.into(), "member"),
        summary.epoch,
        group.coordinator,
    );
    if !group.members.is_empty() {
        text.push('\n');
        text.push_str(&members(&group.members));
    }
    text.push('\n');
    if lags.is_empty() {
        text.push_str("nothing is committed, and no partition is assigned\n");
        return text;
    }
    text.push_str(&partitions(group, lags));
    text
}

fn members(members: &[GroupMember]) -> String {
    let columns = [
        ("MEMBER", Align::Left),
        ("INSTANCE", Align::Left),
        ("CLIENT", Align::Left),
        ("HOST", Align::Left),
        ("PARTITIONS", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for member in members {
        table.row([
            member.member_id.clone(),
            member.instance_id.clone().unwrap_or_else(|| "-".into()),
            member.client_id.clone(),
            member.client_host.trim_start_matches('/').to_owned(),
            member.partitions.len().to_string(),
        ]);
    }
    table.render()
}

fn partitions(group: &GroupDescription, lags: &[GroupLag]) -> String {
    let columns = [
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("COMMITTED", Align::Right),
        ("END", Align::Right),
        ("LAG", Align::Right),
        ("BEHIND", Align::Right),
        ("MEMBER", Align::Left),
    ];
    let none = || "-".to_owned();
    let mut table = Table::new(&columns);
    for lag in lags {
        table.row([
            lag.topic.clone(),
            lag.partition.to_string(),
            lag.committed.map_or_else(none, |offset| offset.to_string()),
            lag.end.to_string(),
            lag.records.map_or_else(none, |records| records.to_string()),
            lag.behind.map_or_else(none, behind),
            reader(group, lag).map_or_else(none, |member| member.member_id.clone()),
        ]);
    }
    let records: u64 = lags.iter().filter_map(|lag| lag.records).sum();
    let longest = lags.iter().filter_map(|lag| lag.behind).max().unwrap_or_default();
    let uncommitted = uncommitted(lags);
    let mut summary = match (records, uncommitted) {
        (0, 0) => "caught up".to_owned(),
        (0, _) => "caught up where it has committed".to_owned(),
        _ => format!("{} behind, at most {}", table::counted(records, "record"), behind(longest)),
    };
    if uncommitted > 0 {
        let records = table::counted(uncommitted, "record");
        summary.push_str(&format!("; {records} in partitions where it has committed nothing"));
    }
    format!("{}\n{summary}\n", table.render())
}

/// Records in partitions where the group has committed nothing: whether it will read them is up to its consumers.
fn uncommitted(lags: &[GroupLag]) -> u64 {
    let unread = lags.iter().filter(|lag| lag.committed.is_none());
    unread.map(|lag| lag.end.saturating_sub(lag.start).max(0).unsigned_abs()).sum()
}

fn behind(time: Duration) -> String {
    table::duration(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn json(group: &GroupDescription, lags: &[GroupLag]) -> Value {
    let mut value = summary_json(&group.summary);
    let members = group.members.iter().map(|member| {
        let mut topics: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (topic, partition) in &member.partitions {
            topics.entry(topic).or_default().push(*partition);
        }
        json!({
            "member_id": member.member_id,
            "instance_id": member.instance_id,
            "client_id": member.client_id,
            "client_host": member.client_host,
            "topics": member.topics,
            "partitions": topics,
        })
    });
    let notes: BTreeMap<(&str, u32), &cairn_client::GroupOffset> =
        group.offsets.iter().map(|one| ((one.topic.as_str(), one.partition), one)).collect();
    let partitions = lags.iter().map(|lag| {
        let committed = notes.get(&(lag.topic.as_str(), lag.partition));
        json!({
            "topic": lag.topic,
            "partition": lag.partition,
            "committed": lag.committed,
            "start": lag.start,
            "end": lag.end,
            "lag_records": lag.records,
            "lag_ms": lag.behind.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            "committed_at": committed.map(|one| one.committed_ms),
            "metadata": committed.map(|one| one.metadata.as_str()),
            "member_id": reader(group, lag).map(|member| member.member_id.as_str()),
        })
    });
    if let Some(object) = value.as_object_mut() {
        object.insert("coordinator".into(), group.coordinator.into());
        object.insert("members".into(), members.collect());
        object.insert("partitions".into(), partitions.collect());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_client::{GroupKind, GroupOffset, GroupSummary};

    fn group() -> GroupDescription {
        let summary = GroupSummary {
            name: "billing".into(),
            kind: GroupKind::Native,
            state: "Stable".into(),
            epoch: 3,
            protocol: "cairn-balanced".into(),
            members: 1,
        };
        let member = GroupMember {
            member_id: "m-1".into(),
            instance_id: None,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            topics: vec!["orders".into()],
            partitions: vec![("orders".into(), 0), ("orders".into(), 1)],
        };
        let offset = GroupOffset {
            topic: "orders".into(),
            partition: 0,
            offset: 7,
            metadata: "note".into(),
            committed_ms: 5,
        };
        GroupDescription { summary, coordinator: 0, members: vec![member], offsets: vec![offset] }
    }

    fn lags() -> Vec<GroupLag> {
        let read = GroupLag {
            topic: "orders".into(),
            partition: 0,
            committed: Some(7),
            start: 0,
            end: 10,
            records: Some(3),
            behind: Some(Duration::from_secs(61)),
        };
        let unread = GroupLag { partition: 1, committed: None, records: None, behind: None, ..read.clone() };
        vec![read, unread]
    }

    #[test]
    fn people_see_members_and_how_far_they_are_behind() {
        let text = text(&group(), &lags());
        let expected = "group 'billing': native, Stable, 1 member, epoch 3, coordinated by broker 0\n\n\
            MEMBER  INSTANCE  CLIENT  HOST       PARTITIONS\n\
            m-1     -         client  127.0.0.1           2\n\n\
            TOPIC   PARTITION  COMMITTED  END  LAG  BEHIND  MEMBER\n\
            orders          0          7   10    3   1m 1s  m-1\n\
            orders          1          -   10    -       -  m-1\n\n\
            3 records behind, at most 1m 1s; 10 records in partitions where it has committed nothing\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn machines_see_numbers_and_nulls() {
        let value = json(&group(), &lags());
        assert_eq!(value["partitions"][0]["lag_records"], 3);
        assert_eq!(value["partitions"][0]["lag_ms"], 61_000);
        assert_eq!(value["partitions"][1]["lag_ms"], Value::Null);
        assert_eq!(value["members"].as_array().unwrap().len(), 1);
        assert_eq!(value["members"][0]["partitions"]["orders"], json!([0, 1]));
    }
}
