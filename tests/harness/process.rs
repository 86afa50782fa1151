//! Real broker processes: started on ports of their own, asked for their addresses, killed by their id, and never left
//! behind: whatever a test does, dropping a [`BrokerProcess`] ends the process.

use super::log::Log;
use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// How long a broker may take to be ready on a machine that is busy with other tests.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How to start a broker.
#[derive(Clone, Debug)]
pub struct BrokerCommand {
    program: PathBuf,
    data_directory: PathBuf,
    wrapper: Vec<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    http_address: String,
    kafka_address: String,
    expected_complaints: Vec<String>,
}

impl BrokerCommand {
    /// The given program on the given data directory.
    pub fn new(program: impl Into<PathBuf>, data_directory: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            data_directory: data_directory.into(),
            wrapper: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            http_address: "127.0.0.1:0".into(),
            kafka_address: "127.0.0.1:0".into(),
            expected_complaints: Vec::new(),
        }
    }

    /// A program (with its arguments) that runs the broker, `strace` say. Signals then go to the wrapper.
    #[must_use]
    pub fn wrapped_in<S: Into<OsString>>(mut self, wrapper: impl IntoIterator<Item = S>) -> Self {
        self.wrapper = wrapper.into_iter().map(Into::into).collect();
        self
    }

    /// One more argument of the broker.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// One more environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Another address for the HTTP listener than a free port.
    #[must_use]
    pub fn http_address(mut self, address: impl Into<String>) -> Self {
        self.http_address = address.into();
        self
    }

    /// Another address for the Kafka listener than a free port; `off` for none.
    #[must_use]
    pub fn kafka_address(mut self, address: impl Into<String>) -> Self {
        self.kafka_address = address.into();
        self
    }

    /// A WARN or ERROR with this text in it is what this scenario is about, and fails no test.
    #[must_use]
    pub fn expecting_complaint(mut self, text: &str) -> Self {
        self.expected_complaints.push(text.into());
        self
    }

    /// Where its data lies.
    pub fn data_directory(&self) -> &Path {
        &self.data_directory
    }

    /// Starts it on free ports and waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started, or ends or says nothing before it is ready; what it printed is in the error.
    pub fn start(&self) -> anyhow::Result<BrokerProcess> {
        self.start_at("127.0.0.1:0")
    }

    /// The same with its gRPC listener at the given address, for a restart that its clients do not notice.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_at(&self, grpc_address: &str) -> anyhow::Result<BrokerProcess> {
        let started = Instant::now();
        let mut child = self.command(grpc_address)?.spawn().context("starting the broker")?;
        let (to_lines, lines) = mpsc::channel();
        let log = Log::of(&mut child, to_lines)?;
        let mut process = BrokerProcess {
            child,
            grpc_address: String::new(),
            kafka_address: String::new(),
            http_address: String::new(),
            ready_after: Duration::ZERO,
            log,
            expected_complaints: self.expected_complaints.clone(),
        };
        process.wait_until_ready(started, &lines)?;
        Ok(process)
    }

    /// Starts a broker and kills it (SIGKILL) after this time, whatever it is doing.
    ///
    /// # Errors
    /// It cannot be started, or ended by itself.
    pub fn start_and_kill_after(&self, grpc_address: &str, after: Duration) -> anyhow::Result<()> {
        let mut child = self.command(grpc_address)?.spawn().context("starting the broker")?;
        let mut log = Log::of(&mut child, mpsc::channel().0)?;
        std::thread::sleep(after);
        let ended = child.try_wait()?;
        child.kill()?;
        child.wait()?;
        log.wait_for_the_end();
        ensure!(ended.is_none(), "the broker ended by itself ({ended:?}); it said:\n{}", log.text());
        Ok(())
    }

    /// Runs a broker that is not expected to become ready: how it ended, and all that it said.
    ///
    /// # Errors
    /// It did not end within the given time.
    pub fn refused(&self, grpc_address: &str, within: Duration) -> anyhow::Result<(ExitStatus, String)> {
        let mut child = self.command(grpc_address)?.spawn().context("starting the broker")?;
        let mut log = Log::of(&mut child, mpsc::channel().0)?;
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait()? {
                log.wait_for_the_end();
                return Ok((status, log.text()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill()?;
        child.wait()?;
        bail!("the broker did not end within {within:?}; it said:\n{}", log.text())
    }

    fn command(&self, grpc_address: &str) -> anyhow::Result<Command> {
        let mut words: Vec<OsString> = self.wrapper.clone();
        words.push(self.program.clone().into());
        let (first, rest) = words.split_first().context("no program")?;
        let mut command = Command::new(first);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CAIRN_") {
                command.env_remove(name);
            }
        }
        command
            .args(rest)
            .arg("--data-dir")
            .arg(&self.data_directory)
            .args([
                "--listen-grpc",
                grpc_address,
                "--listen-http",
                &self.http_address,
                "--listen-kafka",
                &self.kafka_address,
                "--log-format",
                "json",
            ])
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(command)
    }
}

