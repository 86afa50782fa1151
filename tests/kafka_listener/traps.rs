//! What clients trip over: each trap that a real client was seen in, by its number. Those that are about batches alone stand
//! with the tests of producing and consuming (7, 8, 10), those about the first questions with those of discovery (1, 15,
//! 18); the names say which.

use super::{Served, batch};
use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, Bytes};
use cairn_proto::{
    kafka::{
        ApiKey, ErrorCode, Reader, RequestBody, ResponseBody, ResponseHeader,
        api_versions::{ApiVersionsRequest, ApiVersionsResponse},
        create_topics::{CreatableTopic, CreateTopicsRequest},
        delete_topics::DeleteTopicsRequest,
        describe_cluster::DescribeClusterRequest,
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata::MetadataRequest,
        offset_for_leader_epoch::{
            OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
        },
    },
    record::{Batch, DecompressLimit, crc32c},
};
use cairn_tests::{
    kafka::{Fetch, KafkaConnection, expect_code, metadata_request, produce_request},
    scene::stop_cleanly,
    seed,
};
use rand::RngCore as _;
use std::time::Duration;
use uuid::Uuid;

#[path = "traps/administration.rs"]
mod administration;
#[path = "traps/groups.rs"]
mod groups;

const TOPIC: &str = "trapped";
const LATE: Duration = Duration::from_secs(20);

async fn versions(kafka: &mut KafkaConnection) -> Result<ApiVersionsResponse> {
    kafka.call(0, &ApiVersionsRequest::default()).await
}

fn advertised(versions: &ApiVersionsResponse, api: ApiKey) -> Result<(i16, i16)> {
    let row = versions.api_keys.iter().find(|row| row.api_key == api.number());
    row.map(|row| (row.min_version, row.max_version)).with_context(|| format!("{api} is not advertised"))
}

fn fetch(topic_id: Uuid, offset: i64) -> Fetch<'static> {
    Fetch { topic: TOPIC, topic_id, offset, min_bytes: 0, max_wait_ms: 0, max_bytes: 1 << 20 }
}

/// Asks anything; the answer, and how many tagged fields are in it.
async fn tagged_fields(
    kafka: &mut KafkaConnection,
    version: i16,
    request: &RequestBody,
) -> Result<(ResponseBody, usize)> {
    let api = request.api();
    let mut frame = request.frame(7, Some("rdkafka"), version)?;
    kafka.send_bytes(&frame.copy_to_bytes(frame.remaining())).await?;
    let mut reader = Reader::new(kafka.receive_bytes().await?, 64 << 20);
    let header = ResponseHeader::decode(&mut reader, api, version)?;
    ensure!(header.correlation_id == 7, "{header:?}");
    let body = ResponseBody::decode(api, version, &mut reader)?;
    Ok((body, reader.tagged_fields_read()))
}

