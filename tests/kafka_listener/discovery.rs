//! What a client asks first: versions, brokers, topics.

use super::Served;
use anyhow::{Context as _, Result, ensure};
use cairn_proto::kafka::{
    ApiKey, ErrorCode, Message as _, Reader, ResponseHeader,
    api_versions::{ApiVersionsRequest, ApiVersionsResponse},
    describe_cluster::DescribeClusterRequest,
    metadata::{MetadataRequest, MetadataRequestTopic},
};
use cairn_tests::kafka::{expect_code, metadata_request};
use std::time::Duration;

const TIER_1: [ApiKey; 10] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::DescribeCluster,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_apis_of_tier_1_are_advertised_in_every_version_of_the_question() -> Result<()> {
    let mut served = Served::begin().await?;
    for version in ApiKey::ApiVersions.served() {
        let request =
            ApiVersionsRequest { client_software_name: "raw".into(), client_software_version: "1.0".into() };
        let response = served.kafka.call(version, &request).await?;
        expect_code(response.error_code, ErrorCode::NONE, "ApiVersions")?;
        for api in TIER_1 {
            let row = response.api_keys.iter().find(|row| row.api_key == api.number()).context(api)?;
            let expected = if api == ApiKey::Produce { 0..=11 } else { api.served() };
            ensure!((row.min_version..=row.max_version) == expected, "{api}: {row:?}");
        }
        // What is advertised is served: the versions of every API are called elsewhere in these tests.
        ensure!(response.api_keys.len() >= TIER_1.len(), "{response:?}");
    }
    served.end().await
}

/// Trap 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_01_an_unknown_version_of_api_versions_is_answered_in_version_0() -> Result<()> {
    let mut served = Served::begin().await?;
    // What follows the correlation id of an unknown version may be anything.
    let request = b"\0\0\0\x0c\0\x12\0\x63\0\0\0\x07\xff\xfe\xfd\xfc";
    served.kafka.send_bytes(request).await?;
    let mut reader = Reader::new(served.kafka.receive_bytes().await?, 1 << 20);
    let header = ResponseHeader::decode(&mut reader, ApiKey::ApiVersions, 0)?;
    let response = ApiVersionsResponse::decode_body(&mut reader, 0)?;
    ensure!(header.correlation_id == 7, "{header:?}");
    expect_code(response.error_code, ErrorCode::UNSUPPORTED_VERSION, "version 99")?;
    let own = response.api_keys.iter().find(|row| row.api_key == ApiKey::ApiVersions.number());
    let own = own.context("the row of ApiVersions")?;
    ensure!((own.min_version..=own.max_version) == ApiKey::ApiVersions.served(), "{own:?}");
    // The client asks again on the same connection.
    let response = served.kafka.call(0, &ApiVersionsRequest::default()).await?;
    expect_code(response.error_code, ErrorCode::NONE, "version 0")?;
    served.end().await
}

/// Traps 6, 13 and 15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_in_every_version() -> Result<()> {
    let mut served = Served::begin().await?;
    let id = served.kafka.create_topic("known", 3).await?;
    ensure!(!id.is_nil(), "a topic id of zero");
    let port = served.broker.kafka_address().rsplit_once(':').context("a port")?.1.to_owned();
    for version in ApiKey::Metadata.served() {
        let all = MetadataRequest { topics: (version == 0).then(Vec::new), ..Default::default() };
        for request in [all, metadata_request("known", true)] {
            let response = served.kafka.call(version, &request).await?;
            let broker = response.brokers.first().context("a broker")?;
            ensure!(broker.host == "127.0.0.1" && broker.port.to_string() == port, "{broker:?}");
            ensure!(version < 1 || response.controller_id == broker.node_id, "{response:?}");
            ensure!(version < 2 || response.cluster_id.is_some_and(|id| !id.is_empty()), "no cluster id");
            let [topic] = response.topics.as_slice() else { anyhow::bail!("{:?}", response.topics) };
            expect_code(topic.error_code, ErrorCode::NONE, "the topic")?;
            ensure!(topic.name.as_deref() == Some("known") && topic.partitions.len() == 3, "{topic:?}");
            ensure!(version < 10 || topic.topic_id == id, "{topic:?}");
            for partition in &topic.partitions {
                ensure!(partition.leader_id == broker.node_id, "{partition:?}");
                ensure!(version < 7 || partition.leader_epoch >= 0, "{partition:?}");
            }
        }
    }
    let asked = |name: Option<&str>, topic_id| {
        let topic = MetadataRequestTopic { name: name.map(Into::into), topic_id };
        MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: false, ..Default::default() }
    };
    for (version, name, topic_id, expected) in [
        (12, None, id, ErrorCode::NONE),
        // The id counts.
        (12, Some("another"), id, ErrorCode::NONE),
        (12, Some("known"), uuid::Uuid::from_u128(7), ErrorCode::UNKNOWN_TOPIC_ID),
        (12, None, uuid::Uuid::nil(), ErrorCode::INVALID_REQUEST),
        (11, Some("known"), id, ErrorCode::INVALID_REQUEST),
    ] {
        let response = served.kafka.call(version, &asked(name, topic_id)).await?;
        let [topic] = response.topics.as_slice() else { anyhow::bail!("{:?}", response.topics) };
        expect_code(topic.error_code, expected, &format!("{name:?} {topic_id}"))?;
        let told = (expected == ErrorCode::NONE).then_some("known");
        ensure!(version < 12 || topic.name.as_deref() == told, "{topic:?}");
    }
    let none = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
    ensure!(served.kafka.call(12, &none).await?.topics.is_empty(), "no topic was asked for");
    served.end().await
}

