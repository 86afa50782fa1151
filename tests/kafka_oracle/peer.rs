//! A real Apache Kafka for one test: in a directory of its own, on ports that were free a moment ago, and ended by its
//! process id whatever happens to the test.

use anyhow::{Context as _, Result, bail, ensure};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// A port can be taken between looking for it and using it.
const ATTEMPTS: usize = 3;

pub(crate) struct ApacheKafka {
    address: String,
    /// Ends the broker when its input ends, that is also when this process is killed.
    watchdog: Child,
    directory: TempDir,
}

impl ApacheKafka {
    /// Starts it and waits until it answers.
    pub(crate) fn start() -> Result<Self> {
        let program = std::env::var_os("CAIRN_KAFKA").map(PathBuf::from).context(
            "CAIRN_KAFKA is not set: it must name the script that runs Apache Kafka (this test compares Cairn with it)",
        )?;
        let program =
            program.canonicalize().with_context(|| format!("CAIRN_KAFKA: {}", program.display()))?;
        let directory = tempfile::Builder::new().prefix("cairn-kafka-").tempdir()?;
        share_jars(&program, directory.path())?;
        for _ in 0..ATTEMPTS {
            if let Some(address) = start_at(&program, directory.path(), two_free_ports()?)? {
                let watchdog = watch(directory.path())?;
                return Ok(Self { address, watchdog, directory });
            }
        }
        bail!("Apache Kafka does not start: {}", said(directory.path()))
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for ApacheKafka {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
        if std::thread::panicking() {
            println!("Apache Kafka said:\n{}", said(self.directory.path()));
        }
    }
}

/// The jars are fetched once for all; data is this test's own.
fn share_jars(program: &Path, directory: &Path) -> Result<()> {
    let status = Command::new(program).arg("install").stdin(Stdio::null()).status()?;
    ensure!(status.success(), "{} install: {status}", program.display());
    let temporary = std::env::var_os("TMPDIR").map_or_else(|| "/tmp".into(), PathBuf::from);
    let usual = std::env::var_os("KAFKA_PEER_DIR").map(PathBuf::from);
    let usual = usual.unwrap_or_else(|| temporary.join("cairn-peers/kafka"));
    Ok(std::os::unix::fs::symlink(usual.join("jars"), directory.join("jars"))?)
}

/// Its address, or none where it ended before it was ready.
fn start_at(program: &Path, directory: &Path, port: u16) -> Result<Option<String>> {
    let run = directory.join("run");
    if run.exists() {
        std::fs::remove_dir_all(run)?;
    }
    let started = Command::new(program)
        .args(["start", "--heap", "512m", "--port", &port.to_string()])
        .env("KAFKA_PEER_DIR", directory)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let address = String::from_utf8(started.stdout)?.trim().to_owned();
    Ok((started.status.success() && !address.is_empty()).then_some(address))
}

/// The first of two ports, one after the other, for clients and for the controller.
fn two_free_ports() -> Result<u16> {
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0")?;
        let port = first.local_addr()?.port();
        if let Some(next) = port.checked_add(1)
            && TcpListener::bind(("127.0.0.1", next)).is_ok()
        {
            return Ok(port);
        }
    }
    bail!("no two free ports")
}

/// A process that outlives this one for as long as it takes to end the broker.
fn watch(directory: &Path) -> Result<Child> {
    let id = std::fs::read_to_string(directory.join("run/1/pid"))?.trim().parse::<u32>()?;
    let watchdog = Command::new("sh")
        .args(["-c", "trap '' INT TERM HUP; read -r _; kill -KILL \"$0\"", &id.to_string()])
        .stdin(Stdio::piped())
        .spawn()?;
    Ok(watchdog)
}

fn said(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("run/1/out")).unwrap_or_default()
}
