//! Topics and partitions as clients name them, found in the cluster's image; and what the image says in the protocol's
//! numbers.

use crate::{
    ids::{BrokerId, LeaderEpoch, PartitionIndex, TopicId, TopicPartition},
    metadata::{BrokerRecord, ClusterState, Topic},
};
use cairn_proto::kafka::ErrorCode;
use std::sync::Arc;
use uuid::Uuid;

/// How the protocol writes "none" and "unknown".
pub(super) const NONE: i32 = -1;

/// How a request names a topic.
#[derive(Clone, Copy, Debug)]
pub(super) enum TopicKey<'a> {
    Name(&'a str),
    Id(Uuid),
}

impl TopicKey<'_> {
    /// The topic, or the error for each of its partitions.
    pub(super) fn find(self, image: &ClusterState) -> Result<&Arc<Topic>, ErrorCode> {
        match self {
            Self::Name(name) => image.topic_by_name(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            Self::Id(id) => image.topic(TopicId(id)).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
        }
    }
}

/// One partition of a topic, if it has that one.
pub(super) fn partition(topic: &Topic, index: i32) -> Result<TopicPartition, ErrorCode> {
    let index = u32::try_from(index).ok().map(PartitionIndex);
    let partition = index.filter(|index| topic.partition(*index).is_some());
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    Ok(TopicPartition { topic: topic.id, partition })
}

/// Anything below 0 is unknown.
pub(super) fn known_epoch(epoch: i32) -> Option<LeaderEpoch> {
    (epoch >= 0).then_some(LeaderEpoch(epoch))
}

pub(super) fn broker_number(id: BrokerId) -> i32 {
    i32::try_from(id.get()).unwrap_or(NONE)
}

/// Brokers that Kafka clients can use, with host and port.
pub(super) fn kafka_brokers(
    image: &ClusterState,
) -> impl Iterator<Item = (i32, &BrokerRecord, String, i32)> + '_ {
    image.brokers.iter().filter(|(_, record)| !record.fenced).filter_map(|(id, record)| {
        let (host, port) = host_and_port(record.endpoints.kafka.as_deref()?)?;
        Some((broker_number(*id), record, host, port))
    })
}

/// An IPv6 address is told without its brackets.
fn host_and_port(address: &str) -> Option<(String, i32)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((host.to_owned(), port.parse::<u16>().ok()?.into()))
}

pub(super) fn cluster_id(image: &ClusterState) -> String {
    image.cluster.map(|cluster| cluster.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(host_and_port("localhost:9092"), Some(("localhost".into(), 9092)));
        assert_eq!(host_and_port("[::1]:9092"), Some(("::1".into(), 9092)));
        assert_eq!(host_and_port("localhost"), None);
        assert_eq!(host_and_port("localhost:99999"), None);
    }
}
