//! Topics and their partitions, a page at a time: by name, and of each topic by number. A page ends with where the next one
//! begins.

use super::{
    Call,
    metadata::{TOPIC_OPERATIONS, numbers, offline},
};
use crate::{
    ids::PartitionIndex,
    listener::kafka::names::{NONE, broker_number},
    metadata::{ClusterState, PartitionRecord, Topic, is_topic_name},
    service::Refusal,
};
use cairn_proto::kafka::{
    ErrorCode,
    describe_topic_partitions::{
        Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
        DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
    },
};
use std::{collections::BTreeSet, ops::Bound};

/// Partitions on one page at most, whatever is asked for.
const PARTITIONS_MAX: usize = 2000;

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(
    call: &Call,
    request: DescribeTopicPartitionsRequest,
) -> Result<DescribeTopicPartitionsResponse, Refusal> {
    let image = call.shared.broker.cluster(&call.context)?;
    Ok(page(&image, request))
}

fn page(image: &ClusterState, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let asked: BTreeSet<String> = request.topics.into_iter().map(|topic| topic.name).collect();
    let begin = request.cursor.unwrap_or_default();
    let Ok(first) = usize::try_from(begin.partition_index) else {
        // There is no place for an error of the whole.
        let named = if asked.is_empty() { BTreeSet::from([begin.topic_name]) } else { asked };
        let topics = named.into_iter().map(|name| failed(name, ErrorCode::INVALID_REQUEST)).collect();
        return DescribeTopicPartitionsResponse { topics, ..Default::default() };
    };
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, PARTITIONS_MAX);
    let mut pages = Pages { image, left: limit, topics: Vec::new() };
    let next_cursor = match asked.is_empty() {
        true => {
            let behind: (Bound<&str>, Bound<&str>) = (Bound::Included(&begin.topic_name), Bound::Unbounded);
            let names = image.names.range::<_, str>(behind).map(|(name, _)| name.clone());
            pages.fill(names, (&begin.topic_name, first))
        }
        false => {
            let names = asked.into_iter().filter(|name| *name >= begin.topic_name);
            pages.fill(names, (&begin.topic_name, first))
        }
    };
    DescribeTopicPartitionsResponse { topics: pages.topics, next_cursor, ..Default::default() }
}

/// The page, and how many more partitions fit on it.
struct Pages<'a> {
    image: &'a ClusterState,
    left: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
}

impl Pages<'_> {
    /// Writes topics until the page is full; where the next one begins, if this is not the last.
    fn fill(
        &mut self,
        names: impl Iterator<Item = String>,
        (begin_topic, begin_partition): (&str, usize),
    ) -> Option<Cursor> {
        for name in names {
            let first = if name == begin_topic { begin_partition } else { 0 };
            let Some(topic) = self.image.topic_by_name(&name) else {
                let error_code = match is_topic_name(&name) {
                    true => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    false => ErrorCode::INVALID_TOPIC_EXCEPTION,
                };
                self.topics.push(failed(name, error_code));
                continue;
            };
            if self.left == 0 {
                return Some(cursor(name, first));
            }
            let described = described(self.image, topic, (first, self.left));
            self.left -= described.partitions.len();
            let next = first.saturating_add(described.partitions.len());
            self.topics.push(described);
            if next < topic.partitions.len() {
                return Some(cursor(name, next));
            }
        }
        None
    }
}

fn cursor(topic_name: String, partition: usize) -> Cursor {
    Cursor { topic_name, partition_index: i32::try_from(partition).unwrap_or(i32::MAX) }
}

fn failed(name: String, error_code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic { error_code, name: Some(name), ..Default::default() }
}

/// A topic with its partitions from `first` on, at most `count`.
fn described(
    image: &ClusterState,
    topic: &Topic,
    (first, count): (usize, usize),
) -> DescribeTopicPartitionsResponseTopic {
    let partitions = topic.numbered().skip(first).take(count);
    DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::NONE,
        name: Some(topic.name.clone()),
        topic_id: topic.id.0,
        is_internal: topic.internal,
        partitions: partitions.map(|(index, record)| partition(image, index, record)).collect(),
        topic_authorized_operations: TOPIC_OPERATIONS,
    }
}

fn partition(
    image: &ClusterState,
    index: PartitionIndex,
    record: &PartitionRecord,
) -> DescribeTopicPartitionsResponsePartition {
    let leader = record.leader;
    DescribeTopicPartitionsResponsePartition {
        error_code: leader.map_or(ErrorCode::LEADER_NOT_AVAILABLE, |_| ErrorCode::NONE),
        partition_index: i32::try_from(index.get()).unwrap_or(NONE),
        leader_id: leader.map_or(NONE, broker_number),
        leader_epoch: record.leader_epoch.get(),
        replica_nodes: numbers(&record.replicas),
        isr_nodes: numbers(&record.isr),
        eligible_leader_replicas: Some(numbers(&record.elr)),
        last_known_elr: Some(numbers(&record.last_elr)),
        offline_replicas: offline(image, record),
    }
}
