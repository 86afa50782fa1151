//! Records that are to go: everything before an offset, or everything there is.

use super::Call;
use crate::{
    ids::{Offset, PartitionIndex},
    listener::kafka::error_code::Coded as _,
    service::{Deletion, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    delete_records::{
        DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
        DeleteRecordsTopicResult,
    },
};

/// How the protocol writes "the high watermark", and "there is no answer".
const HIGH_WATERMARK: i64 = -1;
const UNKNOWN: i64 = -1;

pub(super) async fn handle(call: &Call, request: DeleteRecordsRequest) -> Result<DeleteRecordsResponse, Refusal> {
    let broker = &call.shared.broker;
    let context = call.until(request.timeout_ms);
    let places = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let mut deletions = Vec::with_capacity(places);
    broker.check_places(places)?;
    // Those that cannot be understood are answered in their place; the others are done together.
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let understood = |wanted: &DeleteRecordsPartition| {
            let deletion = deletion(&topic.name, wanted).map(|deletion| deletions.push(deletion));
            (wanted.partition_index, deletion)
        };
        let partitions: Vec<_> = topic.partitions.iter().map(understood).collect();
        topics.push((topic.name, partitions));
    }
    let mut outcomes = broker.delete_records(&context, deletions).await?.into_iter();
    let mut told = |(partition_index, understood): (i32, Result<(), ErrorCode>)| {
        let outcome = understood.and_then(|()| match outcomes.next() {
            Some(outcome) => outcome.map_err(|error| error.code()),
            None => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        });
        let (low_watermark, error_code) = match outcome {
            Ok(start) => (start.get(), ErrorCode::NONE),
            Err(error_code) => (UNKNOWN, error_code),
        };
        DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
    };
    let topics = topics.into_iter().map(|(name, partitions)| DeleteRecordsTopicResult {
        name,
        partitions: partitions.into_iter().map(&mut told).collect(),
    });
    Ok(DeleteRecordsResponse { topics: topics.collect(), ..Default::default() })
}

fn deletion(topic: &str, wanted: &DeleteRecordsPartition) -> Result<Deletion, ErrorCode> {
    let index = u32::try_from(wanted.partition_index);
    let partition = index.map_err(|_negative| ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let before = match wanted.offset {
        HIGH_WATERMARK => None,
        offset => Some(Offset(offset)),
    };
    Ok(Deletion { topic: topic.to_owned(), partition: PartitionIndex(partition), before })
}
