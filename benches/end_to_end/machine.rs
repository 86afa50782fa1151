//! Where the rows run: a scratch directory on the disk under test, the two programs, and how to drive them.

use anyhow::{Context as _, bail};
use cairn_tests::process::{BrokerCommand, BrokerProcess};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What every row needs.
pub(crate) struct Machine {
    scratch: tempfile::TempDir,
    /// Smaller amounts, for a look; figures of a quick run count for nothing.
    pub(crate) quick: bool,
}

impl Machine {
    /// Takes the directory named by `CAIRN_BENCH_DIR` (on the disk under test), else one beside the build.
    pub(crate) fn new(quick: bool) -> anyhow::Result<Self> {
        let target = Path::new(env!("CARGO_BIN_EXE_bench-cairn-broker")).parent().context("a directory")?;
        let parent = std::env::var_os("CAIRN_BENCH_DIR").map_or_else(|| target.to_path_buf(), PathBuf::from);
        Ok(Self { scratch: tempfile::tempdir_in(parent)?, quick })
    }

    /// This many, or a fiftieth of it in a quick run.
    pub(crate) fn amount(&self, full: u64) -> u64 {
        if self.quick { full / 50 } else { full }
    }

    /// A directory of its own on the disk under test, removed when dropped.
    pub(crate) fn directory(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(self.scratch.path())?)
    }

    /// A broker on a data directory.
    pub(crate) fn broker(&self, data_directory: &Path) -> BrokerCommand {
        BrokerCommand::new(env!("CARGO_BIN_EXE_bench-cairn-broker"), data_directory)
    }
}

/// Runs the command line against a broker and gives the JSON that it printed.
pub(crate) fn cairn(broker: &BrokerProcess, arguments: &[&str]) -> anyhow::Result<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_bench-cairn"))
        .args(["--broker", broker.grpc_address(), "--output", "json"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!("cairn {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    serde_json::from_str(text.trim())
        .with_context(|| format!("the output of cairn {}: {text}", arguments.join(" ")))
}

/// Creates a topic.
pub(crate) fn create_topic(broker: &BrokerProcess, name: &str, partitions: u32) -> anyhow::Result<()> {
    cairn(broker, &["topic", "create", name, "--partitions", &partitions.to_string()]).map(drop)
}

/// A number out of the JSON object of a benchmark: `/latency_us/p50`, say.
pub(crate) fn number(report: &Value, pointer: &str) -> anyhow::Result<f64> {
    report.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer} in {report}"))
}
