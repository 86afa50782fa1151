//! Settings of topics and of the broker, described and changed.

use super::{Served, batch};
use anyhow::{Context as _, Result, ensure};
use cairn_client::{Client, NewTopic};
use cairn_proto::kafka::{
    ApiKey, ErrorCode,
    alter_configs::{AlterConfigsRequest, AlterConfigsResource as Replaced, AlterableConfig as NewConfig},
    create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
    describe_configs::{
        DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
    },
    incremental_alter_configs::{AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest},
};
use cairn_tests::kafka::{KafkaConnection, expect_code};
use std::collections::{BTreeMap, BTreeSet};

const TOPIC: &str = "configured";
const OF_TOPIC: i8 = 2;
const OF_BROKER: i8 = 4;
const SET_FOR_TOPIC: i8 = 1;
const SET_FOR_BROKER: i8 = 4;
const DEFAULT: i8 = 5;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

async fn describe(
    kafka: &mut KafkaConnection,
    version: i16,
    (resource_type, name): (i8, &str),
    keys: Option<&[&str]>,
) -> Result<DescribeConfigsResult> {
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: version >= 3,
    };
    let response = kafka.call(version, &request).await?;
    response.results.into_iter().next().context("a result")
}

fn config<'a>(result: &'a DescribeConfigsResult, name: &str) -> Result<&'a DescribeConfigsResourceResult> {
    result.configs.iter().find(|config| config.name == name).with_context(|| format!("no {name}"))
}

/// The value of one setting of the topic, and where it comes from.
async fn value(kafka: &mut KafkaConnection, name: &str) -> Result<(String, i8)> {
    let result = describe(kafka, 4, (OF_TOPIC, TOPIC), Some(&[name])).await?;
    let found = config(&result, name)?;
    Ok((found.value.clone().context("a value")?, found.config_source))
}

