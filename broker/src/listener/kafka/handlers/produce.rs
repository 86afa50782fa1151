//! Batches from producers. They are on their lanes before the next request is looked at, so that the batches of one
//! connection keep their order; the reply follows when the last of them has its answer, or the client's time is up.

use crate::{
    clock::Monotonic,
    ids::TopicPartition,
    listener::kafka::{
        answering::{AnsweringError, Replying},
        error_code::Coded,
        names::{TopicKey, partition},
    },
    metadata::ClusterState,
    replication::{Acks, ProduceError, ProduceRequest, Produced},
    service::{Broker, Context, MemoryPermit, PendingBatches},
};
use bytes::Bytes;
use cairn_proto::{
    kafka::{
        ErrorCode, Frame,
        produce::{
            self as wire, BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse,
            TopicProduceResponse,
        },
        response_frame,
    },
    record::{BatchError, BatchHeader, Compression},
};
use std::time::Duration;

/// Producers may send zstd since this version (KIP-110).
const ZSTD_SINCE: i16 = 7;

type Refused = (ErrorCode, String);

/// A request whose batches are on their way.
pub(in crate::listener::kafka) struct PendingProduce {
    replying: Replying,
    /// The producer wants no reply.
    silent: bool,
    deadline: Monotonic,
    batches: PendingBatches,
    topics: Vec<PendingTopic>,
}

struct PendingTopic {
    name: String,
    /// By number; those that are not refused are answered by the next of the batches.
    partitions: Vec<(i32, Result<(), Refused>)>,
}

/// Hands the batches over.
pub(in crate::listener::kafka) fn start(
    broker: &Broker,
    (context, replying): (&Context, Replying),
    request: wire::ProduceRequest,
    memory: MemoryPermit,
) -> Result<PendingProduce, AnsweringError> {
    let image = broker.cluster(context)?;
    let acks = acks(request.acks);
    let rules = Rules { version: replying.version, transactional: request.transactional_id.is_some() };
    let mut batches = Vec::new();
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let wire::TopicProduceData { name, partition_data } = topic;
        let mut one = |data: wire::PartitionProduceData| {
            let outcome = acks.clone().and_then(|acks| {
                let partition = place(&image, &name, data.index)?;
                let batch = rules.check(data.records.unwrap_or_default())?;
                batches.push(ProduceRequest { partition, leader_epoch: None, acks, batch });
                Ok(())
            });
            (data.index, outcome)
        };
        let partitions = partition_data.into_iter().map(&mut one).collect();
        topics.push(PendingTopic { name, partitions });
    }
    let batches = broker.produce_batches(context, memory, batches)?;
    Ok(PendingProduce {
        replying,
        silent: request.acks == 0,
        deadline: deadline(broker, request.timeout_ms),
        batches,
        topics,
    })
}

impl PendingProduce {
    /// Waits for the batches' answers, as long as the client does. Cancel-safe.
    pub(in crate::listener::kafka) async fn wait(&mut self, broker: &Broker) {
        self.batches.wait(self.deadline.since(broker.clock().now())).await;
    }

    /// Whether every batch has its answer.
    pub(in crate::listener::kafka) fn is_complete(&self) -> bool {
        self.batches.is_complete()
    }

    /// The reply, if there is to be one. What has no answer yet is answered with that.
    ///
    /// # Errors
    /// A producer that wants no replies hears of an error by the end of its connection.
    pub(in crate::listener::kafka) fn reply(self, broker: &Broker) -> Result<Option<Frame>, AnsweringError> {
        let mut outcomes = self.batches.take().into_iter();
        let mut refused = false;
        let mut one = |(index, outcome): (i32, Result<(), Refused>)| {
            let response = match outcome {
                Ok(()) => answered(index, outcomes.next().flatten()),
                Err((code, message)) => failed(index, code, message),
            };
            if let Some(name) = response.error_code.name().filter(|_| !response.error_code.is_none()) {
                refused = true;
                broker.metrics().count_error("produce", name);
            }
            response
        };
        let topics = self.topics.into_iter().map(|topic| TopicProduceResponse {
            name: topic.name,
            partition_responses: topic.partitions.into_iter().map(&mut one).collect(),
        });
        let response = ProduceResponse { responses: topics.collect(), ..Default::default() };
        match (self.silent, refused) {
            (true, true) => Err(AnsweringError::Silenced),
            (true, false) => Ok(None),
            (false, _) => {
                let Replying { correlation_id, version } = self.replying;
                Ok(Some(response_frame(correlation_id, version, &response)?))
            }
        }
    }
}

fn acks(acks: i16) -> Result<Acks, Refused> {
    match acks {
        -1 => Ok(Acks::All),
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        _ => Err((ErrorCode::INVALID_REQUIRED_ACKS, format!("acks is {acks}; allowed is -1, 0 or 1"))),
    }
}

