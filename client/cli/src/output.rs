//! Standard output and standard error of a command: every byte the program prints goes through here, so that a closed pipe
//! is one quiet error and never a panic.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Who reads the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Tables and sentences for people.
    #[default]
    Table,
    /// One JSON object, or one a line where there are many.
    Json,
}

/// Writes what a command has to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: OutputFormat,
}

impl Output {
    /// Output in this format.
    pub(crate) fn new(format: OutputFormat) -> Self {
        Self { format }
    }

    /// Whether a machine reads it.
    pub(crate) fn is_json(self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Prints `text` for people, or `value` for machines, whichever is wanted.
    pub(crate) fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.is_json() { print_bytes(&json_line(value)?) } else { print_bytes(text().as_bytes()) }
    }

    /// Prints a failure on standard error. Nothing more can be done where that fails too.
    pub(crate) fn print_failure(self, failure: &Failure) {
        if !failure.is_silent() {
            let text = if self.is_json() { failure.json() } else { failure.text() };
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}

/// One value on a line of its own.
pub(crate) fn json_line(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut line = serde_json::to_vec(value)
        .map_err(|error| Failure::failed(format!("cannot write the result as JSON: {error}")))?;
    line.push(b'\n');
    Ok(line)
}

/// Writes to standard output and flushes.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| Failure::output(&error))
}

/// Whether somebody watches standard error, so that progress is worth drawing.
pub(crate) fn progress_is_visible() -> bool {
    io::stderr().is_terminal()
}
