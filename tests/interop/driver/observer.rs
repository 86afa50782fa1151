//! Sees from the side what the clients have done: the raw client asks the broker, and decodes what it stores.

use super::records::Record;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_proto::{
    kafka::{
        ErrorCode, Request,
        api_versions::ApiVersionsRequest,
        describe_groups::{DescribeGroupsRequest, DescribedGroup},
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic},
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
    record::{Batch, BatchBuilder, BatchOptions, Compression, DecompressLimit},
};
use cairn_tests::kafka::{Fetch, KafkaConnection, expect_code, metadata_request};
use tokio::runtime::Runtime;
use uuid::Uuid;

const BYTES_MAX: usize = 64 << 20;
/// Asks for the end.
const LATEST: i64 = -1;

/// What a batch says of itself, beside its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) compression: Compression,
    /// -1 if its producer does not number its batches.
    pub(crate) producer_id: i64,
}

/// A connection, used from a plain thread.
pub(crate) struct Observer {
    runtime: Runtime,
    kafka: KafkaConnection,
}

impl Observer {
    pub(crate) fn connect(address: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let kafka = runtime.block_on(KafkaConnection::open(address))?;
        let mut observer = Self { runtime, kafka };
        // Who says nothing at first is not kept.
        observer.call(0, &ApiVersionsRequest::default())?;
        Ok(observer)
    }

    fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.runtime.block_on(self.kafka.call(version, request))
    }

    pub(crate) fn create_topic(&mut self, name: &str, partitions: i32) -> Result<()> {
        self.runtime.block_on(self.kafka.create_topic(name, partitions))?;
        Ok(())
    }

    /// How many partitions a topic has; `None` if there is no such topic.
    pub(crate) fn partitions(&mut self, topic: &str) -> Result<Option<usize>> {
        let response = self.call(9, &metadata_request(topic, false))?;
        let found = response.topics.first().context("a topic")?;
        Ok(found.error_code.is_none().then_some(found.partitions.len()))
    }

    /// One record each for these partitions, acknowledged.
    pub(crate) fn produce(&mut self, topic: &str, values: &[(i32, String)]) -> Result<()> {
        let batch = |(index, value): &(i32, String)| {
            let mut builder = BatchBuilder::new(BatchOptions::default());
            builder.append(0, None, Some(value.as_bytes()), &[])?;
            Ok(PartitionProduceData { index: *index, records: Some(builder.finish()?) })
        };
        let partition_data = values.iter().map(batch).collect::<Result<_>>()?;
        let topic_data = vec![TopicProduceData { name: topic.into(), partition_data }];
        let response =
            self.call(9, &ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() })?;
        for partition in response.responses.iter().flat_map(|topic| &topic.partition_responses) {
            expect_code(partition.error_code, ErrorCode::NONE, topic)?;
        }
        Ok(())
    }

    /// The offset behind the last record.
    pub(crate) fn end(&mut self, topic: &str, partition: i32) -> Result<i64> {
        let partitions = vec![ListOffsetsPartition {
            partition_index: partition,
            timestamp: LATEST,
            ..Default::default()
        }];
        let topics = vec![ListOffsetsTopic { name: topic.into(), partitions }];
        let response = self.call(5, &ListOffsetsRequest { replica_id: -1, topics, ..Default::default() })?;
        let found =
            response.topics.first().and_then(|topic| topic.partitions.first()).context("a partition")?;
        expect_code(found.error_code, ErrorCode::NONE, topic)?;
        Ok(found.offset)
    }

    /// What a partition holds from an offset on.
    pub(crate) fn read(&mut self, topic: &str, partition: i32, from: i64) -> Result<Vec<(Record, Stored)>> {
        let end = self.end(topic, partition)?;
        let mut read = Vec::new();
        let mut offset = from;
        while offset < end {
            let mut bytes = self.fetch(topic, partition, offset)?;
            while let Some(batch) = Batch::split_first(&mut bytes)? {
                offset = batch.header().next_offset();
                read.extend(records_of(&batch, partition)?);
            }
        }
        Ok(read)
    }

    fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> Result<Bytes> {
        let fetch = Fetch {
            topic,
            topic_id: Uuid::nil(),
            offset,
            min_bytes: 1,
            max_wait_ms: 1000,
            max_bytes: 8 << 20,
        };
        let mut request = fetch.request();
        request.topics[0].partitions[0].partition = partition;
        let response = self.call(12, &request)?;
        let found = response.responses.into_iter().next().context("a topic")?;
        let found = found.partitions.into_iter().next().context("a partition")?;
        expect_code(found.error_code, ErrorCode::NONE, topic)?;
        found.records.filter(|records| !records.is_empty()).context("records below the end")
    }

    pub(crate) fn commit(&mut self, group: &str, topic: &str, offset: i64) -> Result<()> {
        let partitions =
            vec![OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() }];
        let topics = vec![OffsetCommitRequestTopic { name: topic.into(), partitions }];
        let response =
            self.call(8, &OffsetCommitRequest { group_id: group.into(), topics, ..Default::default() })?;
        let found =
            response.topics.first().and_then(|topic| topic.partitions.first()).context("a partition")?;
        expect_code(found.error_code, ErrorCode::NONE, group)
    }

    /// The next offset of a partition for a group; -1 if it has committed none.
    pub(crate) fn committed(&mut self, group: &str, topic: &str, partition: i32) -> Result<i64> {
        let topics =
            Some(vec![OffsetFetchRequestTopic { name: topic.into(), partition_indexes: vec![partition] }]);
        let response =
            self.call(7, &OffsetFetchRequest { group_id: group.into(), topics, ..Default::default() })?;
        expect_code(response.error_code, ErrorCode::NONE, group)?;
        let found =
            response.topics.first().and_then(|topic| topic.partitions.first()).context("a partition")?;
        expect_code(found.error_code, ErrorCode::NONE, group)?;
        Ok(found.committed_offset)
    }

    pub(crate) fn group(&mut self, group: &str) -> Result<DescribedGroup> {
        let response =
            self.call(5, &DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() })?;
        let found = response.groups.into_iter().next().context("a group")?;
        ensure!(found.group_id == group, "{found:?}");
        Ok(found)
    }
}

fn records_of(batch: &Batch, partition: i32) -> Result<Vec<(Record, Stored)>> {
    batch.check_crc()?;
    let header = batch.header();
    let stored = Stored { compression: header.compression()?, producer_id: header.producer_id };
    let records = batch.records(DecompressLimit { bytes_max: BYTES_MAX })?;
    let bytes = |data: Option<Bytes>| data.map(|data| data.to_vec());
    let converted = |record: cairn_proto::record::Record| {
        let header =
            |header: cairn_proto::record::Header| Ok((header.key_str()?.to_owned(), bytes(header.value)));
        let headers = record.headers.iter().map(header).collect::<Result<_>>()?;
        let (key, value) = (bytes(record.key), bytes(record.value));
        Ok((Record { partition, offset: record.offset, key, value, headers }, stored))
    };
    records.map(|record| converted(record?)).collect()
}
