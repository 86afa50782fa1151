//! Topics to be made, one after the other. -1 for partitions or replicas is the broker's default in every version;
//! where a client assigns replicas itself, it can only mean this broker.

use super::Call;
use crate::{
    ids::TopicId,
    listener::kafka::{
        config_resource::{Problem, source_number},
        error_code::Coded as _,
        names::broker_number,
    },
    metadata::is_topic_name,
    service::{Context, CreatedTopic, DescribedConfig, NewTopic, Refusal, topic_configs},
};
use cairn_proto::kafka::{
    ErrorCode,
    create_topics::{
        CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
        CreateTopicsRequest, CreateTopicsResponse,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// How the protocol writes "the default".
const DEFAULT: i32 = -1;

pub(super) async fn handle(call: &Call, request: CreateTopicsRequest) -> Result<CreateTopicsResponse, Refusal> {
    call.shared.broker.admission().admit(&call.context)?;
    call.shared.broker.check_places(request.topics.len())?;
    let context = call.until(request.timeout_ms);
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for topic in &request.topics {
        if !seen.insert(topic.name.clone()) {
            twice.insert(topic.name.clone());
        }
    }
    let mut topics = Vec::with_capacity(seen.len());
    for topic in request.topics {
        // A reply names each topic once.
        if !seen.remove(&topic.name) {
            continue;
        }
        let name = topic.name.clone();
        let outcome = match twice.contains(&name) {
            true => Err((ErrorCode::INVALID_REQUEST, "the request names the topic twice".into())),
            false => create(call, &context, topic, request.validate_only).await,
        };
        topics.push(outcome.unwrap_or_else(|(error_code, message)| CreatableTopicResult {
            name,
            error_code,
            error_message: Some(message),
            // None, and not null, which would say that they are kept secret.
            configs: Some(Vec::new()),
            ..Default::default()
        }));
    }
    Ok(CreateTopicsResponse { topics, ..Default::default() })
}

async fn create(
    call: &Call,
    context: &Context,
    topic: CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, Problem> {
    let broker = &call.shared.broker;
    check_name(call, &topic.name)?;
    let (partitions, replication_factor) = match topic.assignments.as_slice() {
        [] => numbers(&topic)?,
        assignments => assigned(&topic, assignments, broker_number(broker.id()))?,
    };
    let mut configs = BTreeMap::new();
    for config in topic.configs {
        let no_value = || (ErrorCode::INVALID_CONFIG, format!("{} has no value", config.name));
        let value = config.value.ok_or_else(no_value)?;
        configs.insert(config.name, value);
    }
    let listed = topic_configs(&configs, false).iter().map(told).collect();
    let name = topic.name.clone();
    let new = NewTopic { name: topic.name, partitions, replication_factor, configs, validate_only };
    let created = broker.create_topic(context, new).await;
    let created = created.map_err(|error| (error.code(), error.to_string()))?;
    let CreatedTopic { topic: TopicId(id), partitions, replication_factor } = created;
    Ok(CreatableTopicResult {
        name,
        topic_id: if validate_only { uuid::Uuid::nil() } else { id },
        num_partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replication_factor).unwrap_or(i16::MAX),
        configs: Some(listed),
        ..Default::default()
    })
}

/// What is wrong with the name is told before anything else is looked at: whoever makes a topic once more hears that it is
/// there, whatever else the request says. Whether it is so at the end is decided where the topic is made.
fn check_name(call: &Call, name: &str) -> Result<(), Problem> {
    let broker = &call.shared.broker;
    let image = broker.cluster(&call.context).map_err(|refusal| (refusal.code(), refusal.to_string()))?;
    if !is_topic_name(name) {
        // Without the name, which may be as long as any text of the protocol: more would not fit.
        let message = "a topic name has 1 to 249 letters a-z A-Z, digits, '.', '_' and '-', and is not '.' or '..'";
        return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, message.into()));
    }
    match image.topic_by_name(name) {
        Some(_) => Err((ErrorCode::TOPIC_ALREADY_EXISTS, format!("topic {name} exists"))),
        None => Ok(()),
    }
}