/// librdkafka leaves four bytes for the count of topics when it asks for all of them in a flexible version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_topics_with_a_count_of_four_bytes() -> Result<()> {
    let mut served = Served::begin().await?;
    served.kafka.create_topic("known", 3).await?;
    for version in 9..=12 {
        let mut request = b"\0\0\0\x19\0\x03\0\x0c\0\0\0\x07\0\x07rdkafka\0\0\0\0\0\x01\0\0".to_vec();
        request[7] = version;
        if version < 11 {
            // One flag more.
            request.insert(26, 0);
            request[3] += 1;
        }
        served.kafka.send_bytes(&request).await?;
        let (number, response) = served.kafka.receive::<MetadataRequest>(version.into()).await?;
        ensure!(number == 7 && response.topics.len() == 1, "{version}: {response:?}");
    }
    // Other bytes behind a message stay refused.
    served.kafka.send_bytes(b"\0\0\0\x19\0\x03\0\x0c\0\0\0\x07\0\x07rdkafka\0\0\x01\0\0\x01\0\0").await?;
    served.kafka.closed(Duration::from_secs(10)).await?;
    served.end().await
}

/// Trap 15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_15_topics_are_made_when_asked_for_where_that_is_allowed() -> Result<()> {
    let mut served = Served::begin().await?;
    for (version, allow, name, expected) in [
        (12, false, "absent", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (12, true, "made", ErrorCode::NONE),
        (1, true, "made-by-an-old-client", ErrorCode::NONE),
        (12, true, "not a name", ErrorCode::INVALID_TOPIC_EXCEPTION),
        (12, false, "not/a/name", ErrorCode::INVALID_TOPIC_EXCEPTION),
    ] {
        let response = served.kafka.call(version, &metadata_request(name, allow)).await?;
        let topic = response.topics.first().context("a topic")?;
        expect_code(topic.error_code, expected, name)?;
        ensure!(topic.partitions.is_empty() == (expected != ErrorCode::NONE), "{topic:?}");
    }
    served.end().await?;

    let mut served = Served::begin_with(&["--auto-create-topics=false"]).await?;
    let response = served.kafka.call(12, &metadata_request("absent", true)).await?;
    let topic = response.topics.first().context("a topic")?;
    expect_code(topic.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "auto-create-topics is off")?;
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cluster_is_described() -> Result<()> {
    let mut served = Served::begin().await?;
    let cluster_id = served.kafka.call(12, &MetadataRequest::default()).await?.cluster_id;
    for version in ApiKey::DescribeCluster.served() {
        let response = served.kafka.call(version, &DescribeClusterRequest::default()).await?;
        expect_code(response.error_code, ErrorCode::NONE, "DescribeCluster")?;
        ensure!(Some(&response.cluster_id) == cluster_id.as_ref(), "{response:?}");
        let broker = response.brokers.first().context("a broker")?;
        ensure!(response.controller_id == broker.broker_id && broker.port > 0, "{response:?}");
    }
    for (endpoint_type, expected) in [
        (2, ErrorCode::MISMATCHED_ENDPOINT_TYPE),
        (0, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
        (9, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
    ] {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        let response = served.kafka.call(1, &request).await?;
        expect_code(response.error_code, expected, &format!("endpoints of type {endpoint_type}"))?;
    }
    served.end().await
}

/// Trap 18.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_18_localhost_is_all_of_its_addresses() -> Result<()> {
    let scene = cairn_tests::scene::Scene::new(
        env!("CARGO_BIN_EXE_test-cairn-broker"),
        env!("CARGO_BIN_EXE_test-cairn"),
    )?;
    let command = scene.small_broker().kafka_address("localhost:0");
    let broker = tokio::task::block_in_place(|| command.start())?;
    let port: u16 = broker.kafka_address().rsplit_once(':').context("a port")?.1.parse()?;
    let addresses: Vec<_> = tokio::net::lookup_host(("localhost", port)).await?.collect();
    ensure!(!addresses.is_empty(), "localhost has no address");
    let mut reached = 0;
    for address in &addresses {
        // A machine without IPv6 may still have a name for it.
        if tokio::net::TcpListener::bind((address.ip(), 0)).await.is_err() {
            continue;
        }
        let mut kafka = cairn_tests::kafka::KafkaConnection::open(&address.to_string()).await?;
        let response = kafka.call(1, &MetadataRequest::default()).await?;
        let told = response.brokers.first().context("a broker")?;
        ensure!(told.host == "localhost" && told.port == i32::from(port), "{told:?}");
        reached += 1;
    }
    ensure!(reached > 0, "none of {addresses:?} is this machine's");
    tokio::task::block_in_place(|| cairn_tests::scene::stop_cleanly(broker))
}
