//! Offsets by time, and the ends of partitions.

use super::Call;
use crate::{
    listener::kafka::{
        error_code::Coded as _,
        names::{NONE, TopicKey, known_epoch, partition},
    },
    metadata::ClusterState,
    replication::{FetchError, OffsetAnswer, OffsetQuery},
    service::{OffsetRequest, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    list_offsets::{
        ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
        ListOffsetsTopicResponse,
    },
};

/// Asks for the last offset that lies in remote storage, since this version. None does.
const LATEST_ELSEWHERE: i64 = -5;
const ELSEWHERE_SINCE: i16 = 9;

type Answer = Result<OffsetAnswer, FetchError>;

pub(super) async fn handle(call: &Call, request: ListOffsetsRequest) -> Result<ListOffsetsResponse, Refusal> {
    let broker = &call.shared.broker;
    let image = broker.cluster(&call.context)?;
    // Those that cannot be understood are answered in their place; the others are asked together.
    let mut asked = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let understood = |wanted: &ListOffsetsPartition| {
            let query = question(&image, &topic.name, wanted, call.version);
            let outcome = query.map(|query| asked.push(query));
            (wanted.partition_index, outcome)
        };
        let partitions: Vec<_> = topic.partitions.iter().map(understood).collect();
        topics.push((topic.name, partitions));
    }
    let answers = broker.list_offsets(&call.context, asked).await;
    let (mut answers, refused) = match answers {
        Ok(answers) => (answers.into_iter(), ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(error) => (Vec::new().into_iter(), error.code()),
    };
    let mut answer = |(partition_index, outcome): (i32, Result<(), ErrorCode>)| match outcome {
        Ok(()) => match answers.next() {
            Some(answer) => answered(partition_index, answer),
            None => failed(partition_index, refused),
        },
        Err(error_code) => failed(partition_index, error_code),
    };
    let topics = topics.into_iter().map(|(name, partitions)| ListOffsetsTopicResponse {
        name,
        partitions: partitions.into_iter().map(&mut answer).collect(),
    });
    Ok(ListOffsetsResponse { topics: topics.collect(), ..Default::default() })
}

fn question(
    image: &ClusterState,
    topic: &str,
    wanted: &ListOffsetsPartition,
    version: i16,
) -> Result<OffsetRequest, ErrorCode> {
    let topic = TopicKey::Name(topic).find(image)?;
    let partition = partition(topic, wanted.partition_index)?;
    if wanted.timestamp == LATEST_ELSEWHERE && version >= ELSEWHERE_SINCE {
        // No error, and no offset.
        return Err(ErrorCode::NONE);
    }
    Ok(OffsetRequest {
        partition,
        leader_epoch: known_epoch(wanted.current_leader_epoch),
        query: query(wanted.timestamp, version).ok_or(ErrorCode::UNSUPPORTED_VERSION)?,
    })
}

/// What a number stands for; below 0 they have meanings of their own, each since a version.
fn query(timestamp: i64, version: i16) -> Option<OffsetQuery> {
    match timestamp {
        0.. => Some(OffsetQuery::Timestamp(timestamp)),
        -1 => Some(OffsetQuery::Latest),
        -2 => Some(OffsetQuery::Earliest),
        -3 if version >= 7 => Some(OffsetQuery::MaxTimestamp),
        // The first that lies on this broker: all do.
        -4 if version >= 8 => Some(OffsetQuery::Earliest),
        _ => None,
    }
}

fn answered(partition_index: i32, answer: Answer) -> ListOffsetsPartitionResponse {
    match answer {
        Ok(answer) => ListOffsetsPartitionResponse {
            partition_index,
            error_code: ErrorCode::NONE,
            timestamp: answer.timestamp_ms.unwrap_or(-1),
            offset: answer.offset.map_or(-1, |offset| offset.get()),
            leader_epoch: answer.leader_epoch.map_or(NONE, |epoch| epoch.get()),
        },
        Err(error) => failed(partition_index, error.code()),
    }
}

fn failed(partition_index: i32, error_code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse { partition_index, error_code, ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_zero_have_meanings() {
        assert_eq!(query(-1, 1), Some(OffsetQuery::Latest));
        assert_eq!(query(-2, 1), Some(OffsetQuery::Earliest));
        assert_eq!((query(-3, 6), query(-3, 7)), (None, Some(OffsetQuery::MaxTimestamp)));
        assert_eq!((query(-4, 7), query(-4, 8)), (None, Some(OffsetQuery::Earliest)));
        assert_eq!(query(-6, 9), None);
        assert_eq!(query(0, 1), Some(OffsetQuery::Timestamp(0)));
    }
}
