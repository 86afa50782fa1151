//! Topics made and deleted.

use super::Served;
use anyhow::{Context as _, Result, bail, ensure};
use cairn_proto::kafka::{
    ApiKey, ErrorCode,
    create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
    delete_topics::{DeleteTopicState, DeleteTopicsRequest},
};
use cairn_tests::kafka::{expect_code, metadata_request};
use uuid::Uuid;

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions, replication_factor, ..Default::default() }
}

fn set(name: &str, value: &str) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.into(), value: Some(value.into()) }
}

/// Traps 14 and 20.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_made_or_refused_in_every_version() -> Result<()> {
    let mut served = Served::begin().await?;
    for version in ApiKey::CreateTopics.served() {
        let defaults = format!("defaults-{version}");
        let with = |config| CreatableTopic { configs: vec![config], ..topic("configured", 1, 1) };
        let rows = [
            (topic(&defaults, -1, -1), ErrorCode::NONE),
            (topic(&defaults, -1, -1), ErrorCode::TOPIC_ALREADY_EXISTS),
            (topic("bad name", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
            (topic("none", 0, 1), ErrorCode::INVALID_PARTITIONS),
            (topic("many", 20_000, 1), ErrorCode::INVALID_PARTITIONS),
            (topic("copies", 1, 3), ErrorCode::INVALID_REPLICATION_FACTOR),
            (with(set("retention.ms", "yes")), ErrorCode::INVALID_CONFIG),
            (with(set("no.such.config", "1")), ErrorCode::INVALID_CONFIG),
        ];
        for (topic, expected) in rows {
            let request = CreateTopicsRequest { topics: vec![topic.clone()], ..Default::default() };
            let response = served.kafka.call(version, &request).await?;
            let result = response.topics.first().context("a result")?;
            expect_code(result.error_code, expected, &format!("{} in version {version}", topic.name))?;
            ensure!(result.name == topic.name, "{result:?}");
            ensure!(version < 5 || expected.is_none() || result.configs == Some(Vec::new()), "{result:?}");
            if expected.is_none() {
                ensure!(
                    version < 5 || (result.num_partitions, result.replication_factor) == (1, 1),
                    "{result:?}"
                );
                ensure!(version < 7 || !result.topic_id.is_nil(), "{result:?}");
            }
        }
    }
    let twice = CreateTopicsRequest { topics: vec![topic("twice", 1, 1); 2], ..Default::default() };
    let [result] = &served.kafka.call(7, &twice).await?.topics[..] else { bail!("one result for a topic") };
    expect_code(result.error_code, ErrorCode::INVALID_REQUEST, "twice")?;
    let nonsense = [topic("twice-as-good", 1, 1), topic("twice-as-good", 0, 9)];
    for (topics, expected) in
        [(nonsense[..1].to_vec(), ErrorCode::NONE), (nonsense[1..].to_vec(), ErrorCode::TOPIC_ALREADY_EXISTS)]
    {
        let response = served.kafka.call(7, &CreateTopicsRequest { topics, ..Default::default() }).await?;
        expect_code(response.topics[0].error_code, expected, "there already, whatever else is asked")?;
    }
    let configured =
        CreatableTopic { configs: vec![set("retention.ms", "5000")], ..topic("only-checked", 2, 1) };
    let checked = CreateTopicsRequest { topics: vec![configured], validate_only: true, ..Default::default() };
    let response = served.kafka.call(7, &checked).await?;
    let result = response.topics.first().context("a result")?;
    expect_code(result.error_code, ErrorCode::NONE, "validate only")?;
    let configs = result.configs.as_ref().context("configs")?;
    let retention = configs.iter().find(|config| config.name == "retention.ms").context("retention.ms")?;
    ensure!(retention.value.as_deref() == Some("5000") && configs.len() > 5, "{configs:?}");
    let absent = served.kafka.call(12, &metadata_request("only-checked", false)).await?;
    expect_code(absent.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "validate only")?;
    served.end().await
}

/// Trap 6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_deleted_by_name_and_by_id_and_made_again_with_another() -> Result<()> {
    let mut served = Served::begin().await?;
    let mut last = Uuid::nil();
    for version in ApiKey::DeleteTopics.served() {
        let id = served.kafka.create_topic("gone", 1).await?;
        ensure!(id != last && !id.is_nil(), "{id} again");
        last = id;
        let by_name = DeleteTopicState { name: Some("gone".into()), ..Default::default() };
        let request = match version {
            ..6 => DeleteTopicsRequest { topic_names: vec!["gone".into()], ..Default::default() },
            _ => DeleteTopicsRequest { topics: vec![by_name], ..Default::default() },
        };
        for expected in [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION] {
            let response = served.kafka.call(version, &request).await?;
            let result = response.responses.first().context("a result")?;
            expect_code(result.error_code, expected, "by name")?;
            ensure!(result.name.as_deref() == Some("gone"), "{result:?}");
        }
    }
    let topic_id = served.kafka.create_topic("gone", 1).await?;
    let by_id = DeleteTopicState { name: None, topic_id };
    let both = DeleteTopicState { name: Some("gone".into()), topic_id };
    for (state, expected) in [
        (both, ErrorCode::INVALID_REQUEST),
        (DeleteTopicState::default(), ErrorCode::INVALID_REQUEST),
        (by_id.clone(), ErrorCode::NONE),
        (by_id, ErrorCode::UNKNOWN_TOPIC_ID),
    ] {
        let request = DeleteTopicsRequest { topics: vec![state.clone()], ..Default::default() };
        let response = served.kafka.call(6, &request).await?;
        expect_code(response.responses[0].error_code, expected, &format!("{state:?}"))?;
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_named_twice_is_not_deleted() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic("stays", 1).await?;
    served.kafka.create_topic("goes", 1).await?;
    let by_name = |name: &str| DeleteTopicState { name: Some(name.into()), ..Default::default() };
    let by_id = DeleteTopicState { name: None, topic_id };
    for topics in [
        vec![by_name("stays"), by_name("stays"), by_name("goes")],
        vec![by_id.clone(), by_id.clone()],
        vec![by_id, by_name("stays")],
    ] {
        let others = topics.len() - 2;
        let request = DeleteTopicsRequest { topics, ..Default::default() };
        let response = served.kafka.call(6, &request).await?;
        ensure!(response.responses.len() == 1 + others, "{response:?}");
        let (refused, deleted) = response.responses.split_at(1);
        expect_code(refused[0].error_code, ErrorCode::INVALID_REQUEST, "twice")?;
        ensure!(deleted.iter().all(|result| result.error_code.is_none()), "{response:?}");
        let found = served.kafka.call(12, &metadata_request("stays", false)).await?;
        expect_code(found.topics[0].error_code, ErrorCode::NONE, "it stays")?;
    }
    served.end().await
}
