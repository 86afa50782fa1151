//! Batches for consumers: what there is, or what comes while the client waits. There are no fetch sessions: every request
//! names all its partitions, which the protocol allows by answering with session 0 (KIP-227).

use super::Call;
use crate::{
    ids::Offset,
    listener::kafka::{
        error_code::Coded as _,
        names::{TopicKey, known_epoch, partition},
    },
    metadata::ClusterState,
    replication::{FetchError, Read, ReadRequest},
    service::{FetchOnce, Refusal},
};
use bytes::Bytes;
use cairn_proto::kafka::{
    ErrorCode,
    fetch::{
        EpochEndOffset, FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse,
        PartitionData,
    },
};
use std::time::Duration;

/// Topics are named by their ids since this version.
const BY_ID_SINCE: i16 = 13;
/// Where the logs part can be told since this version.
const DIVERGING_SINCE: i16 = 12;
/// Only committed records are wanted.
const COMMITTED: i8 = 1;

pub(super) async fn handle(call: &Call, request: FetchRequest) -> Result<FetchResponse, Refusal> {
    let broker = &call.shared.broker;
    if request.session_epoch > 0 {
        let error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
        return Ok(FetchResponse { error_code, ..Default::default() });
    }
    let image = broker.cluster(&call.context)?;
    let mut asked = Vec::new();
    let mut partitions = Vec::new();
    for topic in &request.topics {
        for wanted in &topic.partitions {
            let question = question(&image, topic, wanted, call.version);
            partitions.push(question.map(|question| asked.push(question)));
        }
    }
    let wanted = FetchOnce {
        bytes_max: size(request.max_bytes),
        bytes_min: size(request.min_bytes),
        wait_max: wait(call, &request, &partitions),
        partitions: asked,
    };
    let mut reads = broker.fetch_once(&call.context, wanted).await?.into_iter();
    let mut partitions = partitions.into_iter();
    let mut one = |wanted: &FetchPartition| {
        let answer = match partitions.next() {
            Some(Ok(())) => reads.next().ok_or(ErrorCode::UNKNOWN_SERVER_ERROR),
            Some(Err(code)) => Err(code),
            None => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        };
        let data = match answer {
            Ok(read) => answered(wanted.partition, read, call.version),
            Err(code) => failed(wanted.partition, code),
        };
        let aborted_transactions = (request.isolation_level == COMMITTED).then(Vec::new);
        PartitionData { aborted_transactions, ..data }
    };
    let responses = request.topics.iter().map(|topic| FetchableTopicResponse {
        topic: topic.topic.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(&mut one).collect(),
    });
    let response = FetchResponse { responses: responses.collect(), ..Default::default() };
    count(call, &response);
    Ok(response)
}

fn count(call: &Call, response: &FetchResponse) {
    let metrics = call.shared.broker.metrics();
    metrics.fetch_responses.inc();
    for data in response.responses.iter().flat_map(|topic| &topic.partitions) {
        let bytes = data.records.as_ref().map_or(0, Bytes::len);
        metrics.fetch_bytes.inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
        if let Some(name) = data.error_code.name().filter(|_| !data.error_code.is_none()) {
            metrics.count_error("fetch", name);
        }
    }
}

/// Negative numbers are no bytes.
fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

/// What is refused is told at once. Nobody waits for longer than a silent connection is kept.
fn wait(call: &Call, request: &FetchRequest, partitions: &[Result<(), ErrorCode>]) -> Duration {
    if partitions.iter().any(Result::is_err) {
        return Duration::ZERO;
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    wait.min(call.shared.options.idle_timeout)
}

fn question(
    image: &ClusterState,
    topic: &FetchTopic,
    wanted: &FetchPartition,
    version: i16,
) -> Result<ReadRequest, ErrorCode> {
    let key = match version >= BY_ID_SINCE {
        true => TopicKey::Id(topic.topic_id),
        false => TopicKey::Name(&topic.topic),
    };
    let topic = key.find(image)?;
    if wanted.fetch_offset < 0 {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    Ok(ReadRequest {
        partition: partition(topic, wanted.partition)?,
        offset: Offset(wanted.fetch_offset),
        leader_epoch: known_epoch(wanted.current_leader_epoch),
        last_epoch: known_epoch(wanted.last_fetched_epoch),
        bytes_max: size(wanted.partition_max_bytes).max(1),
    })
}

fn answered(partition_index: i32, outcome: Result<Read, FetchError>, version: i16) -> PartitionData {
    match outcome {
        Ok(read) => PartitionData {
            error_code: ErrorCode::NONE,
            high_watermark: read.high_watermark.get(),
            last_stable_offset: read.last_stable_offset.get(),
            log_start_offset: read.log_start.get(),
            records: Some(read.batches),
            ..failed(partition_index, ErrorCode::NONE)
        },
        Err(FetchError::Truncated { epoch, end }) if version >= DIVERGING_SINCE => PartitionData {
            diverging_epoch: EpochEndOffset { epoch: epoch.get(), end_offset: end.get() },
            ..failed(partition_index, ErrorCode::NONE)
        },
        Err(error) => failed(partition_index, error.code()),
    }
}

/// An answer that knows nothing but its error. Its records are none, and not null, which some clients do not expect.
fn failed(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        records: Some(Bytes::new()),
        ..Default::default()
    }
}