/// Partitions and replicas as counted by the client; `None` is the default.
fn numbers(topic: &CreatableTopic) -> Result<(Option<u32>, Option<u32>), Problem> {
    let partitions = count(topic.num_partitions).map_err(|given| {
        (ErrorCode::INVALID_PARTITIONS, format!("{given} partitions: at least 1, or -1 for the default"))
    })?;
    let replicas = count(topic.replication_factor.into()).map_err(|given| {
        (ErrorCode::INVALID_REPLICATION_FACTOR, format!("{given} replicas: at least 1, or -1 for the default"))
    })?;
    Ok((partitions, replicas))
}

fn count(given: i32) -> Result<Option<u32>, i32> {
    match given {
        DEFAULT => Ok(None),
        _ => u32::try_from(given).ok().filter(|count| *count > 0).map(Some).ok_or(given),
    }
}

/// As many partitions as are assigned, each to this broker alone.
fn assigned(
    topic: &CreatableTopic,
    assignments: &[CreatableReplicaAssignment],
    own: i32,
) -> Result<(Option<u32>, Option<u32>), Problem> {
    if topic.num_partitions != DEFAULT || i32::from(topic.replication_factor) != DEFAULT {
        let message = "partitions are assigned: their number and that of the replicas must be -1";
        return Err((ErrorCode::INVALID_REQUEST, message.into()));
    }
    let indexes: BTreeSet<i32> = assignments.iter().map(|assignment| assignment.partition_index).collect();
    let in_order = (0..).zip(&indexes).all(|(expected, index)| expected == *index);
    let here = assignments.iter().all(|assignment| assignment.broker_ids == [own]);
    if indexes.len() != assignments.len() || !in_order || !here {
        let message = format!("assign partitions 0, 1, 2, …, each once, and each to broker {own} alone");
        return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    }
    Ok((Some(u32::try_from(assignments.len()).unwrap_or(u32::MAX)), Some(1)))
}

fn told(config: &DescribedConfig) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: config.name.to_owned(),
        value: Some(config.value().to_owned()),
        read_only: config.read_only,
        config_source: source_number(config.source()),
        // None of the settings is a secret.
        is_sensitive: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(num_partitions: i32, replication_factor: i16) -> CreatableTopic {
        CreatableTopic { num_partitions, replication_factor, ..Default::default() }
    }

    #[test]
    fn minus_one_is_the_default_and_zero_is_none() {
        assert_eq!(numbers(&topic(-1, -1)), Ok((None, None)));
        assert_eq!(numbers(&topic(3, 1)), Ok((Some(3), Some(1))));
        let code = |topic| numbers(&topic).expect_err("refused").0;
        assert_eq!(code(topic(0, 1)), ErrorCode::INVALID_PARTITIONS);
        assert_eq!(code(topic(-2, 1)), ErrorCode::INVALID_PARTITIONS);
        assert_eq!(code(topic(1, 0)), ErrorCode::INVALID_REPLICATION_FACTOR);
    }

    #[test]
    fn assignments_name_each_partition_once_and_this_broker() {
        let assign = |rows: &[(i32, &[i32])]| {
            let row = |(index, brokers): &(i32, &[i32])| CreatableReplicaAssignment {
                partition_index: *index,
                broker_ids: brokers.to_vec(),
            };
            let rows: Vec<_> = rows.iter().map(row).collect();
            assigned(&topic(-1, -1), &rows, 7).map_err(|(code, _)| code)
        };
        assert_eq!(assign(&[(1, &[7]), (0, &[7])]), Ok((Some(2), Some(1))));
        let wrong: [&[(i32, &[i32])]; 5] =
            [&[(1, &[7])], &[(0, &[7]), (0, &[7])], &[(0, &[8])], &[(0, &[7, 8])], &[(0, &[])]];
        for rows in wrong {
            assert_eq!(assign(rows), Err(ErrorCode::INVALID_REPLICA_ASSIGNMENT), "{rows:?}");
        }
        let both = assigned(&topic(1, -1), &[CreatableReplicaAssignment::default()], 0);
        assert_eq!(both.expect_err("refused").0, ErrorCode::INVALID_REQUEST);
    }
}
