//! Batches for consumers: what there is, or what comes while the client waits. Which partitions those are, a session may
//! know.

use super::Call;
use crate::{
    ids::Offset,
    listener::kafka::{
        error_code::Coded as _,
        fetch_sessions::Entry,
        names::{TopicKey, known_epoch, partition},
    },
    metadata::ClusterState,
    replication::{FetchError, Read, ReadRequest},
    service::{FetchOnce, Refusal},
};
use bytes::Bytes;
use cairn_proto::kafka::{
    ErrorCode,
    fetch::{EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData},
};
use std::time::Duration;

/// Topics are named by their ids since this version.
const BY_ID_SINCE: i16 = 13;
/// Where the logs part can be told since this version.
const DIVERGING_SINCE: i16 = 12;
/// Only committed records are wanted.
const COMMITTED: i8 = 1;

pub(super) async fn handle(call: &Call, request: FetchRequest) -> Result<FetchResponse, Refusal> {
    let sessions = &call.shared.fetch_sessions;
    let by_id = call.version >= BY_ID_SINCE;
    let fetching = match sessions.begin(&request, by_id) {
        Ok(fetching) => fetching,
        Err(error_code) => return Ok(FetchResponse { error_code, ..Default::default() }),
    };
    let answers = read(call, &request, &fetching.entries).await?;
    let now = call.shared.broker.clock().now();
    let (session_id, told) = sessions.finish(fetching, answers, by_id, now);
    let response = FetchResponse { session_id, responses: by_topic(told), ..Default::default() };
    count(call, &response);
    Ok(response)
}

/// An answer for each of the partitions.
async fn read(call: &Call, request: &FetchRequest, entries: &[Entry]) -> Result<Vec<PartitionData>, Refusal> {
    let broker = &call.shared.broker;
    let image = broker.cluster(&call.context)?;
    let mut asked = Vec::with_capacity(entries.len());
    let understood: Vec<Result<(), ErrorCode>> = entries
        .iter()
        .map(|entry| question(&image, entry, call.version).map(|question| asked.push(question)))
        .collect();
    let wanted = FetchOnce {
        bytes_max: size(request.max_bytes),
        bytes_min: size(request.min_bytes),
        wait_max: wait(call, request, &understood),
        partitions: asked,
    };
    let mut reads = broker.fetch_once(&call.context, wanted).await?.into_iter();
    let committed = request.isolation_level == COMMITTED;
    let one = |(entry, understood): (&Entry, Result<(), ErrorCode>)| {
        let index = entry.wanted.partition;
        let read = understood.and_then(|()| reads.next().ok_or(ErrorCode::UNKNOWN_SERVER_ERROR));
        let data = match read {
            Ok(read) => answered(index, read, call.version),
            Err(code) => failed(index, code),
        };
        PartitionData { aborted_transactions: committed.then(Vec::new), ..data }
    };
    Ok(entries.iter().zip(understood).map(one).collect())
}

/// Neighbours of one topic stand together.
fn by_topic(told: Vec<(Entry, PartitionData)>) -> Vec<FetchableTopicResponse> {
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    for (Entry { topic, topic_id, .. }, data) in told {
        match topics.last_mut() {
            Some(last) if last.topic == topic && last.topic_id == topic_id => last.partitions.push(data),
            _ => topics.push(FetchableTopicResponse { topic, topic_id, partitions: vec![data] }),
        }
    }
    topics
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

fn question(image: &ClusterState, entry: &Entry, version: i16) -> Result<ReadRequest, ErrorCode> {
    let wanted = &entry.wanted;
    let key = match version >= BY_ID_SINCE {
        true => TopicKey::Id(entry.topic_id),
        false => TopicKey::Name(&entry.topic),
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
