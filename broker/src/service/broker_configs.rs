//! This broker's own settings as clients see them: by the names that its configuration has for them, by Kafka's names where
//! the value means the same, and the defaults that topics have. None can be changed while the broker runs.

use super::{
    Broker, Context, Refusal,
    configs::{ConfigSource, ConfigSynonym, ConfigType, DescribedConfig, config_type, name_at_broker},
};
use crate::metadata::topic_config;

/// A key of the broker's configuration, with the value that this broker runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerSetting {
    /// The key.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// What it would be if nobody had said.
    pub default: &'static str,
    /// What values look like.
    pub config_type: ConfigType,
    /// What it is for.
    pub documentation: &'static str,
}

/// Kafka's name, and the key that means the same in the same unit.
pub const KAFKA_NAMES: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "auto-create-topics"),
    ("broker.id", "broker-id"),
    ("connections.max.idle.ms", "kafka-idle-timeout-ms"),
    ("default.replication.factor", "default-replication-factor"),
    ("group.initial.rebalance.delay.ms", "group-initial-rebalance-delay-ms"),
    ("group.max.session.timeout.ms", "group-session-timeout-max-ms"),
    ("group.max.size", "group-members-max"),
    ("group.min.session.timeout.ms", "group-session-timeout-min-ms"),
    ("log.dir", "data-dir"),
    ("log.dirs", "data-dir"),
    ("max.connections", "connections-max"),
    ("node.id", "broker-id"),
    ("num.partitions", "default-partitions"),
    ("offsets.topic.num.partitions", "offsets-topic-partitions"),
    // The internal topic is made like any other one.
    ("offsets.topic.replication.factor", "default-replication-factor"),
    ("producer.id.expiration.ms", "producer-expiry-ms"),
    ("socket.request.max.bytes", "request-bytes-max"),
];

/// Why a setting of the broker was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerConfigError {
    /// Turned away.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No such setting.
    #[error("there is no broker setting {name:?}: did you mean {nearest:?}?")]
    Unknown {
        /// What was asked for, or the beginning of it.
        name: String,
        /// The nearest one.
        nearest: &'static str,
    },
    /// Only a start takes it.
    #[error(
        "{name} cannot be changed while the broker runs: set {key} in its configuration file, environment or flags, and restart it"
    )]
    AtStart {
        /// What was asked for.
        name: &'static str,
        /// The key of the configuration.
        key: &'static str,
    },
    /// It is built in.
    #[error("{name} cannot be changed, it is what topics have by default: set {setting} of the topics")]
    OfTopics {
        /// What was asked for.
        name: &'static str,
        /// The topics' setting.
        setting: &'static str,
    },
}

/// Everything, by the names of the configuration first.
fn described(settings: &[BrokerSetting]) -> Vec<DescribedConfig> {
    let own = settings.iter().map(|setting| as_named(setting.name, setting));
    let by_kafkas_name = KAFKA_NAMES.iter().filter_map(|(name, key)| {
        settings.iter().find(|setting| setting.name == *key).map(|setting| as_named(name, setting))
    });
    own.chain(by_kafkas_name).chain(defaults_of_topics().map(|(_, described)| described)).collect()
}

fn as_named(name: &'static str, setting: &BrokerSetting) -> DescribedConfig {
    let given = (setting.value != setting.default).then(|| ConfigSynonym {
        name: setting.name,
        value: setting.value.clone(),
        source: ConfigSource::Broker,
    });
    let default = ConfigSynonym {
        name: setting.name,
        value: setting.default.to_owned(),
        source: ConfigSource::Default,
    };
    DescribedConfig {
        name,
        synonyms: given.into_iter().chain([default]).collect(),
        read_only: true,
        config_type: setting.config_type,
        documentation: setting.documentation,
    }
}

/// What topics have by default, under the broker's names for it; with the topics' names.
fn defaults_of_topics() -> impl Iterator<Item = (&'static str, DescribedConfig)> {
    topic_config::SETTINGS.iter().filter_map(|setting| {
        let name = name_at_broker(setting.name)?;
        let default =
            ConfigSynonym { name, value: setting.default.to_owned(), source: ConfigSource::Default };
        let described = DescribedConfig {
            name,
            synonyms: vec![default],
            read_only: true,
            config_type: config_type(setting),
            documentation: setting.documentation,
        };
        Some((setting.name, described))
    })
}