/// A running broker. Ends with it when dropped; a complaint in its log that nobody expected fails the test then.
#[derive(Debug)]
pub struct BrokerProcess {
    child: Child,
    grpc_address: String,
    kafka_address: String,
    http_address: String,
    ready_after: Duration,
    log: Log,
    expected_complaints: Vec<String>,
}

impl BrokerProcess {
    /// Where its gRPC clients connect.
    pub fn grpc_address(&self) -> &str {
        &self.grpc_address
    }

    /// Where its Kafka clients connect; empty when that listener is off.
    pub fn kafka_address(&self) -> &str {
        &self.kafka_address
    }

    /// Where it answers `/livez`, `/readyz` and `/metrics`.
    pub fn http_address(&self) -> &str {
        &self.http_address
    }

    /// From its start to its readiness message.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The process id (of the wrapper, if there is one).
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(id, signal).context("sending a signal")
    }

    /// `kill -9`, and waits for the end.
    ///
    /// # Errors
    /// It cannot be waited for, or had ended by itself, or complained of something in its log.
    pub fn kill(mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        self.child.kill()?;
        self.child.wait()?;
        if let Some(status) = ended {
            bail!("the broker had ended by itself ({status}); it said:\n{}", self.said())
        }
        self.no_complaints()
    }

    /// Sends a signal that asks it to end, SIGTERM or SIGINT, and waits for that.
    ///
    /// # Errors
    /// It did not end within the given time, or complained of something in its log.
    pub fn stop(mut self, signal: Signal, within: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(signal)?;
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                self.no_complaints()?;
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the broker did not end within {within:?} after {signal:?}; it said:\n{}", self.said())
    }

    /// Everything that it has printed so far.
    pub fn said(&self) -> String {
        self.log.text()
    }

    /// What it has printed so far about something being wrong, without what the scenario expects.
    pub fn complaints(&self) -> Vec<String> {
        let expected = |line: &String| self.expected_complaints.iter().any(|text| line.contains(text));
        self.log.complaints().into_iter().filter(|line| !expected(line)).collect()
    }

    /// From now on a complaint with this text in it is expected.
    pub fn expect_complaint(&mut self, text: &str) {
        self.expected_complaints.push(text.into());
    }

    fn no_complaints(&mut self) -> anyhow::Result<()> {
        self.log.wait_for_the_end();
        let complaints = self.complaints();
        self.expected_complaints.push(String::new());
        ensure!(complaints.is_empty(), "the broker complained:\n{}", complaints.join("\n"));
        Ok(())
    }

    /// Waits for the addresses on standard output.
    fn wait_until_ready(&mut self, started: Instant, lines: &mpsc::Receiver<String>) -> anyhow::Result<()> {
        while self.grpc_address.is_empty() || self.http_address.is_empty() {
            let left = READY_WITHIN.saturating_sub(started.elapsed());
            let line = lines.recv_timeout(left);
            let Ok(line) = line else {
                // Its output ended: so does it.
                let is_over = line == Err(mpsc::RecvTimeoutError::Disconnected);
                let ended = if is_over { Some(self.child.wait()?) } else { self.child.try_wait()? };
                self.expected_complaints.push(String::new());
                if ended.is_some() {
                    self.log.wait_for_the_end();
                }
                bail!(
                    "the broker is not ready after {:?} ({ended:?}); it said:\n{}",
                    started.elapsed(),
                    self.said()
                )
            };
            match address_in(&line) {
                Some((Listener::Grpc, address)) => self.grpc_address = address.to_string(),
                Some((Listener::Kafka, address)) => self.kafka_address = address.to_string(),
                Some((Listener::Http, address)) => self.http_address = address.to_string(),
                None => {}
            }
        }
        self.ready_after = started.elapsed();
        Ok(())
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Err(complained) = self.no_complaints()
            && !std::thread::panicking()
        {
            panic!("{complained}");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listener {
    Grpc,
    Kafka,
    Http,
}

/// The listener and the address that a line of the broker's readiness message names, if it does.
fn address_in(line: &str) -> Option<(Listener, &str)> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace)?;
    let word = rest.split_whitespace().next()?;
    match name {
        "grpc" => Some((Listener::Grpc, word)),
        "kafka" => Some((Listener::Kafka, word)),
        "http" => Some((Listener::Http, word)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_the_readiness_message() {
        let grpc = address_in("  grpc  127.0.0.1:9095  (clients)");
        assert_eq!(grpc, Some((Listener::Grpc, "127.0.0.1:9095")));
        let kafka = address_in("  kafka 127.0.0.1:9092  (Kafka clients)");
        assert_eq!(kafka, Some((Listener::Kafka, "127.0.0.1:9092")));
        let http = address_in("  http  127.0.0.1:9644  (/livez, /readyz, /metrics)");
        assert_eq!(http, Some((Listener::Http, "127.0.0.1:9644")));
        assert_eq!(address_in("cairn-broker is ready"), None);
        assert_eq!(address_in("  data      /tmp/x"), None);
    }
}