/// Old librdkafka miscounts them. What every client asks, and what goes wrong for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_02_no_tagged_field_is_sent() -> Result<()> {
    let mut served = Served::begin_with(&groups::QUICK).await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let created = CreatableTopic { name: "new".into(), num_partitions: -1, ..Default::default() };
    let mut stale = fetch(topic_id, 0).request();
    stale.topics[0].partitions[0].current_leader_epoch = 1000;
    let requests: Vec<RequestBody> = vec![
        ApiVersionsRequest {
            client_software_name: "librdkafka".into(),
            client_software_version: "1.6.0".into(),
        }
        .into(),
        MetadataRequest::default().into(),
        metadata_request("absent", false).into(),
        produce_request(TOPIC, -1, batch(&[b"x"])?).into(),
        produce_request("absent", -1, batch(&[b"x"])?).into(),
        produce_request(TOPIC, -1, Bytes::from_static(b"no batch")).into(),
        fetch(topic_id, 0).request().into(),
        fetch(topic_id, 100).request().into(),
        fetch(Uuid::new_v4(), 0).request().into(),
        stale.into(),
        CreateTopicsRequest { topics: vec![created], ..Default::default() }.into(),
        DescribeClusterRequest::default().into(),
    ];
    let mut asked = 0;
    for request in requests {
        for version in request.api().served().filter(|version| request.api().flexible(*version)) {
            let (body, tagged) = tagged_fields(&mut served.kafka, version, &request).await?;
            ensure!(tagged == 0, "version {version} of {request:?}: {tagged} tagged fields in {body:?}");
            asked += 1;
        }
    }
    ensure!(asked > 30, "only {asked} questions");
    // And whatever else there is, asked anyhow. JoinGroup and Fetch would wait.
    let mut random = seed::random("trap_02");
    for row in versions(&mut served.kafka).await?.api_keys {
        let api = ApiKey::from_number(row.api_key).context("an API")?;
        let waits = [ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::Fetch, ApiKey::Produce].contains(&api);
        for version in api.served().filter(|version| api.flexible(*version) && !waits) {
            for length in [0, 40, 200] {
                let mut entropy = vec![0; length];
                random.fill_bytes(&mut entropy);
                let Some(request) = RequestBody::sample(api, version, &entropy) else { continue };
                let mut other = served.another().await?;
                // A question that cannot be understood ends its connection.
                let Ok((body, tagged)) = tagged_fields(&mut other, version, &request).await else { continue };
                ensure!(tagged == 0, "version {version} of {request:?}: {tagged} tagged fields in {body:?}");
                asked += 1;
            }
        }
    }
    println!("{asked} answers without a tagged field");
    ensure!(asked > 150, "only {asked} answers");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_03_produce_is_advertised_from_zero_and_served_from_three() -> Result<()> {
    let mut served = Served::begin().await?;
    ensure!(advertised(&versions(&mut served.kafka).await?, ApiKey::Produce)? == (0, 11), "not from 0 to 11");
    served.kafka.create_topic(TOPIC, 1).await?;
    for version in 3..=11 {
        let result = served.kafka.produce(version, TOPIC, batch(&[b"x"])?).await?;
        expect_code(result.error_code, ErrorCode::NONE, &format!("version {version}"))?;
    }
    for version in [0_u8, 1, 2] {
        // acks, timeout, no topic: whole in those versions.
        let request =
            [b"\0\0\0\x14\0\0\0", &[version][..], b"\0\0\0\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\0"].concat();
        let mut old = served.another().await?;
        old.send_bytes(&request).await?;
        ensure!(old.closed(LATE).await?.1.is_empty(), "version {version} was answered");
    }
    served.end().await
}