fn refusal(settings: &[BrokerSetting], name: &str) -> BrokerConfigError {
    if let Some(setting) = settings.iter().find(|setting| setting.name == name) {
        return BrokerConfigError::AtStart { name: setting.name, key: setting.name };
    }
    if let Some((name, key)) = KAFKA_NAMES.iter().find(|(kafka, _)| *kafka == name) {
        return BrokerConfigError::AtStart { name, key };
    }
    if let Some((setting, described)) = defaults_of_topics().find(|(_, described)| described.name == name) {
        return BrokerConfigError::OfTopics { name: described.name, setting };
    }
    // A name of any length arrives here; the distance is only taken to names of a plausible one.
    let shown: String = name.chars().take(64).collect();
    let likeness = |known: &DescribedConfig| strsim::jaro_winkler(known.name, &shown);
    let nearest = described(settings).into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    BrokerConfigError::Unknown { name: shown, nearest: nearest.map_or("", |nearest| nearest.name) }
}

impl Broker {
    /// All settings of this broker.
    ///
    /// # Errors
    /// The broker is shutting down.
    pub fn describe_broker_configs(&self, context: &Context) -> Result<Vec<DescribedConfig>, Refusal> {
        self.admission().admit(context)?;
        Ok(described(self.settings()))
    }

    /// Changes settings of the broker, which none can be while it runs: only a change that names nothing succeeds. What is
    /// told is about the first name.
    ///
    /// # Errors
    /// See [`BrokerConfigError`].
    pub fn alter_broker_configs(
        &self,
        context: &Context,
        first_name: Option<&str>,
    ) -> Result<(), BrokerConfigError> {
        self.admission().admit(context)?;
        first_name.map_or(Ok(()), |name| Err(refusal(self.settings(), name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn settings() -> Vec<BrokerSetting> {
        let setting = |name, value: &str, default, config_type| BrokerSetting {
            name,
            value: value.to_owned(),
            default,
            config_type,
            documentation: "What it is for",
        };
        vec![
            setting("default-partitions", "6", "1", ConfigType::Int),
            setting("data-dir", "./cairn-data", "./cairn-data", ConfigType::Text),
        ]
    }

    #[test]
    fn a_value_is_told_under_all_of_its_names_with_where_it_comes_from() {
        let all = described(&settings());
        let named = |name: &str| all.iter().find(|config| config.name == name).expect("described");
        for name in ["default-partitions", "num.partitions"] {
            let config = named(name);
            assert_eq!((config.value(), config.source()), ("6", ConfigSource::Broker), "{name}");
            assert_eq!(config.default_value(), "1");
            assert_eq!(config.synonyms[0].name, "default-partitions");
        }
        assert_eq!(named("log.dirs").source(), ConfigSource::Default);
        assert_eq!(named("log.retention.ms").value(), "604800000");
        assert_eq!(named("message.max.bytes").value(), "1048576");
        assert!(all.iter().all(|config| config.read_only));
        // A key that this broker does not have is not made up.
        assert!(!all.iter().any(|config| config.name == "broker.id"));
        let names: BTreeSet<_> = all.iter().map(|config| config.name).collect();
        assert_eq!(names.len(), all.len(), "a name stands there twice");
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = |name: &str| refusal(&settings(), name);
        let at_start = |name, key| BrokerConfigError::AtStart { name, key };
        assert_eq!(refused("num.partitions"), at_start("num.partitions", "default-partitions"));
        assert_eq!(refused("data-dir"), at_start("data-dir", "data-dir"));
        let of_topics = BrokerConfigError::OfTopics { name: "log.retention.ms", setting: "retention.ms" };
        assert_eq!(refused("log.retention.ms"), of_topics);
        let unknown = BrokerConfigError::Unknown { name: "num.partition".into(), nearest: "num.partitions" };
        assert_eq!(refused("num.partition"), unknown);
        assert!(refused(&"x".repeat(1 << 20)).to_string().len() < 200);
    }
}
