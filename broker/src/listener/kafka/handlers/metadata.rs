//! Brokers, topics and leaders: what clients route by. A topic that is asked for and does not exist is made, where the
//! client and the configuration allow it.

use super::{Call, describe_cluster::CLUSTER_OPERATIONS};
use crate::{
    listener::kafka::{
        error_code::Coded as _,
        names::{NONE, TopicKey, broker_number, cluster_id, kafka_brokers},
    },
    metadata::{BrokerRecord, BrokerSet, ClusterState, PartitionRecord, Topic},
    service::{Broker, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    metadata::{
        MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
        MetadataResponsePartition, MetadataResponseTopic,
    },
};
use std::{collections::HashSet, sync::Arc};

/// Read, write, create, delete, alter, describe, describe and alter configs: everything that a topic knows, since nobody
/// is refused.
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// A topic can be asked for by its id, and told without a name, since this version.
const NAMELESS_SINCE: i16 = 12;

pub(super) async fn handle(call: &Call, request: MetadataRequest) -> Result<MetadataResponse, Refusal> {
    let broker = &call.shared.broker;
    let may_create = request.allow_auto_topic_creation && call.shared.options.auto_create_topics;
    let mut topics = match &request.topics {
        Some(asked) if call.version > 0 || !asked.is_empty() => asked_topics(call, asked, may_create).await?,
        _ => all_topics(&*broker.cluster(&call.context)?),
    };
    if request.include_topic_authorized_operations {
        topics.iter_mut().for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
    }
    let image = broker.cluster(&call.context)?;
    let brokers = kafka_brokers(&image).map(|(node_id, record, host, port)| {
        let rack = record.rack.clone();
        MetadataResponseBroker { node_id, host, port, rack }
    });
    let mut response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(cluster_id(&image)),
        // A single voter is its own controller.
        controller_id: broker_number(broker.id()),
        topics,
        ..Default::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    Ok(response)
}

fn all_topics(image: &ClusterState) -> Vec<MetadataResponseTopic> {
    let topics = image.names.values().filter_map(|id| image.topic(*id));
    topics.map(|topic| described(image, topic)).collect()
}

async fn asked_topics(
    call: &Call,
    asked: &[MetadataRequestTopic],
    may_create: bool,
) -> Result<Vec<MetadataResponseTopic>, Refusal> {
    let broker = &call.shared.broker;
    let mut topics = Vec::with_capacity(asked.len());
    // A topic that is asked for twice is told once.
    let mut seen = HashSet::new();
    for one in asked.iter().filter(|one| seen.insert((&one.name, one.topic_id))) {
        let found = find(broker, call, one, may_create).await;
        let image = broker.cluster(&call.context)?;
        topics.push(match found {
            Ok(topic) => described(&image, &topic),
            Err(error_code) => {
                let nameless = (call.version < NAMELESS_SINCE).then(String::new);
                let name = one.name.clone().filter(|_| !is_by_id(call, one)).or(nameless);
                MetadataResponseTopic { error_code, name, topic_id: one.topic_id, ..Default::default() }
            }
        });
    }
    Ok(topics)
}

async fn find(
    broker: &Broker,
    call: &Call,
    asked: &MetadataRequestTopic,
    may_create: bool,
) -> Result<Arc<Topic>, ErrorCode> {
    let image = broker.cluster(&call.context).map_err(|refusal| refusal.code())?;
    match &asked.name {
        _ if is_by_id(call, asked) => TopicKey::Id(asked.topic_id).find(&image).cloned(),
        Some(_) if !asked.topic_id.is_nil() => Err(ErrorCode::INVALID_REQUEST),
        Some(name) if may_create => {
            let found = broker.find_or_create_topic(&call.context, name).await;
            found.map_err(|error| error.code())
        }
        Some(name) => match TopicKey::Name(name).find(&image) {
            Err(_) if !crate::metadata::is_topic_name(name) => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
            found => found.cloned(),
        },
        // Nothing is meant; before, an id could not be.
        None => Err(ErrorCode::INVALID_REQUEST),
    }
}

/// An id says which topic is meant, whatever name stands beside it.
fn is_by_id(call: &Call, asked: &MetadataRequestTopic) -> bool {
    call.version >= NAMELESS_SINCE && !asked.topic_id.is_nil()
}

pub(super) fn numbers(brokers: &BrokerSet) -> Vec<i32> {
    brokers.iter().map(broker_number).collect()
}

/// The brokers that have a replica and are down.
pub(super) fn offline(image: &ClusterState, record: &PartitionRecord) -> Vec<i32> {
    numbers(&record.replicas.filter(|id| !image.broker(id).is_some_and(BrokerRecord::is_live)))
}

fn described(image: &ClusterState, topic: &Topic) -> MetadataResponseTopic {
    let partition = |(index, record): (crate::ids::PartitionIndex, &PartitionRecord)| {
        let leader = record.leader;
        MetadataResponsePartition {
            error_code: leader.map_or(ErrorCode::LEADER_NOT_AVAILABLE, |_| ErrorCode::NONE),
            partition_index: i32::try_from(index.get()).unwrap_or(NONE),
            leader_id: leader.map_or(NONE, broker_number),
            leader_epoch: record.leader_epoch.get(),
            replica_nodes: numbers(&record.replicas),
            isr_nodes: numbers(&record.isr),
            offline_replicas: offline(image, record),
        }
    };
    MetadataResponseTopic {
        error_code: ErrorCode::NONE,
        name: Some(topic.name.clone()),
        topic_id: topic.id.0,
        is_internal: topic.internal,
        partitions: topic.numbered().map(partition).collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_the_bits_of_their_numbers() {
        let [read, write, create, delete, alter, describe] = [3, 4, 5, 6, 7, 8];
        let [describe_configs, alter_configs] = [10, 11];
        let operations =
            [read, write, create, delete, alter, describe, describe_configs, alter_configs];
        assert_eq!(TOPIC_OPERATIONS, operations.iter().map(|bit| 1 << bit).sum::<i32>());
    }
}
