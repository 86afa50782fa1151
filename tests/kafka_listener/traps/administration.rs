//! The traps of administration (20): what is refused, and what is listed.

use super::{Served, TOPIC, batch};
use anyhow::{Context as _, Result, ensure};
use cairn_proto::kafka::{
    ApiKey, ErrorCode,
    create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic},
    create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
    describe_configs::{DescribeConfigsRequest, DescribeConfigsResource},
};
use cairn_tests::kafka::{KafkaConnection, expect_code, metadata_request};

/// Kafka's topic settings that stand in this broker's table, and its own.
const AT_LEAST: [&str; 11] = [
    "cleanup.policy",
    "compression.type",
    "durability",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.ms",
];

async fn create(
    kafka: &mut KafkaConnection,
    version: i16,
    name: &str,
    configs: &[(&str, &str)],
) -> Result<ErrorCode> {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    };
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    Ok(kafka.call(version, &request).await?.topics.first().context("a result")?.error_code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_20_the_largest_message_is_what_the_topic_says() -> Result<()> {
    let mut served = Served::begin().await?;
    let limit = [("max.message.bytes", "1500")];
    expect_code(create(&mut served.kafka, 7, TOPIC, &limit).await?, ErrorCode::NONE, "CreateTopics")?;
    for version in ApiKey::Produce.served() {
        let small = served.kafka.produce(version, TOPIC, batch(&[&[7; 1000]])?).await?;
        expect_code(small.error_code, ErrorCode::NONE, &format!("within, version {version}"))?;
        // The batch counts, not its records.
        let large = served.kafka.produce(version, TOPIC, batch(&[&[7; 800], &[7; 800]])?).await?;
        expect_code(large.error_code, ErrorCode::MESSAGE_TOO_LARGE, &format!("beyond, version {version}"))?;
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_20_every_config_is_listed_with_its_source_and_default() -> Result<()> {
    let mut served = Served::begin().await?;
    let set = [("retention.ms", "5000")];
    expect_code(create(&mut served.kafka, 7, TOPIC, &set).await?, ErrorCode::NONE, "CreateTopics")?;
    for version in ApiKey::DescribeConfigs.served() {
        let resource = DescribeConfigsResource {
            resource_type: 2,
            resource_name: TOPIC.into(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            include_synonyms: true,
            ..Default::default()
        };
        let response = served.kafka.call(version, &request).await?;
        let result = response.results.first().context("a result")?;
        expect_code(result.error_code, ErrorCode::NONE, "DescribeConfigs")?;
        for name in AT_LEAST {
            let config = result.configs.iter().find(|config| config.name == name);
            let config = config.with_context(|| format!("{name} is not listed"))?;
            // Set for the topic is 1, the default 5; the default is told in any case.
            let source = if name == "retention.ms" { 1 } else { 5 };
            ensure!(config.config_source == source && config.value.is_some(), "{config:?}");
            let default = config.synonyms.last().context("a default")?;
            ensure!(default.source == 5 && default.value.is_some(), "{config:?}");
        }
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_20_create_partitions_echoes_every_topic() -> Result<()> {
    let mut served = Served::begin().await?;
    for version in ApiKey::CreatePartitions.served() {
        let name = format!("{TOPIC}-{version}");
        served.kafka.create_topic(&name, 1).await?;
        let topic = |name: &str| CreatePartitionsTopic { name: name.into(), count: 2, assignments: None };
        let topics = vec![topic("absent"), topic(&name)];
        let request = CreatePartitionsRequest { topics, timeout_ms: 10_000, validate_only: false };
        let response = served.kafka.call(version, &request).await?;
        let echoed: Vec<_> = response.results.iter().map(|it| (it.name.as_str(), it.error_code)).collect();
        let absent = ("absent", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        ensure!(echoed == [absent, (name.as_str(), ErrorCode::NONE)], "version {version}: {echoed:?}");
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_20_bad_names_are_invalid_topics() -> Result<()> {
    let mut served = Served::begin().await?;
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a/b", "a b", "a\0b", "grün", long.as_str()] {
        for version in ApiKey::CreateTopics.served() {
            let code = create(&mut served.kafka, version, name, &[]).await?;
            expect_code(code, ErrorCode::INVALID_TOPIC_EXCEPTION, &format!("{name:?}, version {version}"))?;
        }
        for (version, allow) in [(1, true), (4, true), (9, false), (12, true)] {
            let response = served.kafka.call(version, &metadata_request(name, allow)).await?;
            let topic = response.topics.first().context("a topic")?;
            let what = format!("Metadata {version} of {name:?}");
            expect_code(topic.error_code, ErrorCode::INVALID_TOPIC_EXCEPTION, &what)?;
        }
    }
    let all = metadata_request("fine", false);
    let fine = served.kafka.call(12, &all).await?;
    expect_code(fine.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "a good name")?;
    served.end().await
}
