//! Every topic setting, in one table: Kafka's name and meaning, type, range, default. What the table does not have is
//! refused with the nearest name it has; what is out of range is answered with the range.

use super::Durability;
use std::collections::BTreeMap;

/// Who sets the timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer.
    CreateTime,
    /// The broker, at append.
    LogAppendTime,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Number {
        /// Smallest.
        min: i64,
        /// Greatest.
        max: i64,
    },
    /// A decimal from 0 to 1.
    Ratio,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One or more of these words, separated by commas.
    List(&'static [&'static str]),
    /// One word now; another known one is refused with the reason.
    Only {
        /// The word.
        value: &'static str,
        /// Why no other one.
        reason: &'static str,
    },
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Kafka's name, or ours where Kafka has none.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// As it would be written.
    pub default: &'static str,
    /// One sentence, with the unit.
    pub documentation: &'static str,
}

/// A week.
const WEEK_MS: &str = "604800000";
/// For ever, as Kafka writes it.
const FOREVER: &str = "9223372036854775807";
const MIB: i64 = 1 << 20;

const RETENTION_MS: &str = "retention.ms";
const RETENTION_BYTES: &str = "retention.bytes";
const SEGMENT_BYTES: &str = "segment.bytes";
const SEGMENT_MS: &str = "segment.ms";
/// A broker may be able to store only less.
pub const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
/// Also decides the partitions' records.
pub const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const TIMESTAMP_TYPE: &str = "message.timestamp.type";
const TIMESTAMP_AFTER_MAX_MS: &str = "message.timestamp.after.max.ms";
const TIMESTAMP_BEFORE_MAX_MS: &str = "message.timestamp.before.max.ms";
/// A broker's own topics are given theirs by name.
pub const CLEANUP_POLICY: &str = "cleanup.policy";
const DELETE_RETENTION_MS: &str = "delete.retention.ms";
const MIN_CLEANABLE_DIRTY_RATIO: &str = "min.cleanable.dirty.ratio";
const MIN_COMPACTION_LAG_MS: &str = "min.compaction.lag.ms";
const MAX_COMPACTION_LAG_MS: &str = "max.compaction.lag.ms";
const FLUSH_MESSAGES: &str = "flush.messages";
const FLUSH_MS: &str = "flush.ms";
const COMPRESSION_TYPE: &str = "compression.type";
/// Also decides the partitions' records.
pub const DURABILITY: &str = "durability";

