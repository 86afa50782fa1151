//! The log: lines on stderr, for people or for machines. Started once a process, by the command line; a broker that is
//! started inside a test logs wherever that test does.

use tracing_subscriber::{EnvFilter, fmt};

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// Starts the log of this process.
///
/// # Errors
/// The directives cannot be read, or a log was started before.
pub fn start(format: Format, directives: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(directives)
        .map_err(|error| format!("log-level {directives:?} is not a filter: {error}; allowed is error, warn, info, debug, trace, or target=level,…"))?;
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        Format::Text => log.try_init(),
        Format::Json => log.json().try_init(),
    }
    .map_err(|error| format!("the log cannot be started: {error}"))
}
