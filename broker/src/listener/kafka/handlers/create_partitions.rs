//! More partitions for topics. Where a client assigns replicas itself, it can only mean this broker.

use super::Call;
use crate::{
    listener::kafka::{config_resource::Problem, error_code::Coded as _, names::broker_number},
    service::{Context, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    create_partitions::{
        CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
        CreatePartitionsTopicResult,
    },
};
use std::collections::BTreeMap;

pub(super) async fn handle(
    call: &Call,
    request: CreatePartitionsRequest,
) -> Result<CreatePartitionsResponse, Refusal> {
    call.shared.broker.admission().admit(&call.context)?;
    let context = call.until(request.timeout_ms);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for topic in &request.topics {
        *counts.entry(topic.name.clone()).or_default() += 1;
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let outcome = match counts.get(&topic.name) {
            Some(1) => create(call, &context, &topic, request.validate_only).await,
            _ => Err((ErrorCode::INVALID_REQUEST, "the request names the topic twice".into())),
        };
        // A topic is echoed also when all went well: clients look their topics up in the answer.
        let (error_code, error_message) = match outcome {
            Ok(()) => (ErrorCode::NONE, None),
            Err((error_code, message)) => (error_code, Some(message)),
        };
        results.push(CreatePartitionsTopicResult { name: topic.name, error_code, error_message });
    }
    Ok(CreatePartitionsResponse { results, ..Default::default() })
}

async fn create(
    call: &Call,
    context: &Context,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), Problem> {
    let broker = &call.shared.broker;
    // A wrong number is told before a wrong assignment of it.
    let image = broker.cluster(context).map_err(|refusal| (refusal.code(), refusal.to_string()))?;
    let present = image.topic_by_name(&topic.name).map_or(0, |known| known.partitions.len());
    let added = usize::try_from(topic.count).unwrap_or(0).saturating_sub(present);
    if let Some(assignments) = topic.assignments.as_ref().filter(|_| added > 0 && present > 0) {
        assigned(assignments, added, broker_number(broker.id()))?;
    }
    let created = broker.add_partitions(context, &topic.name, topic.count.into(), validate_only).await;
    created.map_err(|error| (error.code(), error.to_string()))
}

/// One assignment for each new partition, and each to this broker alone.
fn assigned(assignments: &[CreatePartitionsAssignment], added: usize, own: i32) -> Result<(), Problem> {
    let here = assignments.iter().all(|assignment| assignment.broker_ids == [own]);
    if assignments.len() == added && here {
        return Ok(());
    }
    let message = format!("assign each of the {added} new partitions, and each to broker {own} alone");
    Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_new_partition_is_assigned_to_this_broker() {
        let check = |rows: &[&[i32]], added| {
            let row = |brokers: &&[i32]| CreatePartitionsAssignment { broker_ids: brokers.to_vec() };
            let rows: Vec<_> = rows.iter().map(row).collect();
            assigned(&rows, added, 7).map_err(|(code, _)| code)
        };
        assert_eq!(check(&[&[7], &[7]], 2), Ok(()));
        let wrong: [(&[&[i32]], usize); 4] =
            [(&[&[7]], 2), (&[], 1), (&[&[7, 8]], 1), (&[&[8]], 1)];
        for (rows, added) in wrong {
            assert_eq!(check(rows, added), Err(ErrorCode::INVALID_REPLICA_ASSIGNMENT), "{rows:?}");
        }
    }
}
