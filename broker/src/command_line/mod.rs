//! From the arguments of a process to its exit code: reads the configuration, starts a [`Node`], waits for a signal, stops
//! it. Everything that the broker prints on stdout is printed here.

mod arguments;
mod descriptors;
mod exit_code;
mod greeting;
mod signals;

pub use exit_code::Exit;

use crate::{
    config::{Config, ConfigError, LogFormat, Resolved, Sources},
    disk::{OsDisk, SharedDisk, read_file},
    node::{Node, NodeFailure},
    telemetry,
};
use signals::Signals;
use std::{ffi::OsString, path::Path, process::ExitCode};

/// No configuration file is longer.
const CONFIG_FILE_BYTES_MAX: usize = 1 << 20;

/// The broker's `main`: `arguments` begin with the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let given = match arguments::parse(arguments) {
        Ok(given) => given,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Clean };
            // A closed pipe is nobody's problem here.
            let _ = error.print();
            return exit.into();
        }
    };
    let resolved = match resolve(given.config_file.as_deref(), given.flags) {
        Ok(resolved) => resolved,
        Err(error) => {
            greeting::complain(&error.to_string());
            return Exit::Usage.into();
        }
    };
    if given.print_config {
        greeting::say(&resolved.to_toml());
        return Exit::Clean.into();
    }
    serve(&resolved).into()
}

/// Reads the file if one is named, and puts all sources together.
fn resolve(config_file: Option<&str>, flags: Vec<(String, String)>) -> Result<Resolved, ConfigError> {
    let file = match config_file {
        None => None,
        Some(path) => Some((path.to_owned(), read_text(path)?)),
    };
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .collect();
    Resolved::from_sources(Sources { file, environment, flags })
}

fn read_text(path: &str) -> Result<String, ConfigError> {
    let bytes = read_file(&*OsDisk::shared(), Path::new(path), CONFIG_FILE_BYTES_MAX)
        .map_err(|error| ConfigError::Conflict(format!("configuration file: {error}")))?;
    String::from_utf8(bytes).map_err(|error| ConfigError::Syntax {
        path: path.into(),
        detail: format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()),
    })
}

fn serve(resolved: &Resolved) -> Exit {
    let config = &resolved.config;
    if let Err(problem) = start_log(config) {
        greeting::complain(&problem);
        return Exit::Usage;
    }
    descriptors::allow(config.connections_max, config.segment_open_max);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.async_threads)
        .max_blocking_threads(config.blocking_threads_max)
        .thread_name("cairn-async")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            greeting::complain(&format!("cannot start the threads that serve connections: {error}"));
            return Exit::Runtime;
        }
    };
    runtime.block_on(async {
        match start_and_wait(resolved).await {
            Ok(()) => Exit::Clean,
            Err((exit, problem)) => {
                tracing::error!("{problem}");
                exit
            }
        }
    })
}

fn start_log(config: &Config) -> Result<(), String> {
    let format = match config.log_format {
        LogFormat::Text => telemetry::tracing::Format::Text,
        LogFormat::Json => telemetry::tracing::Format::Json,
    };
    telemetry::tracing::start(format, &config.log_level)
}

async fn start_and_wait(resolved: &Resolved) -> Result<(), (Exit, String)> {
    let disk = disk().map_err(|problem| (Exit::Usage, problem))?;
    let mut signals = Signals::catch().map_err(|error| (Exit::Runtime, error))?;
    let mut node = Node::start_on(disk, resolved.config.clone())
        .await
        .map_err(|error| (Exit::of_start(&error), error.to_string()))?;
    greeting::say(&greeting::ready(&node));
    tokio::select! {
        name = signals.next() => tracing::info!("{name}: shutting down"),
        failure = node.failed() => match failure {
            NodeFailure::Metadata(problem) => return Err((Exit::Metadata, problem)),
            NodeFailure::Listener(problem) => return Err((Exit::Runtime, problem)),
        },
    }
    tokio::select! {
        outcome = node.shutdown() => outcome.map_err(|error| (Exit::Runtime, error.to_string())),
        name = signals.next() => Err((Exit::Runtime, format!("{name} again: stopped at once, without a clean shutdown"))),
    }
}

#[cfg(not(feature = "planted-bugs"))]
#[expect(clippy::unnecessary_wraps, reason = "a build with planted bugs can refuse")]
fn disk() -> Result<SharedDisk, String> {
    Ok(OsDisk::shared())
}

#[cfg(feature = "planted-bugs")]
fn disk() -> Result<SharedDisk, String> {
    use crate::disk::planted::{Plant, PlantedDisk};
    let disk = OsDisk::shared();
    let Ok(name) = std::env::var("CAIRN_PLANTED_BUG") else { return Ok(disk) };
    let plant = Plant::named(&name).ok_or_else(|| format!("CAIRN_PLANTED_BUG: there is no bug {name:?}"))?;
    tracing::warn!("PLANTED BUG {name}: this broker LOSES DATA on purpose; it is for tests only");
    Ok(PlantedDisk::shared(disk, plant))
}
