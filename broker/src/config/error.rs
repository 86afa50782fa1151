//! What can be wrong with a configuration. Each error says where it stands, what is allowed there, and names the nearest
//! known key when a name is unknown.

use super::keys::{KEYS, Key};
use std::fmt;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// Why there is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A name that is not a key.
    #[error("{origin}: there is no key {name:?}{}", nearest.as_ref().map(|key| format!("; did you mean {key:?}?")).unwrap_or_default())]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// The name.
        name: String,
        /// The known name most like it, if one is near; spelled as it would be there.
        nearest: Option<String>,
    },
    /// A value that the key does not take.
    #[error("{origin}: {key} is {value:?}; allowed is {allowed}")]
    Value {
        /// Where.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What could have been.
        allowed: String,
    },
    /// The file is not TOML.
    #[error("{path} is not valid TOML: {detail}")]
    Syntax {
        /// The file.
        path: String,
        /// Line, column and what was expected.
        detail: String,
    },
    /// Values that do not fit together.
    #[error("{0}")]
    Conflict(String),
}

/// The known key most like a name, if any is near enough to be meant.
pub(super) fn nearest(name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .map(|key| (strsim::jaro_winkler(name, key.name), key))
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .filter(|(likeness, _)| *likeness > 0.75)
        .map(|(_, key)| key)
}
