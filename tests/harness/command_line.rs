//! Runs the `cairn` command line as a script would: bytes in, bytes and an exit code out.

use anyhow::{Context as _, bail};
use std::{
    ffi::OsStr,
    io::{Read as _, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a command may take that is expected to end.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// The command line, talking to one broker.
#[derive(Clone, Debug)]
pub struct CommandLine {
    program: PathBuf,
    broker: String,
}

/// What a command left behind.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// All of standard output.
    pub output: Vec<u8>,
    /// All of standard error.
    pub errors: String,
}

impl CommandLine {
    /// The given program, talking to the given broker.
    pub fn new(program: impl Into<PathBuf>, broker: impl Into<String>) -> Self {
        Self { program: program.into(), broker: broker.into() }
    }

    /// A command that is not yet started, with all its ends piped.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CAIRN_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("CAIRN_BROKER", &self.broker)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command without input to its end.
    ///
    /// # Errors
    /// It cannot be started or does not end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> anyhow::Result<Finished> {
        self.run_with_input(arguments, b"")
    }

    /// Runs a command with this input to its end.
    ///
    /// # Errors
    /// It cannot be started or does not end.
    pub fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> anyhow::Result<Finished> {
        finish(self.command(arguments).spawn().context("starting cairn")?, input, ENDS_WITHIN)
    }
}

/// Feeds a started command and waits for its end.
///
/// # Errors
/// It does not end within the given time.
pub fn finish(mut child: Child, input: &[u8], within: Duration) -> anyhow::Result<Finished> {
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A command that does not read its input closes the pipe, which is its right.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        let output = scope.spawn(move || {
            let mut bytes = Vec::new();
            stdout.map(|mut stdout| stdout.read_to_end(&mut bytes)).transpose().map(|_| bytes)
        });
        let errors = scope.spawn(move || {
            let mut bytes = Vec::new();
            stderr.map(|mut stderr| stderr.read_to_end(&mut bytes)).transpose().map(|_| bytes)
        });
        let status = wait(&mut child, within);
        if status.is_err() {
            child.kill()?;
            child.wait()?;
        }
        let output = output.join().ok().context("reading standard output")??;
        let errors = errors.join().ok().context("reading standard error")??;
        let errors = String::from_utf8_lossy(&errors).into_owned();
        let code = status.with_context(|| format!("it said: {errors}"))?;
        Ok(Finished { code, output, errors })
    })
}

fn wait(child: &mut Child, within: Duration) -> anyhow::Result<Option<i32>> {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("the command did not end within {within:?}")
}

impl Finished {
    /// Standard output as text.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> anyhow::Result<&str> {
        Ok(std::str::from_utf8(&self.output)?)
    }

    /// Standard output as one JSON value a line.
    ///
    /// # Errors
    /// A line is not JSON.
    pub fn json_lines(&self) -> anyhow::Result<Vec<serde_json::Value>> {
        let lines = self.text()?.lines();
        lines.map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))).collect()
    }

    /// Standard output as one JSON value.
    ///
    /// # Errors
    /// It is none, or several.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        let text = self.text()?;
        serde_json::from_str(text).with_context(|| format!("not one JSON value: {text:?}, {}", self.errors))
    }

    /// Itself if it ended with this exit code.
    ///
    /// # Errors
    /// It ended otherwise; what it printed is in the error.
    pub fn expect_code(self, code: i32) -> anyhow::Result<Self> {
        if self.code == Some(code) {
            return Ok(self);
        }
        let output = String::from_utf8_lossy(&self.output);
        let output: String = output.chars().take(2000).collect();
        bail!("exit code {:?} instead of {code}; output: {output}; errors: {}", self.code, self.errors)
    }
}
