//! Topics made and deleted.

use crate::side::Side;
use anyhow::{Context as _, Result};
use cairn_proto::kafka::{
    ApiKey,
    create_topics::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
    delete_topics::{DeleteTopicState, DeleteTopicsRequest},
};
use uuid::Uuid;

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions, replication_factor, ..Default::default() }
}

fn configured(name: &str, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let config = |(name, value): &(&str, Option<&str>)| CreatableTopicConfig {
        name: (*name).into(),
        value: value.map(Into::into),
    };
    CreatableTopic { configs: configs.iter().map(config).collect(), ..topic(name, 1, 1) }
}

fn assigned(name: &str, counts: (i32, i16), assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(partition_index, broker_ids): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *partition_index,
        broker_ids: broker_ids.to_vec(),
    };
    CreatableTopic {
        assignments: assignments.iter().map(assignment).collect(),
        ..topic(name, counts.0, counts.1)
    }
}

/// Single topics: refused, or made only in version `made` so that later ones find it there.
fn wrong_topics() -> Vec<(&'static str, CreatableTopic)> {
    vec![
        ("an empty name", topic("", 1, 1)),
        ("a name with a slash", topic("a/b", 1, 1)),
        ("one dot", topic(".", 1, 1)),
        ("two dots", topic("..", 1, 1)),
        ("a long name", topic(&"x".repeat(250), 1, 1)),
        ("a name like that of another", topic("stands_here", 1, 1)),
        ("a name that is taken", topic("stands.here", 1, 1)),
        ("a name that is taken, and nonsense", topic("stands.here", 0, 9)),
        ("no partitions", topic("w", 0, 1)),
        ("fewer than no partitions", topic("w", -2, 1)),
        ("no replicas", topic("w", 1, 0)),
        ("fewer than no replicas", topic("w", 1, -2)),
        ("more replicas than brokers", topic("w", 1, 3)),
        ("an unknown config", configured("w", &[("no.such.config", Some("1"))])),
        ("a config of the wrong type", configured("w", &[("retention.ms", Some("yes"))])),
        ("a config out of range", configured("w", &[("max.message.bytes", Some("-1"))])),
        ("a config without a value", configured("w", &[("retention.ms", None)])),
        ("an empty config name", configured("w", &[("", Some("1"))])),
        ("a word that is none of the choices", configured("w", &[("cleanup.policy", Some("shred"))])),
        ("a compression that does not exist", configured("w", &[("compression.type", Some("rar"))])),
        ("too many in-sync replicas", configured("w", &[("min.insync.replicas", Some("0"))])),
        ("counts and assignments", assigned("w", (1, 1), &[(0, &[1])])),
        ("an assignment to an unknown broker", assigned("w", (-1, -1), &[(0, &[99])])),
        ("an assignment with a gap", assigned("w", (-1, -1), &[(0, &[1]), (2, &[1])])),
        ("an assignment twice", assigned("w", (-1, -1), &[(0, &[1]), (0, &[1])])),
        ("an assignment to nobody", assigned("w", (-1, -1), &[(0, &[])])),
        ("an assignment to a broker twice", assigned("w", (-1, -1), &[(0, &[1, 1])])),
        ("an assignment below 0", assigned("w", (-1, -1), &[(-1, &[1])])),
    ]
}