/// All settings.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: RETENTION_MS,
        kind: Kind::Number { min: -1, max: i64::MAX },
        default: WEEK_MS,
        documentation: "Segments are deleted once their newest record is older than this, in milliseconds; -1 for never.",
    },
    Setting {
        name: RETENTION_BYTES,
        kind: Kind::Number { min: -1, max: i64::MAX },
        default: "-1",
        documentation: "The oldest segments of a partition are deleted while it is larger than this, in bytes; -1 for no limit.",
    },
    Setting {
        name: SEGMENT_BYTES,
        kind: Kind::Number { min: 64 << 10, max: i32::MAX as i64 },
        default: "268435456",
        documentation: "A new segment is begun before one would exceed this, in bytes.",
    },
    Setting {
        name: SEGMENT_MS,
        kind: Kind::Number { min: 1, max: i64::MAX },
        default: WEEK_MS,
        documentation: "A new segment is begun by the first append after the oldest record of one is older than this, in milliseconds.",
    },
    Setting {
        name: MAX_MESSAGE_BYTES,
        kind: Kind::Number { min: 1024, max: 8 * MIB },
        default: "1048576",
        documentation: "The largest record batch that is accepted, in bytes as sent.",
    },
    Setting {
        name: MIN_INSYNC_REPLICAS,
        kind: Kind::Number { min: 1, max: i32::MAX as i64 },
        default: "1",
        documentation: "With acks=all, how many replicas must be in sync; more than there are replicas count as all of them.",
    },
    Setting {
        name: TIMESTAMP_TYPE,
        kind: Kind::Choice(&["CreateTime", "LogAppendTime"]),
        default: "CreateTime",
        documentation: "Whether records keep the producer's timestamps or get the broker's at append.",
    },
    Setting {
        name: TIMESTAMP_AFTER_MAX_MS,
        kind: Kind::Number { min: 0, max: i64::MAX },
        default: "3600000",
        documentation: "Records stamped by the producer further than this ahead of the broker's clock are refused, in milliseconds.",
    },
    Setting {
        name: TIMESTAMP_BEFORE_MAX_MS,
        kind: Kind::Number { min: 0, max: i64::MAX },
        default: FOREVER,
        documentation: "Records stamped by the producer further than this behind the broker's clock are refused, in milliseconds.",
    },
    Setting {
        name: CLEANUP_POLICY,
        kind: Kind::List(&["delete", "compact"]),
        default: "delete",
        documentation: "What happens to old records: delete removes old segments by age and size, compact keeps the last record of each key; both may be given.",
    },
    Setting {
        name: DELETE_RETENTION_MS,
        kind: Kind::Number { min: 0, max: i64::MAX },
        default: "86400000",
        documentation: "In a compacted topic a record without a value stays at least this long behind the compaction that removed what it deletes, in milliseconds.",
    },
    Setting {
        name: MIN_CLEANABLE_DIRTY_RATIO,
        kind: Kind::Ratio,
        default: "0.5",
        documentation: "A partition is compacted once more than this share of the bytes in its closed segments was never compacted.",
    },
    Setting {
        name: MIN_COMPACTION_LAG_MS,
        kind: Kind::Number { min: 0, max: i64::MAX },
        default: "0",
        documentation: "Records younger than this are not compacted, in milliseconds since their append.",
    },
    Setting {
        name: MAX_COMPACTION_LAG_MS,
        kind: Kind::Number { min: 1, max: i64::MAX },
        default: FOREVER,
        documentation: "A partition is compacted, whatever its share, once a record that never was is older than this, in milliseconds since its append.",
    },
    Setting {
        name: COMPRESSION_TYPE,
        kind: Kind::Only { value: "producer", reason: "batches are kept as the producer sent them" },
        default: "producer",
        documentation: "Which compression batches are stored with.",
    },
    Setting {
        name: FLUSH_MESSAGES,
        kind: Kind::Number { min: 1, max: i64::MAX },
        default: FOREVER,
        documentation: "Records are synced at least once in so many. The journal is synced with every group of them, which is more often; 1 asks for durability=fsync.",
    },
    Setting {
        name: FLUSH_MS,
        kind: Kind::Number { min: 0, max: i64::MAX },
        default: FOREVER,
        documentation: "Records are synced at least this often, in milliseconds. The journal is synced as soon as the disk can, which is more often.",
    },
    Setting {
        name: DURABILITY,
        kind: Kind::Choice(&["fsync", "async"]),
        default: "fsync",
        documentation: "Whether an acknowledgement waits until the record is synced, or only until it is written.",
    },
];

/// Why a setting is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such setting.
    #[error("there is no topic setting {name:?}: did you mean {nearest:?}?")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest one.
        nearest: &'static str,
    },
    /// Not such a value.
    #[error("{name} cannot be {value:?}: use {allowed}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// Two settings that cannot both be met.
    #[error("{name} = {value} and {other} = {other_value} cannot both be met: {reason}")]
    Conflict {
        /// The one.
        name: &'static str,
        /// Its value.
        value: String,
        /// The other.
        other: &'static str,
        /// Its value.
        other_value: String,
        /// Why.
        reason: &'static str,
    },
}

/// What happens to old records; at least one of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Old segments go by age and size.
    pub delete: bool,
    /// Of each key the last record stays.
    pub compact: bool,
}

/// The settings of a topic, typed; what was not set has its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `None` for ever.
    pub retention_ms: Option<i64>,
    /// `None` for no limit.
    pub retention_bytes: Option<u64>,
    /// Bytes of a segment at most.
    pub segment_bytes: u64,
    /// Age of a segment's first record at most.
    pub segment_ms: i64,
    /// Bytes of a batch at most.
    pub max_message_bytes: usize,
    /// As configured, not yet limited by the number of replicas.
    pub min_insync_replicas: u32,
    /// Who stamps.
    pub timestamp_type: TimestampType,
    /// How far ahead of the broker's clock.
    pub timestamp_after_max_ms: i64,
    /// How far behind the broker's clock; `None` for any.
    pub timestamp_before_max_ms: Option<i64>,
    /// What happens to old records.
    pub cleanup: CleanupPolicy,
    /// How long a record without a value stays behind the compaction that obeyed it.
    pub delete_retention_ms: i64,
    /// Share of uncompacted bytes beyond which a partition is compacted, in millionths.
    pub dirty_ratio_min_millionths: u32,
    /// Younger records are not compacted.
    pub compaction_lag_min_ms: i64,
    /// Older ones are, whatever the share; `None` for never.
    pub compaction_lag_max_ms: Option<i64>,
    /// Which offsets count.
    pub durability: Durability,
}

