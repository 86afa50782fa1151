//! The broker's configuration: flags over environment over file over defaults. A [`Config`] that exists is complete and
//! every value in it is within its range; where each value came from is known.

mod error;
mod keys;
mod sources;

pub use error::{ConfigError, Origin};
pub use keys::{KEYS, Key, Kind};

use figment::{Figment, providers::Serialized, value::Dict};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Listen {
    /// Nowhere.
    Off,
    /// `HOST:PORT`.
    At(String),
}

impl From<String> for Listen {
    fn from(text: String) -> Self {
        if text == "off" { Self::Off } else { Self::At(text) }
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        match listen {
            Listen::Off => "off".into(),
            Listen::At(address) => address,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// All values. What each one is for, its default and its range stand in [`KEYS`]; the names are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the table of keys documents each of them, once")]
pub struct Config {
    pub data_dir: PathBuf,
    pub broker_id: u32,
    pub listen_grpc: Listen,
    pub listen_kafka: Listen,
    pub listen_internal: Listen,
    pub listen_http: Listen,
    pub advertise_grpc: String,
    pub advertise_kafka: String,
    pub advertise_internal: String,
    pub insecure: bool,
    pub log_format: LogFormat,
    pub log_level: String,
    pub default_partitions: u32,
    pub default_replication_factor: u32,
    pub partitions_per_topic_max: u32,
    pub partitions_max: u32,
    pub auto_create_topics: bool,
    pub offsets_topic_partitions: u32,
    pub offsets_retention_ms: u64,
    pub group_initial_rebalance_delay_ms: u64,
    pub group_session_timeout_min_ms: u64,
    pub group_session_timeout_max_ms: u64,
    pub group_members_max: usize,
    pub connections_max: usize,
    pub kafka_idle_timeout_ms: u64,
    pub streams_per_connection_max: u32,
    pub stream_window_bytes: u32,
    pub connection_window_bytes: u32,
    pub request_bytes_max: usize,
    pub request_memory_bytes_max: usize,
    pub produce_stream_bytes_max: usize,
    pub produce_stream_requests_max: usize,
    pub subscriptions_per_stream_max: usize,
    pub fetch_response_bytes: usize,
    pub fetch_response_bytes_max: usize,
    pub offset_queries_max: usize,
    pub watch_topics_max: usize,
    pub cold_reads_max: usize,
    pub request_timeout_ms: u64,
    pub keepalive_interval_ms: u64,
    pub keepalive_timeout_ms: u64,
    pub handshake_timeout_ms: u64,
    pub shutdown_timeout_ms: u64,
    pub async_threads: usize,
    pub blocking_threads_max: usize,
    pub append_lanes: usize,
    pub segment_open_max: usize,
    pub journal_ring_bytes_max: u64,
    pub journal_file_bytes_max: u64,
    pub journal_group_bytes_max: usize,
    pub journal_queue_bytes_max: usize,
    pub checkpoint_after_bytes: u64,
    pub index_interval_bytes: u64,
    pub reserve_bytes: u64,
    pub compaction_memory_bytes: usize,
    pub compaction_bytes_per_second: u64,
    pub compaction_interval_ms: u64,
    pub producer_expiry_ms: i64,
}

/// Everything a configuration is made from.
#[derive(Debug, Default)]
pub struct Sources {
    /// Path and text of the file, if there is one.
    pub file: Option<(String, String)>,
    /// The environment; only variables that begin with `CAIRN_` count.
    pub environment: Vec<(String, String)>,
    /// Name of the key and value, for each flag that was given.
    pub flags: Vec<(String, String)>,
}

/// A configuration, and where each value came from.
#[derive(Debug)]
pub struct Resolved {
    /// The values.
    pub config: Config,
    /// By key.
    pub origins: BTreeMap<&'static str, Origin>,
}

impl Resolved {
    /// Puts the sources together.
    ///
    /// # Errors
    /// The first thing wrong in any source, or values that do not fit together.
    pub fn from_sources(sources: Sources) -> Result<Self, ConfigError> {
        let mut layers = vec![defaults()];
        if let Some((path, text)) = &sources.file {
            layers.push(sources::from_file(path, text)?);
        }
        layers.push(sources::from_environment(sources.environment.into_iter())?);
        layers.push(from_flags(&sources.flags)?);
        let mut figment = Figment::new();
        let mut origins = BTreeMap::new();
        for layer in layers {
            let mut values = Dict::new();
            for setting in layer {
                values.insert(setting.key.name.to_owned(), setting.value);
                origins.insert(setting.key.name, setting.origin);
            }
            figment = figment.merge(Serialized::defaults(values));
        }
        let config: Config =
            figment.extract().map_err(|error| ConfigError::Conflict(format!("configuration: {error}")))?;
        config.check()?;
        Ok(Self { config, origins })
    }

    /// As a file that gives the same configuration again.
    pub fn to_toml(&self) -> String {
        let values = serde_json::to_value(&self.config).unwrap_or_default();
        let mut text = String::from("# Every key of cairn-broker with its value. Lines may be left out.\n");
        for key in KEYS {
            let value = values.get(key.name).map(ToString::to_string).unwrap_or_default();
            let origin = self.origins.get(key.name).unwrap_or(&Origin::Default);
            let _ = write!(
                text,
                "\n# {}.\n# {} or --{}; {}; from {origin}.\n{} = {value}\n",
                key.help,
                key.variable(),
                key.name,
                key.allowed(),
                key.name,
            );
        }
        text
    }
}

impl Default for Config {
    /// What a broker runs with when nobody says anything.
    #[expect(clippy::expect_used, reason = "the table of defaults is tested")]
    fn default() -> Self {
        Resolved::from_sources(Sources::default()).expect("the defaults are a configuration").config
    }
}

impl Config {
    fn check(&self) -> Result<(), ConfigError> {
        let not_above = [
            (
                "request-bytes-max",
                self.request_bytes_max,
                "request-memory-bytes-max",
                self.request_memory_bytes_max,
            ),
            (
                "request-bytes-max",
                self.request_bytes_max,
                "produce-stream-bytes-max",
                self.produce_stream_bytes_max,
            ),
            (
                "fetch-response-bytes",
                self.fetch_response_bytes,
                "fetch-response-bytes-max",
                self.fetch_response_bytes_max,
            ),
            ("cold-reads-max", self.cold_reads_max + 1, "blocking-threads-max", self.blocking_threads_max),
        ];
        for (smaller, value, larger, bound) in not_above {
            if value > bound {
                let said = format!(
                    "{smaller} must not exceed {larger}: {value} > {bound}; raise {larger} or lower {smaller}"
                );
                return Err(ConfigError::Conflict(said));
            }
        }
        if self.journal_file_bytes_max * 4 > self.journal_ring_bytes_max {
            let said = format!(
                "journal-ring-bytes-max must hold at least four files of journal-file-bytes-max: {} < 4 * {}",
                self.journal_ring_bytes_max, self.journal_file_bytes_max
            );
            return Err(ConfigError::Conflict(said));
        }
        Ok(())
    }
}

fn defaults() -> Vec<sources::Setting> {
    KEYS.iter().filter_map(|key| sources::setting(key, key.default, Origin::Default).ok()).collect()
}

fn from_flags(flags: &[(String, String)]) -> Result<Vec<sources::Setting>, ConfigError> {
    let mut settings = Vec::new();
    for (name, text) in flags {
        let origin = Origin::Flag(name.clone());
        let Some(key) = Key::named(name) else {
            let nearest = error::nearest(name).map(|key| key.name.to_owned());
            return Err(ConfigError::UnknownKey { origin, name: name.clone(), nearest });
        };
        settings.push(sources::setting(key, text, origin)?);
    }
    Ok(settings)
}

#[cfg(test)]
mod tests;
