//! What an error of the client means for the command line: its exit code and what to type next.

use crate::{exit::Exit, failure::Failure};
use cairn_client::{AdminError, ConnectError, ConsumeError, GroupError, ProduceError};

/// What to do when nobody answers.
const START_A_BROKER: &str =
    "start a broker with `cairn-broker`, or name another one with --broker HOST:PORT";

fn unreachable(message: String) -> Failure {
    Failure::new(Exit::Unreachable, message).advise(START_A_BROKER)
}

/// A topic that does not exist. The advice is added where the other topics can be asked for.
fn unknown_topic(topic: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("topic '{topic}' does not exist")).detail("topic", topic)
}

fn unknown_partition(topic: &str, partition: u32, partitions: u32) -> Failure {
    let message =
        format!("topic '{topic}' has no partition {partition}: it has {partitions}, counted from 0");
    Failure::new(Exit::NotFound, message).detail("partition", partition)
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unreachable { .. } => unreachable(error.to_string()),
            _ => Failure::usage(error.to_string()),
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match &error {
            AdminError::UnknownTopic { topic, .. } => unknown_topic(topic),
            AdminError::TopicExists { topic } => Failure::failed(error.to_string())
                .advise(format!("see it with: cairn topic describe {topic}"))
                .detail("topic", topic.as_str()),
            AdminError::Unreachable(_) => unreachable(error.to_string()),
            AdminError::OutcomeUnknown { .. } => Failure::new(Exit::OutcomeUnknown, error.to_string()),
            _ => Failure::failed(error.to_string()),
        }
    }
}

impl From<ProduceError> for Failure {
    fn from(error: ProduceError) -> Self {
        match &error {
            ProduceError::InvalidOptions(_) => Failure::usage(error.to_string()),
            ProduceError::UnknownTopic { topic } => unknown_topic(topic),
            ProduceError::UnknownPartition { topic, partition, partitions } => {
                unknown_partition(topic, *partition, *partitions)
            }
            ProduceError::Unreachable(_) => unreachable(error.to_string()),
            ProduceError::OutcomeUnknown { .. } => Failure::new(Exit::OutcomeUnknown, error.to_string()),
            ProduceError::RecordTooLarge { limit: "max.message.bytes", .. } => {
                Failure::failed(error.to_string())
                    .advise("raise the limit with: cairn topic alter TOPIC --config max.message.bytes=BYTES")
            }
            _ => Failure::failed(error.to_string()),
        }
    }
}

impl From<ConsumeError> for Failure {
    fn from(error: ConsumeError) -> Self {
        match &error {
            ConsumeError::InvalidOptions(_) => Failure::usage(error.to_string()),
            ConsumeError::UnknownTopic { topic } => unknown_topic(topic),
            ConsumeError::UnknownPartition { topic, partition, partitions } => {
                unknown_partition(topic, *partition, *partitions)
            }
            ConsumeError::Unreachable(_) => unreachable(error.to_string()),
            ConsumeError::Group(error) => error.clone().into(),
            ConsumeError::OffsetOutOfRange { topic, partition, offset, log_start, high_watermark } => {
                out_of_range(topic, *partition, *offset, (*log_start, *high_watermark))
            }
            ConsumeError::Damaged { topic, partition, damaged_from, damaged_to, reason } => {
                let range =
                    format!("offsets {damaged_from} to {damaged_to} (exclusive) of partition {partition}");
                let next = format!("cairn consume {topic} --partition {partition} --from {damaged_to}");
                Failure::failed(format!("{range} of '{topic}' are damaged on the broker's disk: {reason}"))
                    .advise(format!("go on behind them with: {next}"))
                    .detail("partition", *partition)
                    .detail("damaged_from", *damaged_from)
                    .detail("damaged_to", *damaged_to)
            }
            _ => Failure::failed(error.to_string()),
        }
    }
}

impl From<GroupError> for Failure {
    fn from(error: GroupError) -> Self {
        let text = error.to_string();
        match error {
            GroupError::InvalidOptions(_) => Failure::usage(text),
            GroupError::Unknown { group } => {
                Failure::new(Exit::NotFound, format!("group '{group}' does not exist"))
                    .advise("see all with: cairn group list")
                    .detail("group", group)
            }
            GroupError::NotEmpty { group } => Failure::failed(format!("group '{group}' has members"))
                .advise(format!("stop them first; see who they are with: cairn group describe {group}"))
                .detail("group", group),
            GroupError::OtherKind { group } => {
                Failure::failed(format!("group '{group}' has members that speak the Kafka protocol"))
                    .advise("stop them first, or choose another name for the group")
                    .detail("group", group)
            }
            GroupError::Unreachable(_) => unreachable(text),
            _ => Failure::failed(text),
        }
    }
}

fn out_of_range(topic: &str, partition: u32, offset: i64, (start, end): (i64, i64)) -> Failure {
    let range = match (start, end) {
        (0.., 0..) => format!(": it holds {start} to {end} (exclusive)"),
        (0.., _) => format!(": it begins at {start}"),
        (_, 0..) => format!(": it ends at {end}"),
        _ => String::new(),
    };
    Failure::failed(format!("offset {offset} is out of range of partition {partition} of '{topic}'{range}"))
        .advise("use --from beginning, or an offset that is there (--from end is always right)")
        .detail("partition", partition)
        .detail("offset", offset)
        .detail("log_start", start)
        .detail("high_watermark", end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_its_exit_code() {
        let topic = || "t".to_owned();
        let cases = [
            (Failure::from(ConnectError::NoAddress), Exit::Usage),
            (ConnectError::Unreachable { attempts: topic() }.into(), Exit::Unreachable),
            (AdminError::UnknownTopic { topic: topic(), reason: topic() }.into(), Exit::NotFound),
            (AdminError::Unreachable(topic()).into(), Exit::Unreachable),
            (AdminError::OutcomeUnknown { reason: topic() }.into(), Exit::OutcomeUnknown),
            (AdminError::TopicExists { topic: topic() }.into(), Exit::Failed),
            (ProduceError::InvalidOptions(topic()).into(), Exit::Usage),
            (ProduceError::UnknownTopic { topic: topic() }.into(), Exit::NotFound),
            (
                ProduceError::UnknownPartition { topic: topic(), partition: 9, partitions: 4 }.into(),
                Exit::NotFound,
            ),
            (ProduceError::OutcomeUnknown { reason: topic() }.into(), Exit::OutcomeUnknown),
            (ProduceError::Closed.into(), Exit::Failed),
            (ConsumeError::UnknownTopic { topic: topic() }.into(), Exit::NotFound),
            (ConsumeError::Closed.into(), Exit::Failed),
            (GroupError::Unknown { group: topic() }.into(), Exit::NotFound),
            (GroupError::NotEmpty { group: topic() }.into(), Exit::Failed),
            (ConsumeError::Group(GroupError::Unreachable(topic())).into(), Exit::Unreachable),
        ];
        for (failure, exit) in cases {
            assert_eq!(failure.exit, exit, "{failure:?}");
        }
    }

    #[test]
    fn damage_says_where_to_go_on() {
        let topic = "orders".to_owned();
        let error = ConsumeError::Damaged {
            topic,
            partition: 2,
            damaged_from: 10,
            damaged_to: 20,
            reason: "checksum".into(),
        };
        let failure = Failure::from(error);
        assert_eq!(failure.exit, Exit::Failed);
        assert!(
            failure.text().contains("cairn consume orders --partition 2 --from 20"),
            "{}",
            failure.text()
        );
    }
}
