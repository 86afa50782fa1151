//! Settings as people see them: every one with its value, where that comes from, and what would hold without it. One
//! description for all listeners; what a setting may be is the table's to say (`metadata::topic_config`).

use super::{Broker, Context, TopicError};
use crate::metadata::topic_config::{self, Kind, Setting};
use std::collections::BTreeMap;

/// Where a value comes from; the first one that has a value decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set for the topic.
    Topic,
    /// The broker's configuration: file, environment or flag.
    Broker,
    /// Built in.
    Default,
}

/// What values look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`.
    Boolean,
    /// Text, or one of some words.
    Text,
    /// A whole number that fits 32 bits.
    Int,
    /// A whole number that may need 64 bits.
    Long,
    /// A decimal.
    Double,
    /// Words with commas between them.
    List,
}

/// A place that a value could come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// What the setting is called there.
    pub name: &'static str,
    /// What it is there.
    pub value: String,
    /// Which place.
    pub source: ConfigSource,
}

/// A setting as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConfig {
    /// Its name.
    pub name: &'static str,
    /// All places that have a value, in the order in which they decide; never empty, the default is the last.
    pub synonyms: Vec<ConfigSynonym>,
    /// Whether clients cannot change it.
    pub read_only: bool,
    /// What its values look like.
    pub config_type: ConfigType,
    /// One sentence, with the unit.
    pub documentation: &'static str,
}

impl DescribedConfig {
    /// What holds.
    pub fn value(&self) -> &str {
        self.synonyms.first().map_or("", |decides| &decides.value)
    }

    /// Where that comes from.
    pub fn source(&self) -> ConfigSource {
        self.synonyms.first().map_or(ConfigSource::Default, |decides| decides.source)
    }

    /// What would hold if nobody had set anything.
    pub fn default_value(&self) -> &str {
        self.synonyms.last().map_or("", |default| &default.value)
    }
}

/// What Kafka calls a topic's setting where it is the broker's: the names under which clients look for defaults.
const BROKER_NAMES: &[(&str, &str)] = &[
    ("cleanup.policy", "log.cleanup.policy"),
    ("compression.type", "compression.type"),
    ("delete.retention.ms", "log.cleaner.delete.retention.ms"),
    ("file.delete.delay.ms", "log.segment.delete.delay.ms"),
    ("flush.messages", "log.flush.interval.messages"),
    ("flush.ms", "log.flush.interval.ms"),
    ("index.interval.bytes", "log.index.interval.bytes"),
    ("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("max.message.bytes", "message.max.bytes"),
    ("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"),
    ("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"),
    ("message.timestamp.type", "log.message.timestamp.type"),
    ("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"),
    ("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"),
    ("min.insync.replicas", "min.insync.replicas"),
    ("retention.bytes", "log.retention.bytes"),
    ("retention.ms", "log.retention.ms"),
    ("segment.bytes", "log.segment.bytes"),
    ("segment.ms", "log.roll.ms"),
    ("unclean.leader.election.enable", "unclean.leader.election.enable"),
];

/// Kafka's name of a topic's setting at the broker, if it has one there.
pub(super) fn name_at_broker(setting: &str) -> Option<&'static str> {
    BROKER_NAMES.iter().find(|(topic, _)| *topic == setting).map(|(_, broker)| *broker)
}

/// All settings of a topic for which these are set. `read_only`: it is not the clients' topic.
pub fn topic_configs(set: &BTreeMap<String, String>, read_only: bool) -> Vec<DescribedConfig> {
    let described = |setting: &'static Setting| {
        let own = set.get(setting.name).map(|value| ConfigSynonym {
            name: setting.name,
            value: value.clone(),
            source: ConfigSource::Topic,
        });
        let default = ConfigSynonym {
            name: name_at_broker(setting.name).unwrap_or(setting.name),
            value: setting.default.to_owned(),
            source: ConfigSource::Default,
        };
        DescribedConfig {
            name: setting.name,
            synonyms: own.into_iter().chain([default]).collect(),
            read_only,
            config_type: config_type(setting),
            documentation: setting.documentation,
        }
    };
    topic_config::SETTINGS.iter().map(described).collect()
}

/// The type of a topic's setting.
pub(super) fn config_type(setting: &Setting) -> ConfigType {
    match setting.kind {
        Kind::Number { max, .. } if max <= i64::from(i32::MAX) => ConfigType::Int,
        Kind::Number { .. } => ConfigType::Long,
        Kind::Ratio => ConfigType::Double,
        Kind::List(_) => ConfigType::List,
        Kind::Choice(_) | Kind::Only { .. } => ConfigType::Text,
    }
}

impl Broker {
    /// All settings of a topic.
    ///
    /// # Errors
    /// See [`TopicError`].
    pub fn describe_topic_configs(
        &self,
        context: &Context,
        name: &str,
    ) -> Result<Vec<DescribedConfig>, TopicError> {
        self.admission().admit(context)?;
        let topic = self.topic_named(name)?;
        Ok(topic_configs(&topic.configs, topic.internal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn described<'a>(all: &'a [DescribedConfig], name: &str) -> &'a DescribedConfig {
        all.iter().find(|config| config.name == name).expect("described")
    }

    #[test]
    fn every_setting_is_there_with_its_source_and_default() {
        let set = BTreeMap::from([("retention.ms".to_owned(), "5000".to_owned())]);
        let all = topic_configs(&set, false);
        let names: Vec<_> = all.iter().map(|config| config.name).collect();
        let settings: Vec<_> = topic_config::SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(names, settings);
        let retention = described(&all, "retention.ms");
        assert_eq!((retention.value(), retention.source()), ("5000", ConfigSource::Topic));
        assert_eq!(retention.default_value(), "604800000");
        assert_eq!(retention.synonyms[1].name, "log.retention.ms");
        assert_eq!(retention.config_type, ConfigType::Long);
        let bytes = described(&all, "segment.bytes");
        assert_eq!((bytes.value(), bytes.source()), ("268435456", ConfigSource::Default));
        assert_eq!(bytes.config_type, ConfigType::Int);
        assert_eq!(described(&all, "cleanup.policy").config_type, ConfigType::List);
        // Kafka has no such setting, so no name for it at the broker.
        assert_eq!(described(&all, "durability").synonyms[0].name, "durability");
        assert!(all.iter().all(|config| !config.read_only && !config.documentation.is_empty()));
        assert!(topic_configs(&set, true).iter().all(|config| config.read_only));
    }

    #[test]
    fn names_at_the_broker_are_told_apart() {
        let brokers: BTreeSet<_> = BROKER_NAMES.iter().map(|(_, broker)| broker).collect();
        assert_eq!(brokers.len(), BROKER_NAMES.len());
        let known = |name: &str| BROKER_NAMES.iter().any(|(topic, _)| *topic == name);
        let unknown: Vec<_> =
            topic_config::SETTINGS.iter().map(|setting| setting.name).filter(|name| !known(name)).collect();
        assert_eq!(unknown, ["durability"], "settings that Kafka does not have at the broker");
    }
}
