//! Partitions added, emptied, measured and described.

use super::{Served, batch};
use anyhow::{Context as _, Result, ensure};
use cairn_client::Client;
use cairn_proto::{
    kafka::{
        ApiKey, ErrorCode,
        create_partitions::{CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic},
        delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic},
        describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse},
        describe_producers::{DescribeProducersRequest, PartitionResponse, TopicRequest as ProducersOf},
        describe_topic_partitions::{
            Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicRequest,
        },
        init_producer_id::InitProducerIdRequest,
    },
    record::BatchOptions,
};
use cairn_tests::{
    kafka::{Fetch, KafkaConnection, expect_code, metadata_request},
    wire,
};
use std::time::{SystemTime, UNIX_EPOCH};

const TOPIC: &str = "parted";

async fn partitions_of(kafka: &mut KafkaConnection, topic: &str) -> Result<usize> {
    let response = kafka.call(12, &metadata_request(topic, false)).await?;
    Ok(response.topics.first().context("a topic")?.partitions.len())
}

fn more(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic { name: name.into(), count, assignments: None }
}

fn assigned(name: &str, count: i32, rows: &[&[i32]]) -> CreatePartitionsTopic {
    let row = |brokers: &&[i32]| CreatePartitionsAssignment { broker_ids: brokers.to_vec() };
    CreatePartitionsTopic { assignments: Some(rows.iter().map(row).collect()), ..more(name, count) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_added_and_every_topic_is_answered() -> Result<()> {
    let mut served = Served::begin().await?;
    let kafka = &mut served.kafka;
    for version in ApiKey::CreatePartitions.served() {
        let topic = format!("{TOPIC}-{version}");
        kafka.create_topic(&topic, 2).await?;
        for (asked, validate_only, expected, then) in [
            (more(&topic, 3), true, ErrorCode::NONE, 2),
            (more(&topic, 3), false, ErrorCode::NONE, 3),
            (more(&topic, 3), false, ErrorCode::INVALID_PARTITIONS, 3),
            (more(&topic, 2), false, ErrorCode::INVALID_PARTITIONS, 3),
            (more(&topic, 0), true, ErrorCode::INVALID_PARTITIONS, 3),
            (more(&topic, -1), false, ErrorCode::INVALID_PARTITIONS, 3),
            (more(&topic, i32::MAX), false, ErrorCode::INVALID_PARTITIONS, 3),
            (more("absent", 3), false, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 3),
            (assigned(&topic, 5, &[&[1]]), false, ErrorCode::INVALID_REPLICA_ASSIGNMENT, 3),
            (assigned(&topic, 4, &[&[2]]), false, ErrorCode::INVALID_REPLICA_ASSIGNMENT, 3),
            (assigned(&topic, 4, &[&[1, 2]]), false, ErrorCode::INVALID_REPLICA_ASSIGNMENT, 3),
            (assigned(&topic, 5, &[&[1], &[1]]), false, ErrorCode::NONE, 5),
        ] {
            let name = asked.name.clone();
            let what = format!("{asked:?}, version {version}");
            let request = CreatePartitionsRequest { topics: vec![asked], timeout_ms: 10_000, validate_only };
            let response = kafka.call(version, &request).await?;
            let [result] = response.results.as_slice() else { anyhow::bail!("{what}: {response:?}") };
            expect_code(result.error_code, expected, &what)?;
            ensure!(result.name == name, "{result:?}");
            ensure!(result.error_message.is_some() != expected.is_none(), "{result:?}");
            ensure!(partitions_of(kafka, &topic).await? == then, "{what}");
        }
        let topics = vec![more(&topic, 8), more("absent", 3), more(&topic, 9)];
        let request = CreatePartitionsRequest { topics, timeout_ms: 10_000, validate_only: false };
        let response = kafka.call(version, &request).await?;
        let codes: Vec<_> = response.results.iter().map(|it| (it.name.as_str(), it.error_code)).collect();
        let twice = (topic.as_str(), ErrorCode::INVALID_REQUEST);
        ensure!(codes == [twice, ("absent", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), twice], "{codes:?}");
        // What is added can be written to.
        let mut produce = cairn_tests::kafka::produce_request(&topic, -1, batch(&[b"x"])?);
        produce.topic_data[0].partition_data[0].index = 4;
        let response = kafka.call(11, &produce).await?;
        expect_code(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE, "the fifth")?;
    }
    served.end().await
}

async fn delete_records(
    kafka: &mut KafkaConnection,
    version: i16,
    (topic, partition, offset): (&str, i32, i64),
) -> Result<(ErrorCode, i64)> {
    let partitions = vec![DeleteRecordsPartition { partition_index: partition, offset }];
    let topics = vec![DeleteRecordsTopic { name: topic.into(), partitions }];
    let response = kafka.call(version, &DeleteRecordsRequest { topics, timeout_ms: 10_000 }).await?;
    let topic = response.topics.first().context("a topic")?;
    let result = topic.partitions.first().context("a partition")?;
    ensure!(result.partition_index == partition, "{result:?}");
    Ok((result.error_code, result.low_watermark))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_deleted_up_to_an_offset_or_all_of_them() -> Result<()> {
    let mut served = Served::begin().await?;
    for version in ApiKey::DeleteRecords.served() {
        let topic = format!("{TOPIC}-{version}");
        let topic_id = served.kafka.create_topic(&topic, 2).await?;
        for _ in 0..5 {
            served.kafka.produce(11, &topic, batch(&[b"a", b"b"])?).await?;
        }
        for (partition, offset, expected) in [
            (0, 3, Ok(3)),
            // What lies before the start already is a success, and the start stays.
            (0, 1, Ok(3)),
            (0, 11, Err(ErrorCode::OFFSET_OUT_OF_RANGE)),
            (0, -2, Err(ErrorCode::OFFSET_OUT_OF_RANGE)),
            (0, i64::MAX, Err(ErrorCode::OFFSET_OUT_OF_RANGE)),
            (1, -1, Ok(0)),
            (2, 0, Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
            (-1, 0, Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
        ] {
            let (code, start) =
                delete_records(&mut served.kafka, version, (&topic, partition, offset)).await?;
            let found = if code.is_none() { Ok(start) } else { Err(code) };
            ensure!(found == expected, "partition {partition}, before {offset}: {found:?}, not {expected:?}");
            ensure!(code.is_none() || start == -1, "{start} with an error");
        }
        let absent = delete_records(&mut served.kafka, version, ("absent", 0, 0)).await?;
        ensure!(absent == (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1), "{absent:?}");
        let mut fetch =
            Fetch { topic: &topic, topic_id, offset: 2, min_bytes: 0, max_wait_ms: 0, max_bytes: 1 << 20 };
        let data = served.kafka.fetch(16, &fetch).await?;
        expect_code(data.error_code, ErrorCode::OFFSET_OUT_OF_RANGE, "a deleted record")?;
        ensure!(data.log_start_offset == 3 || data.log_start_offset == -1, "{data:?}");
        fetch.offset = 3;
        let data = served.kafka.fetch(16, &fetch).await?;
        expect_code(data.error_code, ErrorCode::NONE, "the first that is kept")?;
        // -1 is everything that there is.
        let all = delete_records(&mut served.kafka, version, (&topic, 0, -1)).await?;
        ensure!(all == (ErrorCode::NONE, 10), "{all:?}");
        let of_grpc =
            Client::connect(served.broker.grpc_address()).await?.admin().describe_topic(&topic).await?;
        ensure!(of_grpc.partitions[0].log_start_offset == Some(10), "{:?}", of_grpc.partitions[0]);
        served.kafka.produce(11, &topic, batch(&[b"again"])?).await?;
    }
    // Many at a time, each answered in its place.
    let topics = (0..3).map(|version| DeleteRecordsTopic {
        name: format!("{TOPIC}-{version}"),
        partitions: (0..3)
            .map(|index| DeleteRecordsPartition { partition_index: index, offset: -1 })
            .collect(),
    });
    let request = DeleteRecordsRequest { topics: topics.collect(), timeout_ms: 10_000 };
    let response = served.kafka.call(2, &request).await?;
    for topic in &response.topics {
        let found: Vec<_> = topic.partitions.iter().map(|it| (it.error_code, it.low_watermark)).collect();
        let unknown = (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1);
        ensure!(found == [(ErrorCode::NONE, 11), (ErrorCode::NONE, 0), unknown], "{topic:?}");
    }
    served.end().await
}

async fn log_dirs(
    kafka: &mut KafkaConnection,
    version: i16,
    topics: Option<Vec<DescribableLogDirTopic>>,
) -> Result<DescribeLogDirsResponse> {
    let response = kafka.call(version, &DescribeLogDirsRequest { topics }).await?;
    expect_code(response.error_code, ErrorCode::NONE, "DescribeLogDirs")?;
    ensure!(response.results.len() == 1, "{response:?}");
    Ok(response)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_directory_is_measured() -> Result<()> {
    let mut served = Served::begin().await?;
    served.kafka.create_topic(TOPIC, 3).await?;
    served.kafka.create_topic("empty", 1).await?;
    let mut sent = 0;
    for _ in 0..4 {
        let records = batch(&[&[7; 10_000]])?;
        sent += i64::try_from(records.len())?;
        served.kafka.produce(11, TOPIC, records).await?;
    }
    for version in ApiKey::DescribeLogDirs.served() {
        let response = log_dirs(&mut served.kafka, version, None).await?;
        let directory = &response.results[0];
        expect_code(directory.error_code, ErrorCode::NONE, "the directory")?;
        ensure!(directory.log_dir == served.scene.data().display().to_string(), "{directory:?}");
        if version >= 4 {
            let (total, usable) = (directory.total_bytes, directory.usable_bytes);
            ensure!(usable > 0 && total >= usable, "{usable} of {total} bytes");
        }
        let sizes: Vec<_> = directory
            .topics
            .iter()
            .flat_map(|topic| {
                topic.partitions.iter().map(|it| (topic.name.as_str(), it.partition_index, it.partition_size))
            })
            .collect();
        let expected = [("empty", 0, 0), (TOPIC, 0, sent), (TOPIC, 1, 0), (TOPIC, 2, 0)];
        ensure!(sizes == expected, "{sizes:?}, not {expected:?}");
        let mut lags = directory.topics.iter().flat_map(|topic| &topic.partitions);
        ensure!(lags.all(|it| it.offset_lag == 0 && !it.is_future_key), "{directory:?}");

        let some = vec![
            DescribableLogDirTopic { topic: TOPIC.into(), partitions: vec![1, 9, -1] },
            DescribableLogDirTopic { topic: "absent".into(), partitions: vec![0] },
            DescribableLogDirTopic { topic: "empty".into(), partitions: Vec::new() },
        ];
        let response = log_dirs(&mut served.kafka, version, Some(some)).await?;
        let found = &response.results[0].topics;
        ensure!(found.len() == 1 && found[0].partitions.len() == 1, "{found:?}");
        ensure!(found[0].name == TOPIC && found[0].partitions[0].partition_index == 1, "{found:?}");
        let response = log_dirs(&mut served.kafka, version, Some(Vec::new())).await?;
        ensure!(response.results[0].topics.is_empty(), "{response:?}");
    }
    served.end().await
}

/// A topic, and its partitions on a page.
type Described = (String, Vec<i32>);

/// Names with the partitions on a page, and where the next one begins.
fn shape(response: &DescribeTopicPartitionsResponse) -> (Vec<Described>, Option<(String, i32)>) {
    let topics = response.topics.iter().map(|topic| {
        let indexes = topic.partitions.iter().map(|it| it.partition_index).collect();
        (topic.name.clone().unwrap_or_default(), indexes)
    });
    let next = response.next_cursor.as_ref().map(|it| (it.topic_name.clone(), it.partition_index));
    (topics.collect(), next)
}

fn describing(names: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> DescribeTopicPartitionsRequest {
    let cursor =
        cursor.map(|(topic_name, partition_index)| Cursor { topic_name: topic_name.into(), partition_index });
    let topics = names.iter().map(|name| TopicRequest { name: (*name).into() }).collect();
    DescribeTopicPartitionsRequest { topics, response_partition_limit: limit, cursor }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_described_a_page_at_a_time() -> Result<()> {
    let mut served = Served::begin().await?;
    let kafka = &mut served.kafka;
    let id = kafka.create_topic("b", 5).await?;
    kafka.create_topic("a", 2).await?;
    kafka.create_topic("c", 1).await?;
    let all = kafka.call(0, &describing(&[], 2000, None)).await?;
    let (topics, next) = shape(&all);
    ensure!(
        topics == [("a".into(), vec![0, 1]), ("b".into(), (0..5).collect()), ("c".into(), vec![0])],
        "{topics:?}"
    );
    ensure!(next.is_none(), "{next:?}");
    let of_b = &all.topics[1];
    ensure!(of_b.topic_id == id && !of_b.is_internal && of_b.topic_authorized_operations > 0, "{of_b:?}");
    for partition in &of_b.partitions {
        let replicas = (partition.leader_id, &partition.replica_nodes[..], &partition.isr_nodes[..]);
        ensure!(replicas == (1, &[1][..], &[1][..]) && partition.leader_epoch >= 0, "{partition:?}");
        ensure!(partition.eligible_leader_replicas == Some(Vec::new()), "{partition:?}");
        ensure!(partition.offline_replicas.is_empty(), "{partition:?}");
    }

    // Page by page it is the same, whatever the size of a page.
    for limit in [-1, 0, 1, 2, 3, 7, 8] {
        let (mut pages, mut cursor, mut seen) = (0, None::<(String, i32)>, Vec::new());
        loop {
            let begin = cursor.as_ref().map(|(topic, index)| (topic.as_str(), *index));
            let response = kafka.call(0, &describing(&[], limit, begin)).await?;
            let (topics, next) = shape(&response);
            let count: usize = topics.iter().map(|(_, indexes)| indexes.len()).sum();
            ensure!(count <= usize::try_from(limit.max(1))?, "{count} partitions, the limit is {limit}");
            seen.extend(
                topics
                    .into_iter()
                    .flat_map(|(name, indexes)| indexes.into_iter().map(move |it| (name.clone(), it))),
            );
            pages += 1;
            ensure!(pages < 20, "it does not end");
            let Some(next) = next else { break };
            cursor = Some(next);
        }
        let expected: Vec<_> = [("a", 2), ("b", 5), ("c", 1)]
            .into_iter()
            .flat_map(|(name, count)| (0..count).map(move |index| (name.to_owned(), index)))
            .collect();
        ensure!(seen == expected, "limit {limit}: {seen:?}");
    }

    let named = kafka.call(0, &describing(&["c", "absent", "no name", "a", "c"], 2000, None)).await?;
    let codes: Vec<_> =
        named.topics.iter().map(|it| (it.name.as_deref().unwrap_or(""), it.error_code)).collect();
    let expected = [
        ("a", ErrorCode::NONE),
        ("absent", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ("c", ErrorCode::NONE),
        ("no name", ErrorCode::INVALID_TOPIC_EXCEPTION),
    ];
    ensure!(codes == expected, "{codes:?}");
    let (topics, _) = shape(&kafka.call(0, &describing(&["a", "b"], 2000, Some(("b", 3)))).await?);
    ensure!(topics == [("b".into(), vec![3, 4])], "{topics:?}");
    // A cursor may stand on what is gone.
    let (topics, _) = shape(&kafka.call(0, &describing(&[], 2000, Some(("bb", 3)))).await?);
    ensure!(topics == [("c".into(), vec![0])], "{topics:?}");
    for names in [&["a"][..], &[]] {
        let refused = kafka.call(0, &describing(names, 2000, Some(("a", -1)))).await?;
        ensure!(refused.topics.len() == 1 && refused.next_cursor.is_none(), "{refused:?}");
        expect_code(refused.topics[0].error_code, ErrorCode::INVALID_REQUEST, "a cursor at -1")?;
    }
    served.end().await
}

async fn producers(kafka: &mut KafkaConnection, topic: &str, index: i32) -> Result<PartitionResponse> {
    let topics = vec![ProducersOf { name: topic.into(), partition_indexes: vec![index] }];
    let response = kafka.call(0, &DescribeProducersRequest { topics }).await?;
    let topic = response.topics.into_iter().next().context("a topic")?;
    topic.partitions.into_iter().next().context("a partition")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn producers_are_described_as_the_partition_remembers_them() -> Result<()> {
    let mut served = Served::begin().await?;
    let kafka = &mut served.kafka;
    kafka.create_topic(TOPIC, 2).await?;
    kafka.produce(11, TOPIC, batch(&[b"of nobody"])?).await?;
    let none = producers(kafka, TOPIC, 0).await?;
    ensure!(none.error_code.is_none() && none.active_producers.is_empty(), "{none:?}");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(kafka.call(5, &InitProducerIdRequest::default()).await?.producer_id);
    }
    let now = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis());
    let before = now()?;
    for (id, epoch, sequence) in [(ids[0], 0, 0), (ids[0], 0, 2), (ids[2], 0, 0), (ids[2], 3, 0)] {
        let options = BatchOptions {
            producer_id: id,
            producer_epoch: epoch,
            base_sequence: sequence,
            ..BatchOptions::default()
        };
        let result = kafka.produce(11, TOPIC, wire::batch(options, &[b"1", b"2"])?.into()).await?;
        expect_code(result.error_code, ErrorCode::NONE, "Produce")?;
    }
    let found = producers(kafka, TOPIC, 0).await?;
    let told: Vec<_> = found
        .active_producers
        .iter()
        .map(|it| (it.producer_id, it.producer_epoch, it.last_sequence))
        .collect();
    ensure!(told == [(ids[0], 0, 3), (ids[2], 3, 1)], "{told:?}");
    for one in &found.active_producers {
        ensure!((before..=now()?).contains(&one.last_timestamp), "{one:?}");
        ensure!((one.coordinator_epoch, one.current_txn_start_offset) == (-1, -1), "{one:?}");
    }
    for (topic, index) in [("absent", 0), (TOPIC, 2), (TOPIC, -1)] {
        let unknown = producers(kafka, topic, index).await?;
        expect_code(unknown.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, topic)?;
        ensure!(unknown.error_message.is_some() && unknown.partition_index == index, "{unknown:?}");
    }
    // Asked for again and again, answered once.
    let topics = vec![ProducersOf { name: TOPIC.into(), partition_indexes: vec![0; 9000] }; 2];
    let response = kafka.call(0, &DescribeProducersRequest { topics }).await?;
    ensure!(response.topics.len() == 1 && response.topics[0].partitions.len() == 1, "answered often");
    served.end().await
}
