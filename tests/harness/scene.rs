//! What every scenario begins with: an empty data directory, and the programs that work on it. Gone when dropped.

use crate::{
    command_line::{CommandLine, Finished},
    history::{Recorder, check},
    load::read_all,
    process::{BrokerCommand, BrokerProcess},
};
use anyhow::{Context as _, ensure};
use cairn_client::Client;
use rustix::process::Signal;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// How long a broker may take to end when asked.
pub const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// A place for one scenario.
#[derive(Debug)]
pub struct Scene {
    directory: TempDir,
    broker: PathBuf,
    cairn: PathBuf,
}

impl Scene {
    /// An empty place for the given programs.
    ///
    /// # Errors
    /// No directory can be made.
    pub fn new(broker: &str, cairn: &str) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("cairn-test-").tempdir()?;
        Ok(Self { directory, broker: broker.into(), cairn: cairn.into() })
    }

    /// A directory for whatever the scenario needs.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path().join("data-of-broker-1")
    }

    /// How to start the broker there.
    pub fn broker(&self) -> BrokerCommand {
        self.broker_on(self.data())
    }

    /// How to start the broker elsewhere.
    pub fn broker_on(&self, data_directory: impl Into<PathBuf>) -> BrokerCommand {
        BrokerCommand::new(&self.broker, data_directory)
    }

    /// A broker whose journal goes round, whose segments roll and whose checkpoints come within a short test.
    pub fn small_broker(&self) -> BrokerCommand {
        let small = [
            ("--journal-ring-bytes-max", "8388608"),
            ("--journal-file-bytes-max", "2097152"),
            ("--checkpoint-after-bytes", "1048576"),
        ];
        small.iter().fold(self.broker(), |broker, (name, value)| broker.argument(*name).argument(*value))
    }

    /// The command line, talking to a broker.
    pub fn cairn(&self, broker: &BrokerProcess) -> CommandLine {
        CommandLine::new(&self.cairn, broker.grpc_address())
    }

    /// `cairn verify` of the data directory: exit code 0 and nothing found.
    ///
    /// # Errors
    /// Damage, or no answer.
    pub fn verify_clean(&self) -> anyhow::Result<()> {
        let report = self.verify(&self.data())?.expect_code(0)?.json()?;
        let damage = report.get("damage").and_then(serde_json::Value::as_array);
        ensure!(damage.is_some_and(Vec::is_empty), "{report}");
        Ok(())
    }

    /// `cairn verify --output json` of a directory.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn verify(&self, directory: &Path) -> anyhow::Result<Finished> {
        let directory = directory.to_str().context("a path of ours")?;
        let cairn = CommandLine::new(&self.cairn, "127.0.0.1:1");
        cairn.run(["--output", "json", "verify", "--data-dir", directory])
    }
}

/// Reads the topic to its end and holds what was recorded against it.
///
/// # Errors
/// Whatever was not allowed to happen.
pub async fn judge(client: &Client, topic: &str, recorder: &Recorder) -> anyhow::Result<()> {
    recorder.read(read_all(client, topic).await?);
    let anomalies = check(&recorder.history());
    let first: Vec<_> = anomalies.iter().take(10).collect();
    ensure!(anomalies.is_empty(), "{} anomalies, the first: {first:#?}", anomalies.len());
    Ok(())
}

/// Asks the broker to end, and wants it to end as it should.
///
/// # Errors
/// It did not.
pub fn stop_cleanly(broker: BrokerProcess) -> anyhow::Result<()> {
    let status = broker.stop(Signal::TERM, ENDS_WITHIN)?;
    ensure!(status.code() == Some(0), "the broker ended with {status}");
    Ok(())
}
