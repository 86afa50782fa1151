//! Real broker processes: started on ports of their own, asked for their addresses, killed by their id, and never left
//! behind: whatever a test does, dropping a [`BrokerProcess`] ends the process.

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader},
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
        let mut words: Vec<OsString> = self.wrapper.clone();
        words.push(self.program.clone().into());
        let (first, rest) = words.split_first().context("no program")?;
        let mut command = Command::new(first);
        command
            .args(rest)
            .arg("--data-dir")
            .arg(&self.data_directory)
            .args(["--listen-grpc", grpc_address, "--listen-http", "127.0.0.1:0"])
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().with_context(|| format!("starting {}", first.display()))?;
        let mut process = BrokerProcess {
            child,
            grpc_address: String::new(),
            http_address: String::new(),
            log: mpsc::channel().1,
        };
        process.wait_until_ready(started)?;
        Ok(process)
    }
}

/// A running broker. Ends with it when dropped.
#[derive(Debug)]
pub struct BrokerProcess {
    child: Child,
    grpc_address: String,
    http_address: String,
    log: mpsc::Receiver<String>,
}

impl BrokerProcess {
    /// Where its gRPC clients connect.
    pub fn grpc_address(&self) -> &str {
        &self.grpc_address
    }

    /// Where it answers `/livez`, `/readyz` and `/metrics`.
    pub fn http_address(&self) -> &str {
        &self.http_address
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
    /// It cannot be waited for.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Errors
    /// It did not end within the given time.
    pub fn terminate(mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the broker did not end within {within:?} after SIGTERM; it said:\n{}", self.said())
    }

    /// What it has logged since the last call.
    pub fn said(&self) -> String {
        self.log.try_iter().collect::<Vec<_>>().join("\n")
    }

    /// Reads both outputs for ever (a full pipe would stop the broker) and waits for the addresses on standard output.
    fn wait_until_ready(&mut self, started: Instant) -> anyhow::Result<()> {
        let (to_log, log) = mpsc::channel();
        self.log = log;
        let (to_addresses, addresses) = mpsc::channel();
        let output = self.child.stdout.take().context("piped")?;
        let errors = self.child.stderr.take().context("piped")?;
        let to_log_too = to_log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((listener, address)) = address_in(&line) {
                    let _ = to_addresses.send((listener.to_string(), address.to_string()));
                }
                let _ = to_log_too.send(line);
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let _ = to_log.send(line);
            }
        });
        while self.grpc_address.is_empty() || self.http_address.is_empty() {
            let left = READY_WITHIN.saturating_sub(started.elapsed());
            match addresses.recv_timeout(left) {
                Ok((listener, address)) if listener == "grpc" => self.grpc_address = address,
                Ok((_, address)) => self.http_address = address,
                Err(_) => {
                    std::thread::sleep(Duration::from_millis(50));
                    let ended = self.child.try_wait()?;
                    bail!(
                        "the broker is not ready after {:?} ({ended:?}); it said:\n{}",
                        started.elapsed(),
                        self.said()
                    )
                }
            }
        }
        Ok(())
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The listener and the address that a line of the broker's readiness message names, if it does.
fn address_in(line: &str) -> Option<(&'static str, &str)> {
    let lower = line.to_ascii_lowercase();
    let listener = ["grpc", "http"].into_iter().find(|name| lower.trim_start().starts_with(name))?;
    let address = line.split_whitespace().map(|word| word.trim_start_matches("http://")).find(|word| {
        word.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    })?;
    Some((listener, address))
}
