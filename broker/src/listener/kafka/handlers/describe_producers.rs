//! The idempotent producers that partitions remember.

use super::Call;
use crate::{
    listener::kafka::{
        config_resource::Problem,
        error_code::Coded as _,
        names::{NONE, TopicKey, partition},
    },
    replication::{FetchError, ProducerFacts},
    service::Refusal,
};
use cairn_proto::kafka::{
    ErrorCode,
    describe_producers::{
        DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// How the protocol writes that there is no offset.
const NO_OFFSET: i64 = -1;

pub(super) async fn handle(
    call: &Call,
    request: DescribeProducersRequest,
) -> Result<DescribeProducersResponse, Refusal> {
    let broker = &call.shared.broker;
    let image = broker.cluster(&call.context)?;
    // Answered once, however often it is asked for: an answer is so much longer than the question.
    let mut wanted: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for topic in request.topics {
        wanted.entry(topic.name).or_default().extend(topic.partition_indexes);
    }
    let mut asked = Vec::new();
    let mut topics = Vec::with_capacity(wanted.len());
    for (name, indexes) in wanted {
        let mut understood = |index: i32| {
            let found = TopicKey::Name(&name).find(&image).and_then(|topic| partition(topic, index));
            (index, found.map(|partition| asked.push(partition)))
        };
        let partitions: Vec<_> = indexes.into_iter().map(&mut understood).collect();
        topics.push((name, partitions));
    }
    let mut answers = broker.describe_producers(&call.context, asked).await?.into_iter();
    let mut told = |(partition_index, understood): (i32, Result<(), ErrorCode>)| {
        let outcome = understood.map_err(no_such_partition).and_then(|()| answered(answers.next()));
        let (active_producers, (error_code, error_message)) = match outcome {
            Ok(producers) => (producers, (ErrorCode::NONE, None)),
            Err((error_code, message)) => (Vec::new(), (error_code, Some(message))),
        };
        PartitionResponse { partition_index, error_code, error_message, active_producers }
    };
    let topics = topics.into_iter().map(|(name, partitions)| TopicResponse {
        name,
        partitions: partitions.into_iter().map(&mut told).collect(),
    });
    Ok(DescribeProducersResponse { topics: topics.collect(), ..Default::default() })
}

fn no_such_partition(error_code: ErrorCode) -> Problem {
    (error_code, "there is no such partition".into())
}

fn answered(answer: Option<Result<Vec<ProducerFacts>, FetchError>>) -> Result<Vec<ProducerState>, Problem> {
    let unanswered = || (ErrorCode::UNKNOWN_SERVER_ERROR, "not answered".to_owned());
    let producers = answer.ok_or_else(unanswered)?.map_err(|error| (error.code(), error.to_string()))?;
    Ok(producers.iter().map(state).collect())
}

fn state(producer: &ProducerFacts) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: producer.epoch.into(),
        last_sequence: producer.last_sequence.unwrap_or(NONE),
        last_timestamp: producer.recorded_ms,
        // No transaction was ever ended here.
        coordinator_epoch: NONE,
        current_txn_start_offset: producer.transaction_start.map_or(NO_OFFSET, |offset| offset.get()),
    }
}
