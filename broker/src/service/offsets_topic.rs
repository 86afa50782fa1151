//! How the internal topic of consumer groups is set up: compacted, so that it keeps what is known of each group and offset,
//! and nothing that is not known any more. One from before compaction is changed to that.

use crate::{
    coordinator::OFFSETS_TOPIC,
    metadata::{ClusterState, Command, TopicConfig, topic_config::CLEANUP_POLICY},
};
use std::collections::BTreeMap;

const COMPACT: &str = "compact";
/// As Kafka's `offsets.topic.segment.bytes`: a segment that is being written is not compacted.
const SEGMENT_BYTES: &str = "104857600";

/// What a new one is made with. It is never cleaned by age: nothing else knows what it says.
pub(super) fn configs() -> BTreeMap<String, String> {
    let configs = [
        (CLEANUP_POLICY, COMPACT),
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
        ("segment.bytes", SEGMENT_BYTES),
    ];
    configs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// What makes the present one compacted, if it is not.
pub(super) fn correction(image: &ClusterState) -> Option<Command> {
    let topic = image.topic_by_name(OFFSETS_TOPIC)?;
    let is_compacted = TopicConfig::parse(&topic.configs).is_ok_and(|config| config.cleanup.compact);
    (!is_compacted).then(|| Command::AlterTopic {
        topic: topic.id,
        partitions: None,
        set: configs(),
        reset: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::CleanupPolicy;

    #[test]
    fn it_is_compacted_and_never_deleted_from() {
        let config = TopicConfig::parse(&configs()).expect("valid");
        assert_eq!(config.cleanup, CleanupPolicy { delete: false, compact: true });
        assert_eq!((config.retention_ms, config.segment_bytes), (None, 100 << 20));
        assert!(correction(&ClusterState::new()).is_none(), "there is none to correct");
    }
}