/// A client that does not say how long gets the broker's time.
fn deadline(broker: &Broker, timeout_ms: i32) -> Monotonic {
    let timeout = u64::try_from(timeout_ms).ok().filter(|timeout_ms| *timeout_ms > 0);
    let timeout = timeout.map_or(broker.limits().request_timeout, Duration::from_millis);
    Monotonic(broker.clock().now().0.saturating_add(timeout))
}

fn place(image: &ClusterState, topic: &str, index: i32) -> Result<TopicPartition, Refused> {
    let found = TopicKey::Name(topic).find(image).and_then(|topic| partition(topic, index));
    found.map_err(|code| (code, "there is no such partition: refresh the metadata".into()))
}

/// What depends on the request around a batch; everything else is checked where it is appended.
#[derive(Clone, Copy)]
struct Rules {
    version: i16,
    transactional: bool,
}

impl Rules {
    fn check(self, records: Bytes) -> Result<Bytes, Refused> {
        if records.is_empty() {
            return Err((ErrorCode::INVALID_RECORD, "exactly one record batch must be sent".into()));
        }
        // Bytes without a header are told as what they are by those who look closer.
        let Ok(header) = BatchHeader::parse(&records) else { return Ok(records) };
        if self.transactional || header.is_transactional() {
            let message = "there are no transactions here: produce without a transactional id";
            return Err((ErrorCode::INVALID_TXN_STATE, message.into()));
        }
        if self.version < ZSTD_SINCE && header.compression().is_ok_and(|codec| codec == Compression::Zstd) {
            let message = format!("zstd is allowed from Produce version {ZSTD_SINCE} on");
            return Err((ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, message));
        }
        Ok(records)
    }
}

fn answered(index: i32, outcome: Option<Result<Produced, ProduceError>>) -> PartitionProduceResponse {
    match outcome {
        Some(Ok(produced)) => PartitionProduceResponse {
            index,
            base_offset: produced.base_offset.get(),
            log_append_time_ms: produced.append_time_ms.unwrap_or(-1),
            log_start_offset: produced.log_start.get(),
            ..Default::default()
        },
        Some(Err(error)) => {
            let record_errors = record_errors(&error);
            PartitionProduceResponse { record_errors, ..failed(index, error.code(), error.to_string()) }
        }
        None => {
            let message = "not acknowledged in time; the batch may be in the log";
            failed(index, ErrorCode::REQUEST_TIMED_OUT, message.into())
        }
    }
}

/// The records that a batch was refused for, where the others were right.
fn record_errors(error: &ProduceError) -> Vec<BatchIndexAndErrorMessage> {
    let ProduceError::Invalid(BatchError::Keyless { indexes }) = error else { return Vec::new() };
    let one = |batch_index: &i32| BatchIndexAndErrorMessage {
        batch_index: *batch_index,
        batch_index_error_message: Some("a record of a compacted topic needs a key".into()),
    };
    indexes.iter().map(one).collect()
}

fn failed(index: i32, error_code: ErrorCode, message: String) -> PartitionProduceResponse {
    let error_message = Some(message);
    PartitionProduceResponse { index, error_code, base_offset: -1, error_message, ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_proto::record::{BatchBuilder, BatchOptions};

    fn batch(options: BatchOptions) -> Bytes {
        let mut builder = BatchBuilder::new(options);
        builder.append(1, None, Some(b"value"), &[]).expect("fits");
        builder.finish().expect("a batch")
    }

    fn check(version: i16, transactional: bool, records: Bytes) -> Option<ErrorCode> {
        Rules { version, transactional }.check(records).err().map(|(code, _)| code)
    }

    #[test]
    fn a_request_has_rules_of_its_own() {
        let plain = batch(BatchOptions::default());
        assert_eq!(check(3, false, plain.clone()), None);
        assert_eq!(check(11, true, plain), Some(ErrorCode::INVALID_TXN_STATE));
        assert_eq!(check(11, false, Bytes::new()), Some(ErrorCode::INVALID_RECORD));
        assert_eq!(check(11, false, Bytes::from_static(b"no header")), None);
        let zstd = batch(BatchOptions { compression: Compression::Zstd, ..BatchOptions::default() });
        assert_eq!(check(6, false, zstd.clone()), Some(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE));
        assert_eq!(check(7, false, zstd), None);
    }

    #[test]
    fn acks_are_three_numbers() {
        assert_eq!(acks(-1), Ok(Acks::All));
        assert_eq!(acks(1), Ok(Acks::Leader));
        assert_eq!(acks(0), Ok(Acks::None));
        assert_eq!(acks(2).expect_err("refused").0, ErrorCode::INVALID_REQUIRED_ACKS);
    }
}