/// It refuses brokers that do not have these versions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_05_what_platformatic_wants_is_there() -> Result<()> {
    let mut served = Served::begin().await?;
    let versions = versions(&mut served.kafka).await?;
    for (api, wanted) in [
        (ApiKey::Produce, 7),
        (ApiKey::Fetch, 12),
        (ApiKey::Metadata, 9),
        (ApiKey::OffsetFetch, 8),
        (ApiKey::FindCoordinator, 4),
        (ApiKey::JoinGroup, 6),
        (ApiKey::ListGroups, 4),
        (ApiKey::CreateTopics, 7),
    ] {
        let (first, last) = advertised(&versions, api)?;
        ensure!((first..=last).contains(&wanted) && api.served().contains(&wanted), "{api} {first}..{last}");
        // The version is not only named: an empty question in it is answered.
        let request = RequestBody::sample(api, wanted, &[]).context("a request")?;
        let mut other = served.another().await?;
        let answered = tagged_fields(&mut other, wanted, &request).await;
        ensure!(answered.is_ok() || api == ApiKey::Produce, "{api}: {answered:?}");
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_06_topic_ids_are_stable_and_never_used_again() -> Result<()> {
    let mut served = Served::begin().await?;
    let first = served.kafka.create_topic(TOPIC, 1).await?;
    served.kafka.produce(11, TOPIC, batch(&[b"first"])?).await?;
    let Served { scene, broker, mut kafka } = served;
    let id_of = async |kafka: &mut KafkaConnection, version| {
        let response = kafka.call(version, &metadata_request(TOPIC, false)).await?;
        anyhow::Ok(response.topics.first().context("a topic")?.topic_id)
    };
    for version in 10..=12 {
        ensure!(!first.is_nil() && id_of(&mut kafka, version).await? == first, "version {version}");
    }
    drop(kafka);
    tokio::task::block_in_place(|| stop_cleanly(broker))?;
    let broker = tokio::task::block_in_place(|| scene.small_broker().start())?;
    let mut kafka = KafkaConnection::open(broker.kafka_address()).await?;
    for version in 10..=12 {
        ensure!(id_of(&mut kafka, version).await? == first, "another one after a restart");
    }
    let by_name = DeleteTopicsRequest { topic_names: vec![TOPIC.into()], ..Default::default() };
    kafka.call(5, &by_name).await?;
    let second = kafka.create_topic(TOPIC, 1).await?;
    ensure!(second != first && !second.is_nil(), "{second} again");
    for version in 13..=16 {
        let old = kafka.fetch(version, &fetch(first, 0)).await?;
        expect_code(old.error_code, ErrorCode::UNKNOWN_TOPIC_ID, "the id of the deleted topic")?;
        let new = kafka.fetch(version, &fetch(second, 0)).await?;
        expect_code(new.error_code, ErrorCode::NONE, "the id of the new topic")?;
        ensure!(new.high_watermark == 0, "{new:?}");
    }
    drop(kafka);
    tokio::task::block_in_place(|| {
        stop_cleanly(broker)?;
        scene.verify_clean()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_12_a_leader_epoch_of_minus_one_is_no_epoch() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let kafka = &mut served.kafka;
    kafka.produce(11, TOPIC, batch(&[b"a", b"b"])?).await?;
    let metadata = kafka.call(12, &metadata_request(TOPIC, false)).await?;
    let epoch = metadata.topics[0].partitions[0].leader_epoch;
    ensure!(epoch >= 0, "no epoch");
    // -1 is taken by every version that has one, the present epoch is taken, others are told apart.
    for (sent, expected) in
        [(-1, ErrorCode::NONE), (epoch, ErrorCode::NONE), (epoch + 1, ErrorCode::UNKNOWN_LEADER_EPOCH)]
    {
        for version in ApiKey::Fetch.served().filter(|version| *version >= 9) {
            let mut request = fetch(topic_id, 0).request();
            request.topics[0].partitions[0].current_leader_epoch = sent;
            let response = kafka.call(version, &request).await?;
            expect_code(
                response.responses[0].partitions[0].error_code,
                expected,
                &format!("Fetch {version}"),
            )?;
        }
        for version in ApiKey::ListOffsets.served().filter(|version| *version >= 4) {
            let partition =
                ListOffsetsPartition { current_leader_epoch: sent, timestamp: -1, ..Default::default() };
            let topics = vec![ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition] }];
            let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
            let response = kafka.call(version, &request).await?;
            let answer = &response.topics[0].partitions[0];
            expect_code(answer.error_code, expected, &format!("ListOffsets {version}"))?;
            ensure!(!expected.is_none() || answer.leader_epoch == epoch, "{answer:?}");
        }
        for version in ApiKey::OffsetForLeaderEpoch.served() {
            let asked =
                OffsetForLeaderPartition { partition: 0, current_leader_epoch: sent, leader_epoch: epoch };
            let topics = vec![OffsetForLeaderTopic { topic: TOPIC.into(), partitions: vec![asked] }];
            let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
            let response = kafka.call(version, &request).await?;
            let answer = &response.topics[0].partitions[0];
            expect_code(answer.error_code, expected, &format!("OffsetForLeaderEpoch {version}"))?;
            ensure!(
                !expected.is_none() || (answer.leader_epoch, answer.end_offset) == (epoch, 2),
                "{answer:?}"
            );
        }
    }
    // A client that has read nothing yet knows no last epoch either.
    let mut request = fetch(topic_id, 1).request();
    request.topics[0].partitions[0].last_fetched_epoch = -1;
    let response = kafka.call(16, &request).await?;
    expect_code(response.responses[0].partitions[0].error_code, ErrorCode::NONE, "no last epoch")?;
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_13_the_controller_is_a_broker_of_the_list_and_the_cluster_has_an_id() -> Result<()> {
    let mut served = Served::begin().await?;
    let mut ids = std::collections::BTreeSet::new();
    for version in ApiKey::Metadata.served().filter(|version| *version >= 1) {
        let response = served.kafka.call(version, &MetadataRequest::default()).await?;
        let listed = response.brokers.iter().any(|broker| broker.node_id == response.controller_id);
        ensure!(listed && response.controller_id >= 0, "version {version}: {response:?}");
        if version >= 2 {
            ids.insert(response.cluster_id.context("a cluster id")?);
        }
    }
    for version in ApiKey::DescribeCluster.served() {
        let response = served.kafka.call(version, &DescribeClusterRequest::default()).await?;
        let controller = response.brokers.iter().find(|it| it.broker_id == response.controller_id);
        let controller = controller.with_context(|| format!("no controller in {response:?}"))?;
        // It lives: it answers where it says it does, and takes what only a controller does.
        let mut kafka = KafkaConnection::open(&format!("{}:{}", controller.host, controller.port)).await?;
        kafka.create_topic(&format!("{TOPIC}-{version}"), 1).await?;
        ids.insert(response.cluster_id);
    }
    ensure!(ids.len() == 1 && ids.iter().all(|id| !id.is_empty()), "{ids:?}");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_14_minus_one_is_the_default_in_every_version() -> Result<()> {
    let mut served = Served::begin_with(&["--default-partitions", "3"]).await?;
    for version in ApiKey::CreateTopics.served() {
        for (partitions, replicas, expected) in [(-1, -1, 3), (2, -1, 2), (-1, 1, 3)] {
            let name = format!("{TOPIC}-{version}{partitions}{replicas}");
            let topic = CreatableTopic {
                name: name.clone(),
                num_partitions: partitions,
                replication_factor: replicas,
                ..Default::default()
            };
            let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
            let response = served.kafka.call(version, &request).await?;
            expect_code(response.topics[0].error_code, ErrorCode::NONE, &name)?;
            let metadata = served.kafka.call(12, &metadata_request(&name, false)).await?;
            let found = &metadata.topics[0].partitions;
            ensure!(found.len() == expected, "{name}: {} partitions", found.len());
            ensure!(found.iter().all(|it| it.replica_nodes.len() == 1), "{name}: {found:?}");
        }
    }
    served.end().await
}

/// A batch whose records are these bytes, compressed with Snappy by whoever gave them.
fn snappy_batch(plain: &Bytes, records: &[u8]) -> Result<Bytes> {
    const LENGTH_AT: usize = 8;
    const CRC_AT: usize = 17;
    const ATTRIBUTES_AT: usize = 21;
    const RECORDS_AT: usize = 61;
    let mut batch = [&plain[..RECORDS_AT], records].concat();
    let length = i32::try_from(batch.len() - LENGTH_AT - 4)?;
    batch[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    batch[ATTRIBUTES_AT + 1] = 2;
    let crc = crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    Ok(batch.into())
}

/// Snappy's own format: the length, and literals of up to sixty bytes.
fn raw_snappy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut raw = Vec::new();
    let mut length = bytes.len();
    while length >= 0x80 {
        raw.push(u8::try_from(length & 0x7f)? | 0x80);
        length >>= 7;
    }
    raw.push(u8::try_from(length)?);
    for literal in bytes.chunks(60) {
        raw.push(u8::try_from(literal.len() - 1)? << 2);
        raw.extend(literal);
    }
    Ok(raw)
}

/// The framing of Java's library: a magic word, two versions, and blocks with their lengths.
fn framed_snappy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in bytes.chunks(100) {
        let raw = raw_snappy(block)?;
        framed.extend(u32::try_from(raw.len())?.to_be_bytes());
        framed.extend(raw);
    }
    Ok(framed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_19_snappy_comes_in_two_framings() -> Result<()> {
    let mut served = Served::begin().await?;
    let topic_id = served.kafka.create_topic(TOPIC, 1).await?;
    let values: [&[u8]; 3] = [b"one", &[b'x'; 300], b""];
    let plain = batch(&values)?;
    let records = plain.slice(61..);
    let sent =
        [snappy_batch(&plain, &raw_snappy(&records)?)?, snappy_batch(&plain, &framed_snappy(&records)?)?];
    for version in [3, 7, 11] {
        for records in &sent {
            let result = served.kafka.produce(version, TOPIC, records.clone()).await?;
            expect_code(result.error_code, ErrorCode::NONE, &format!("version {version}"))?;
        }
    }
    // Neither of the two, and a good framing of something else.
    for records in
        [b"\x82SNAPPY\0nonsense".to_vec(), framed_snappy(b"no records")?, raw_snappy(b"no records")?]
    {
        let result = served.kafka.produce(11, TOPIC, snappy_batch(&plain, &records)?).await?;
        ensure!(!result.error_code.is_none(), "{result:?}");
    }
    let data = served.kafka.fetch(16, &fetch(topic_id, 0)).await?;
    let mut rest = data.records.context("records")?;
    let mut batches = 0;
    while let Some(found) = Batch::split_first(&mut rest)? {
        let records: Vec<_> =
            found.records(DecompressLimit { bytes_max: 1 << 20 })?.collect::<Result<_, _>>()?;
        let read: Vec<_> = records.iter().map(|record| record.value.clone().unwrap_or_default()).collect();
        ensure!(read.iter().map(|value| &value[..]).eq(values), "{read:?}");
        batches += 1;
    }
    ensure!(batches == 6, "{batches} batches");
    served.end().await
}