/// The setting of that name.
///
/// # Errors
/// There is none.
pub fn setting(name: &str) -> Result<&'static Setting, ConfigError> {
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
        return Ok(setting);
    }
    // A name of any length arrives here; the distance is only taken to names of a plausible one.
    let shown: String = name.chars().take(64).collect();
    let nearest = SETTINGS
        .iter()
        .max_by(|a, b| {
            let likeness = |setting: &Setting| strsim::jaro_winkler(setting.name, &shown);
            likeness(a).total_cmp(&likeness(b))
        })
        .map_or("", |setting| setting.name);
    Err(ConfigError::Unknown { name: shown, nearest })
}

impl Setting {
    /// Whether the value is one that this setting may have.
    ///
    /// # Errors
    /// It is not; what would be.
    pub fn check(&self, value: &str) -> Result<(), ConfigError> {
        let allowed = match self.kind {
            Kind::Number { min, max } => match value.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => return Ok(()),
                _ => format!("a whole number from {min} to {max}"),
            },
            Kind::Ratio if millionths(value).is_some() => return Ok(()),
            Kind::Ratio => "a decimal from 0 to 1".into(),
            Kind::Choice(words) if words.contains(&value) => return Ok(()),
            Kind::Choice(words) => words.join(" or "),
            Kind::List(words) if items(value).all(|item| words.contains(&item)) => return Ok(()),
            Kind::List(words) => format!("{}, or several of them separated by commas", words.join(" or ")),
            Kind::Only { value: only, .. } if value == only => return Ok(()),
            Kind::Only { value: only, reason } => format!("{only} ({reason})"),
        };
        let shown = value.chars().take(64).collect();
        Err(ConfigError::Value { name: self.name, value: shown, allowed })
    }
}

/// The words of a list; blanks around them do not count.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

/// A decimal from 0 to 1 in millionths, rounded.
fn millionths(decimal: &str) -> Option<u32> {
    let ratio = decimal.parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a million")]
    Some((ratio * 1e6).round() as u32)
}