/// Changes one setting; the code, and what was said.
async fn alter(
    kafka: &mut KafkaConnection,
    (resource_type, resource): (i8, &str),
    (operation, name, value): (i8, &str, Option<&str>),
) -> Result<(ErrorCode, String)> {
    let mut last = None;
    for version in ApiKey::IncrementalAlterConfigs.served() {
        let change = AlterableConfig {
            name: name.into(),
            config_operation: operation,
            value: value.map(str::to_owned),
        };
        let resource =
            AlterConfigsResource { resource_type, resource_name: resource.into(), configs: vec![change] };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let response = kafka.call(version, &request).await?;
        let result = response.responses.into_iter().next().context("a response")?;
        let found = (result.error_code, result.error_message.unwrap_or_default());
        ensure!(
            last.as_ref().is_none_or(|last| *last == found),
            "version {version}: {found:?}, not {last:?}"
        );
        last = Some(found);
    }
    last.context("a version")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_setting_of_a_topic_is_described() -> Result<()> {
    let mut served = Served::begin().await?;
    let client = Client::connect(served.broker.grpc_address()).await?;
    client.admin().create_topic(NewTopic::named(TOPIC).config("retention.ms", "5000")).await?;
    let of_grpc = client.admin().describe_topic(TOPIC).await?;
    for version in ApiKey::DescribeConfigs.served() {
        let result = describe(&mut served.kafka, version, (OF_TOPIC, TOPIC), None).await?;
        expect_code(result.error_code, ErrorCode::NONE, "DescribeConfigs")?;
        ensure!((result.resource_type, result.resource_name.as_str()) == (OF_TOPIC, TOPIC), "{result:?}");
        // What one listener says, the other says.
        let found: BTreeMap<_, _> =
            result.configs.iter().map(|it| (it.name.clone(), it.value.clone().unwrap_or_default())).collect();
        let expected: BTreeMap<_, _> =
            of_grpc.configs.iter().map(|it| (it.name.clone(), it.value.clone())).collect();
        ensure!(found == expected && found.len() >= 11, "{found:?}, not {expected:?}");
        for one in &result.configs {
            ensure!(!one.is_sensitive && !one.read_only && one.value.is_some(), "{one:?}");
            ensure!(!one.synonyms.is_empty(), "{one:?}");
            ensure!(version < 3 || one.config_type > 0, "{one:?}");
            let documented = one.documentation.as_ref().is_some_and(|text| text.len() > 10);
            ensure!(documented == (version >= 3), "{one:?}");
        }
        let retention = config(&result, "retention.ms")?;
        ensure!(retention.config_source == SET_FOR_TOPIC, "{retention:?}");
        let synonyms: Vec<_> = retention.synonyms.iter().map(|it| (it.name.as_str(), it.source)).collect();
        ensure!(synonyms == [("retention.ms", SET_FOR_TOPIC), ("log.retention.ms", DEFAULT)], "{synonyms:?}");
        let bytes = config(&result, "segment.bytes")?;
        ensure!((bytes.config_source, bytes.value.as_deref()) == (DEFAULT, Some("268435456")), "{bytes:?}");

        let some =
            describe(&mut served.kafka, version, (OF_TOPIC, TOPIC), Some(&["segment.ms", "no"])).await?;
        let names: Vec<_> = some.configs.iter().map(|it| it.name.as_str()).collect();
        ensure!(names == ["segment.ms"], "{names:?}");
        for ((resource_type, name), expected) in [
            ((OF_TOPIC, "absent"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            ((OF_TOPIC, "no name"), ErrorCode::INVALID_TOPIC_EXCEPTION),
            ((OF_BROKER, "2"), ErrorCode::INVALID_REQUEST),
            ((OF_BROKER, "one"), ErrorCode::INVALID_REQUEST),
            ((8, "1"), ErrorCode::INVALID_REQUEST),
            ((0, ""), ErrorCode::INVALID_REQUEST),
        ] {
            let refused = describe(&mut served.kafka, version, (resource_type, name), None).await?;
            expect_code(refused.error_code, expected, &format!("{resource_type} {name:?}"))?;
            ensure!(refused.error_message.is_some() && refused.configs.is_empty(), "{refused:?}");
            ensure!(refused.resource_name == name, "{refused:?}");
        }
    }
    served.end().await
}

/// What is asked for again and again is answered once: the answer is hundreds of times as long as the question.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_that_is_named_often_is_described_once() -> Result<()> {
    let mut served = Served::begin().await?;
    served.kafka.create_topic(TOPIC, 1).await?;
    let one = |name: &str| DescribeConfigsResource {
        resource_type: OF_TOPIC,
        resource_name: name.into(),
        configuration_keys: None,
    };
    let resources = [vec![one(TOPIC); 5000], vec![one("absent")], vec![one(TOPIC); 4000]].concat();
    let request = DescribeConfigsRequest { resources, include_documentation: true, ..Default::default() };
    let response = served.kafka.call(4, &request).await?;
    let codes: Vec<_> = response.results.iter().map(|result| result.error_code).collect();
    ensure!(codes == [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION], "{codes:?}");
    // More than one request may name: there is no place for an error of the whole.
    let request = DescribeConfigsRequest { resources: vec![one(TOPIC); 20_000], ..Default::default() };
    let mut other = served.another().await?;
    other.send(4, &request).await?;
    ensure!(other.closed(std::time::Duration::from_secs(20)).await?.1.is_empty(), "answered");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_brokers_settings_are_described_by_its_names_and_by_kafkas() -> Result<()> {
    let arguments = ["--default-partitions", "6", "--auto-create-topics=false"];
    let mut served = Served::begin_with(&arguments).await?;
    for version in ApiKey::DescribeConfigs.served() {
        let result = describe(&mut served.kafka, version, (OF_BROKER, "1"), None).await?;
        expect_code(result.error_code, ErrorCode::NONE, "DescribeConfigs")?;
        ensure!(result.configs.iter().all(|it| it.read_only && !it.is_sensitive), "{result:?}");
        let names: BTreeSet<_> = result.configs.iter().map(|it| it.name.as_str()).collect();
        ensure!(names.len() == result.configs.len() && names.len() > 60, "{} names", names.len());
        for (name, expected, source) in [
            ("default-partitions", "6", SET_FOR_BROKER),
            ("num.partitions", "6", SET_FOR_BROKER),
            ("auto.create.topics.enable", "false", SET_FOR_BROKER),
            ("default.replication.factor", "1", DEFAULT),
            ("offsets.topic.replication.factor", "1", DEFAULT),
            ("log.retention.ms", "604800000", DEFAULT),
            ("message.max.bytes", "1048576", DEFAULT),
            ("broker.id", "1", DEFAULT),
            ("journal-ring-bytes-max", "8388608", SET_FOR_BROKER),
        ] {
            let found = config(&result, name)?;
            let told = (found.value.as_deref(), found.config_source);
            ensure!(told == (Some(expected), source), "{name}: {found:?}");
        }
    }
    let all = describe(&mut served.kafka, 4, (OF_BROKER, ""), None).await?;
    ensure!(all.error_code.is_none() && all.configs.is_empty(), "nothing is set for all brokers: {all:?}");

    // What is described is so: a topic gets six partitions.
    served.kafka.create_topic(TOPIC, -1).await?;
    let described =
        Client::connect(served.broker.grpc_address()).await?.admin().describe_topic(TOPIC).await?;
    ensure!(described.partitions.len() == 6, "{} partitions", described.partitions.len());

    for (name, expected, said) in [
        ("num.partitions", ErrorCode::INVALID_REQUEST, "default-partitions"),
        ("data-dir", ErrorCode::INVALID_REQUEST, "restart"),
        ("log.retention.ms", ErrorCode::INVALID_REQUEST, "retention.ms of the topics"),
        ("num.partition", ErrorCode::INVALID_CONFIG, "did you mean \"num.partitions\""),
    ] {
        for broker in ["1", ""] {
            let (code, message) =
                alter(&mut served.kafka, (OF_BROKER, broker), (SET, name, Some("7"))).await?;
            expect_code(code, expected, name)?;
            ensure!(message.contains(said), "{name}: {message}");
        }
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_change_one_by_one() -> Result<()> {
    let mut served = Served::begin().await?;
    served.kafka.create_topic(TOPIC, 1).await?;
    let kafka = &mut served.kafka;
    let topic = (OF_TOPIC, TOPIC);
    for (operation, name, given, expected) in [
        (SET, "retention.ms", Some("5000"), ErrorCode::NONE),
        (SET, "segment.ms", Some("6000"), ErrorCode::NONE),
        (DELETE, "segment.ms", None, ErrorCode::NONE),
        (SET, "retention.ms", Some("soon"), ErrorCode::INVALID_CONFIG),
        (SET, "retention.m", Some("5000"), ErrorCode::INVALID_CONFIG),
        (DELETE, "retention.m", None, ErrorCode::INVALID_CONFIG),
        (APPEND, "retention.ms", Some("1"), ErrorCode::INVALID_CONFIG),
        (APPEND, "retention.m", Some("1"), ErrorCode::INVALID_CONFIG),
        (SET, "retention.ms", None, ErrorCode::INVALID_REQUEST),
        (9, "retention.ms", Some("1"), ErrorCode::INVALID_REQUEST),
        (APPEND, "cleanup.policy", Some("delete"), ErrorCode::NONE),
        (SUBTRACT, "cleanup.policy", Some("nothing"), ErrorCode::NONE),
        (APPEND, "cleanup.policy", Some("nothing"), ErrorCode::INVALID_CONFIG),
    ] {
        let (code, message) = alter(kafka, topic, (operation, name, given)).await?;
        expect_code(code, expected, &format!("{operation} {name} {given:?}: {message}"))?;
        ensure!(message.is_empty() == expected.is_none(), "{name}: {message}");
        if name == "retention.m" {
            ensure!(message.contains("\"retention.ms\""), "the nearest name is not in: {message}");
        }
    }
    ensure!(value(kafka, "retention.ms").await? == ("5000".into(), SET_FOR_TOPIC), "retention.ms");
    ensure!(value(kafka, "segment.ms").await? == ("604800000".into(), DEFAULT), "segment.ms");
    for ((resource_type, name), expected) in [
        ((OF_TOPIC, "absent"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ((OF_TOPIC, "no name"), ErrorCode::INVALID_TOPIC_EXCEPTION),
        ((OF_BROKER, "2"), ErrorCode::INVALID_REQUEST),
        ((16, TOPIC), ErrorCode::INVALID_REQUEST),
    ] {
        let (code, message) = alter(kafka, (resource_type, name), (SET, "retention.ms", Some("1"))).await?;
        expect_code(code, expected, &message)?;
    }
    served.end().await
}

/// All of a request's changes of a topic, or none; a mistake of one topic is not the other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_a_topic_belong_together() -> Result<()> {
    let mut served = Served::begin().await?;
    served.kafka.create_topic(TOPIC, 1).await?;
    served.kafka.create_topic("other", 1).await?;
    let kafka = &mut served.kafka;
    let set = |name: &str, value: &str| AlterableConfig {
        name: name.into(),
        config_operation: SET,
        value: Some(value.into()),
    };
    let of = |name: &str, configs| AlterConfigsResource {
        resource_type: OF_TOPIC,
        resource_name: name.into(),
        configs,
    };
    let good_and_bad = vec![set("retention.ms", "1"), set("segment.bytes", "1")];
    let request = |resources, validate_only| IncrementalAlterConfigsRequest { resources, validate_only };
    let resources = vec![of(TOPIC, good_and_bad), of("other", vec![set("retention.ms", "7")])];
    let response = kafka.call(1, &request(resources, false)).await?;
    let codes: Vec<_> = response.responses.iter().map(|one| one.error_code).collect();
    ensure!(codes == [ErrorCode::INVALID_CONFIG, ErrorCode::NONE], "{codes:?}");
    ensure!(value(kafka, "retention.ms").await?.1 == DEFAULT, "half of the changes were made");

    let twice = of(TOPIC, vec![set("retention.ms", "1"), set("retention.ms", "2")]);
    let nothing = of(TOPIC, Vec::new());
    let good = of(TOPIC, vec![set("retention.ms", "1")]);
    for (resources, validate_only, expected) in [
        (vec![twice], false, vec![ErrorCode::INVALID_REQUEST]),
        (vec![nothing], false, vec![ErrorCode::NONE]),
        (vec![good.clone()], true, vec![ErrorCode::NONE]),
        (vec![of(TOPIC, vec![set("segment.bytes", "1")])], true, vec![ErrorCode::INVALID_CONFIG]),
        (vec![good.clone(), good], false, vec![ErrorCode::INVALID_REQUEST; 2]),
        (Vec::new(), false, Vec::new()),
    ] {
        let response = kafka.call(1, &request(resources, validate_only)).await?;
        let codes: Vec<_> = response.responses.iter().map(|one| one.error_code).collect();
        ensure!(codes == expected, "{codes:?}, not {expected:?}");
        ensure!(value(kafka, "retention.ms").await?.1 == DEFAULT, "it was set");
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_replaced_as_a_whole() -> Result<()> {
    let mut served = Served::begin().await?;
    served.kafka.create_topic(TOPIC, 1).await?;
    let kafka = &mut served.kafka;
    for version in ApiKey::AlterConfigs.served() {
        let replace = async |kafka: &mut KafkaConnection, values: &[(&str, Option<&str>)], validate_only| {
            let config = |(name, value): &(&str, Option<&str>)| NewConfig {
                name: (*name).into(),
                value: value.map(Into::into),
            };
            let resource = Replaced {
                resource_type: OF_TOPIC,
                resource_name: TOPIC.into(),
                configs: values.iter().map(config).collect(),
            };
            let request = AlterConfigsRequest { resources: vec![resource], validate_only };
            let response = kafka.call(version, &request).await?;
            anyhow::Ok(response.responses.first().context("a response")?.error_code)
        };
        let both = [("retention.ms", Some("5000")), ("segment.ms", Some("6000"))];
        let one = [("segment.ms", Some("7000"))];
        expect_code(replace(kafka, &both, false).await?, ErrorCode::NONE, "both")?;
        expect_code(replace(kafka, &one, true).await?, ErrorCode::NONE, "only checked")?;
        ensure!(value(kafka, "retention.ms").await? == ("5000".into(), SET_FOR_TOPIC), "retention.ms");
        expect_code(replace(kafka, &one, false).await?, ErrorCode::NONE, "one")?;
        ensure!(value(kafka, "retention.ms").await?.1 == DEFAULT, "what is not named is still set");
        ensure!(value(kafka, "segment.ms").await? == ("7000".into(), SET_FOR_TOPIC), "segment.ms");
        for (values, expected) in [
            (&[("segment.ms", Some("0"))][..], ErrorCode::INVALID_CONFIG),
            (&[("segment.m", Some("1"))][..], ErrorCode::INVALID_CONFIG),
            (&[("segment.ms", None)][..], ErrorCode::INVALID_REQUEST),
            (&[("segment.ms", Some("1")), ("segment.ms", Some("2"))][..], ErrorCode::INVALID_REQUEST),
        ] {
            expect_code(replace(kafka, values, false).await?, expected, &format!("{values:?}"))?;
        }
        ensure!(value(kafka, "segment.ms").await? == ("7000".into(), SET_FOR_TOPIC), "a refusal changed it");
        expect_code(replace(kafka, &[], false).await?, ErrorCode::NONE, "nothing")?;
        ensure!(value(kafka, "segment.ms").await?.1 == DEFAULT, "nothing is named, and it is still set");
    }
    served.end().await
}

/// A changed limit holds for the next batch, and what CreateTopics answers is what is described.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_setting_is_what_the_broker_does() -> Result<()> {
    let mut served = Served::begin().await?;
    let set = CreatableTopicConfig { name: "max.message.bytes".into(), value: Some("2000".into()) };
    for version in 5..=7 {
        let name = format!("{TOPIC}-{version}");
        let topic = CreatableTopic {
            name: name.clone(),
            num_partitions: 1,
            replication_factor: 1,
            configs: vec![set.clone()],
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let response = served.kafka.call(version, &request).await?;
        let created = response.topics.into_iter().next().context("a result")?;
        let answered: Vec<_> = created
            .configs
            .context("configs")?
            .into_iter()
            .map(|it| (it.name, it.value, it.config_source, it.read_only))
            .collect();
        let result = describe(&mut served.kafka, 4, (OF_TOPIC, &name), None).await?;
        let described: Vec<_> = result
            .configs
            .into_iter()
            .map(|it| (it.name, it.value, it.config_source, it.read_only))
            .collect();
        ensure!(answered == described, "{answered:?}, not {described:?}");
        let large = batch(&[&[7; 3000]])?;
        let refused = served.kafka.produce(11, &name, large.clone()).await?;
        expect_code(refused.error_code, ErrorCode::MESSAGE_TOO_LARGE, "beyond the limit")?;
        let resource = (OF_TOPIC, name.as_str());
        let (code, message) =
            alter(&mut served.kafka, resource, (SET, "max.message.bytes", Some("4000"))).await?;
        expect_code(code, ErrorCode::NONE, &message)?;
        let taken = served.kafka.produce(11, &name, large).await?;
        expect_code(taken.error_code, ErrorCode::NONE, "within the new limit")?;
    }
    served.end().await
}