pub(crate) async fn creating_topics(side: &mut Side) -> Result<()> {
    side.topic("stands.here", 1, &[]).await?;
    for version in ApiKey::CreateTopics.served() {
        side.forget_ids();
        for (case, topic) in wrong_topics() {
            for (validate_only, how) in [(false, ""), (true, ", only to check")] {
                let topics = vec![topic.clone()];
                let request = CreateTopicsRequest { topics, validate_only, ..Default::default() };
                side.ask(&format!("{case}{how}"), version, &request).await?;
            }
        }
        let make = |topics| CreateTopicsRequest { topics, ..Default::default() };
        let named = |what: &str| format!("{what}-{version}");
        let right = [
            ("the defaults", topic(&named("defaults"), -1, -1)),
            ("three partitions", topic(&named("three"), 3, 1)),
            ("an assignment", assigned(&named("assigned"), (-1, -1), &[(0, &[1]), (1, &[1])])),
            ("a config", configured(&named("configured"), &[("retention.ms", Some("86400000"))])),
            ("the longest name", topic(&format!("long-{version}-{}", "x".repeat(242)), 1, 1)),
        ];
        for (case, topic) in right {
            let only_checked = CreateTopicsRequest { validate_only: true, ..make(vec![topic.clone()]) };
            side.ask(&format!("{case}, only to check"), version, &only_checked).await?;
            side.forget_ids();
            side.ask(case, version, &make(vec![topic.clone()])).await?;
            side.ask(&format!("{case} again"), version, &make(vec![topic])).await?;
        }
        side.ask("no topics", version, &make(Vec::new())).await?;
        side.ask("a topic twice", version, &make(vec![topic("twice", 1, 1), topic("twice", 1, 1)])).await?;
        side.forget_ids();
        let mixed = vec![topic(&named("good"), 1, 1), topic("bad/name", 1, 1), topic("stands.here", 1, 1)];
        side.ask("good and bad together", version, &make(mixed)).await?;
        let no_time = CreateTopicsRequest { timeout_ms: 0, ..make(vec![topic("a/b", 1, 1)]) };
        side.ask("a bad name and no time", version, &no_time).await?;
    }
    Ok(())
}

fn delete_named(version: i16, names: &[&str]) -> DeleteTopicsRequest {
    let timeout_ms = 30_000;
    let state = |name: &&str| DeleteTopicState { name: Some((*name).into()), ..Default::default() };
    match version {
        ..6 => {
            let topic_names = names.iter().map(|name| (*name).into()).collect();
            DeleteTopicsRequest { topic_names, timeout_ms, ..Default::default() }
        }
        _ => DeleteTopicsRequest {
            topics: names.iter().map(state).collect(),
            timeout_ms,
            ..Default::default()
        },
    }
}

pub(crate) async fn deleting_topics(side: &mut Side) -> Result<()> {
    side.topic("stays", 1, &[]).await?;
    for version in ApiKey::DeleteTopics.served() {
        let name = format!("deleted-in-{version}");
        side.topic(&name, 2, &[]).await?;
        side.ask("a topic", version, &delete_named(version, &[&name])).await?;
        side.gone(&name).await?;
        side.ask("a topic again", version, &delete_named(version, &[&name])).await?;
        side.ask("an unknown topic", version, &delete_named(version, &["absent"])).await?;
        side.ask("a bad name", version, &delete_named(version, &["a/b"])).await?;
        side.ask("an empty name", version, &delete_named(version, &[""])).await?;
        side.ask("no topics", version, &delete_named(version, &[])).await?;
        side.ask("a topic twice", version, &delete_named(version, &["stays", "stays"])).await?;
    }
    let id = side.topic("deleted-by-id", 1, &[]).await?;
    let unknown = Uuid::from_u128(7);
    let by = |name: Option<&str>, topic_id| DeleteTopicState { name: name.map(Into::into), topic_id };
    for (case, topics) in [
        ("an unknown id", vec![by(None, unknown)]),
        ("neither id nor name", vec![by(None, Uuid::nil())]),
        ("id and name", vec![by(Some("deleted-by-id"), id)]),
        ("an unknown id and a name", vec![by(Some("deleted-by-id"), unknown)]),
        ("an id twice", vec![by(None, id), by(None, id)]),
        ("an id and its name", vec![by(None, id), by(Some("deleted-by-id"), Uuid::nil())]),
    ] {
        side.ask(case, 6, &DeleteTopicsRequest { topics, timeout_ms: 30_000, ..Default::default() }).await?;
        side.settled("deleted-by-id", 1).await.context(case)?;
    }
    let topics = vec![by(None, id)];
    side.ask("by id", 6, &DeleteTopicsRequest { topics, timeout_ms: 30_000, ..Default::default() }).await?;
    Ok(())
}