impl TopicConfig {
    /// Checks and types a topic's settings.
    ///
    /// # Errors
    /// The first one, by name, that is not known or not in range, or two that cannot both be met.
    pub fn parse(configs: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        for (name, value) in configs {
            setting(name)?.check(value)?;
        }
        let value = |name: &str| {
            let set = configs.get(name).map(String::as_str);
            set.or_else(|| setting(name).ok().map(|setting| setting.default)).unwrap_or_default()
        };
        // Everything was checked above, defaults by a test: no parse below falls back.
        let number = |name: &str| value(name).parse::<i64>().unwrap_or_default();
        let unless_negative = |number: i64| (number >= 0).then_some(number);
        let unless_forever = |number: i64| (number < i64::MAX).then_some(number);
        let conflict = |name: &'static str, other: &'static str, reason: &'static str| {
            let (value, other_value) = (value(name).to_string(), value(other).to_string());
            Err(ConfigError::Conflict { name, value, other, other_value, reason })
        };
        if number(MIN_COMPACTION_LAG_MS) > number(MAX_COMPACTION_LAG_MS) {
            let reason = "records would have to be compacted before they may be";
            return conflict(MIN_COMPACTION_LAG_MS, MAX_COMPACTION_LAG_MS, reason);
        }
        if number(FLUSH_MESSAGES) == 1 && value(DURABILITY) == "async" {
            let reason = "async acknowledges a record before it is synced";
            return conflict(FLUSH_MESSAGES, DURABILITY, reason);
        }
        let policy = |word: &str| items(value(CLEANUP_POLICY)).any(|item| item == word);
        Ok(Self {
            retention_ms: unless_negative(number(RETENTION_MS)),
            retention_bytes: u64::try_from(number(RETENTION_BYTES)).ok(),
            segment_bytes: u64::try_from(number(SEGMENT_BYTES)).unwrap_or_default(),
            segment_ms: number(SEGMENT_MS),
            max_message_bytes: usize::try_from(number(MAX_MESSAGE_BYTES)).unwrap_or_default(),
            min_insync_replicas: u32::try_from(number(MIN_INSYNC_REPLICAS)).unwrap_or_default(),
            timestamp_type: match value(TIMESTAMP_TYPE) {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_after_max_ms: number(TIMESTAMP_AFTER_MAX_MS),
            timestamp_before_max_ms: unless_forever(number(TIMESTAMP_BEFORE_MAX_MS)),
            cleanup: CleanupPolicy { delete: policy("delete"), compact: policy("compact") },
            delete_retention_ms: number(DELETE_RETENTION_MS),
            dirty_ratio_min_millionths: millionths(value(MIN_CLEANABLE_DIRTY_RATIO)).unwrap_or_default(),
            compaction_lag_min_ms: number(MIN_COMPACTION_LAG_MS),
            compaction_lag_max_ms: unless_forever(number(MAX_COMPACTION_LAG_MS)),
            durability: if value(DURABILITY) == "async" { Durability::Async } else { Durability::Fsync },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect()
    }

    #[test]
    fn defaults_pass_their_own_rules() {
        for setting in SETTINGS {
            setting.check(setting.default).expect(setting.name);
            assert!(setting.documentation.ends_with('.'), "{}", setting.name);
        }
        let config = TopicConfig::parse(&BTreeMap::new()).expect("defaults");
        assert_eq!(config.retention_ms, Some(604_800_000));
        assert_eq!(config.retention_bytes, None);
        assert_eq!(config.segment_bytes, 256 << 20);
        assert_eq!(config.max_message_bytes, 1 << 20);
        assert_eq!(config.min_insync_replicas, 1);
        assert_eq!(config.timestamp_after_max_ms, 3_600_000);
        assert_eq!(config.timestamp_before_max_ms, None);
        assert_eq!(config.cleanup, CleanupPolicy { delete: true, compact: false });
        assert_eq!(config.delete_retention_ms, 86_400_000);
        assert_eq!(config.dirty_ratio_min_millionths, 500_000);
        assert_eq!((config.compaction_lag_min_ms, config.compaction_lag_max_ms), (0, None));
        assert_eq!(config.durability, Durability::Fsync);
    }

    #[test]
    fn set_values_are_taken() {
        let set = configs(&[
            ("retention.ms", "-1"),
            ("retention.bytes", "5"),
            ("durability", "async"),
            ("message.timestamp.type", "LogAppendTime"),
            ("cleanup.policy", "compact, delete"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("max.compaction.lag.ms", "7"),
            ("flush.messages", "2"),
        ]);
        let config = TopicConfig::parse(&set).expect("valid");
        assert_eq!(config.retention_ms, None);
        assert_eq!(config.retention_bytes, Some(5));
        assert_eq!(config.durability, Durability::Async);
        assert_eq!(config.timestamp_type, TimestampType::LogAppendTime);
        assert_eq!(config.cleanup, CleanupPolicy { delete: true, compact: true });
        assert_eq!(config.dirty_ratio_min_millionths, 10_000);
        assert_eq!(config.compaction_lag_max_ms, Some(7));
        let only = TopicConfig::parse(&configs(&[("cleanup.policy", "compact")])).expect("valid");
        assert_eq!(only.cleanup, CleanupPolicy { delete: false, compact: true });
    }

    #[test]
    fn what_cannot_both_be_met_is_refused() {
        for (pairs, named) in [
            (
                [("min.compaction.lag.ms", "8"), ("max.compaction.lag.ms", "7")],
                "min.compaction.lag.ms = 8 and max.compaction.lag.ms = 7",
            ),
            ([("flush.messages", "1"), ("durability", "async")], "flush.messages = 1 and durability = async"),
        ] {
            let error = TopicConfig::parse(&configs(&pairs)).expect_err(named);
            assert!(error.to_string().contains(named), "{error}");
        }
        TopicConfig::parse(&configs(&[("flush.messages", "1")])).expect("the default durability meets it");
    }

    #[test]
    fn a_typo_names_its_neighbour_and_a_wrong_value_its_range() {
        let error = TopicConfig::parse(&configs(&[("retention.m", "1")])).expect_err("a typo");
        assert_eq!(error, ConfigError::Unknown { name: "retention.m".into(), nearest: "retention.ms" });
        let error = TopicConfig::parse(&configs(&[("segment.bytes", "1")])).expect_err("too small");
        assert!(error.to_string().contains("65536 to 2147483647"), "{error}");
        for (name, value) in [
            ("retention.ms", "-2"),
            ("retention.ms", "9223372036854775808"),
            ("retention.ms", ""),
            ("min.insync.replicas", "0"),
            ("durability", "FSYNC"),
            ("max.message.bytes", "1e6"),
            ("cleanup.policy", ""),
            ("cleanup.policy", "compact,"),
            ("cleanup.policy", "compact,remove"),
            ("min.cleanable.dirty.ratio", "1.1"),
            ("min.cleanable.dirty.ratio", "-0.1"),
            ("min.cleanable.dirty.ratio", "NaN"),
        ] {
            TopicConfig::parse(&configs(&[(name, value)])).expect_err(value);
        }
        let error = TopicConfig::parse(&configs(&[("cleanup.policy", "compacted")])).expect_err("no word");
        assert!(error.to_string().contains("use delete or compact, or several"), "{error}");
        let long = "x".repeat(1 << 20);
        assert!(setting(&long).expect_err("unknown").to_string().len() < 200);
    }
}
