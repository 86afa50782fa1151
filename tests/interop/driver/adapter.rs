//! Runs the adapters: each in a process group of its own, so that what an adapter has started ends with it, and none
//! longer than its time. What it says are JSON lines.

use super::records::Record;
use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Longer than any command takes on a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(90);
/// How much of what an adapter complained is shown.
const COMPLAINT_BYTES_MAX: usize = 3000;

/// What an adapter says of itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    /// As people call it.
    pub(crate) client: String,
    pub(crate) version: String,
    pub(crate) language: String,
    /// Capabilities that the client does not have, and why.
    pub(crate) cannot: BTreeMap<String, String>,
    /// Programs that are run for what they are (Kafka's own tools).
    #[serde(default)]
    pub(crate) tools: Vec<String>,
}

/// One client: how its adapter is started, and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    /// In names of topics and groups.
    pub(crate) id: &'static str,
    words: Vec<String>,
    home: String,
    pub(crate) about: About,
}

impl Adapter {
    /// Asks it what it is.
    pub(crate) fn new(id: &'static str, words: Vec<String>, home: &Path) -> Result<Self> {
        let about = About {
            client: id.into(),
            version: String::new(),
            language: String::new(),
            cannot: BTreeMap::new(),
            tools: Vec::new(),
        };
        let home = home.to_str().context("a path that is text")?.to_owned();
        let mut adapter = Self { id, words, home, about };
        let lines = adapter.run(&["about"], Vec::new())?;
        adapter.about = serde_json::from_str(lines.first().context("it says nothing of itself")?)?;
        Ok(adapter)
    }

    /// Starts a command.
    pub(crate) fn start(&self, arguments: &[&str]) -> Result<Running> {
        let (program, words) = self.words.split_first().context("no program")?;
        let mut child = Command::new(program)
            .args(words)
            .args(arguments)
            .env("INTEROP_HOME", &self.home)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {program}; has tests/interop/install been run?"))?;
        let (to_lines, lines) = channel();
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let mut complaints = child.stderr.take().context("its complaints")?;
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if to_lines.send(line).is_err() {
                    break;
                }
            }
        });
        let complaints = std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = complaints.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        let what = format!("{} {}", self.about.client, arguments.join(" "));
        let input = child.stdin.take();
        Ok(Running {
            what,
            child,
            input,
            lines,
            complaints: Some(complaints),
            deadline: Instant::now() + ENDS_WITHIN,
        })
    }

    /// Runs a command to its end; what it said.
    pub(crate) fn run(&self, arguments: &[&str], input: Vec<u8>) -> Result<Vec<String>> {
        let mut running = self.start(arguments)?;
        let mut to = running.input.take().context("its input")?;
        // It may say much before it has read everything.
        let writing = std::thread::spawn(move || to.write_all(&input));
        let said = running.finish();
        let written = writing.join().expect("no panic");
        let said = said?;
        written.context("writing its input")?;
        Ok(said)
    }

    /// Runs a command that says records, at its end exactly `count`. Its input stays open meanwhile.
    pub(crate) fn records(&self, arguments: &[&str], count: usize) -> Result<Vec<Record>> {
        let count_text = count.to_string();
        let arguments = [arguments, &["--count", &count_text]].concat();
        let mut running = self.start(&arguments)?;
        let input = running.input.take();
        let lines = running.finish()?;
        drop(input);
        let records: Vec<Record> = lines.iter().map(|line| Record::parse(line)).collect::<Result<_>>()?;
        ensure!(records.len() == count, "{} records, not {count}", records.len());
        Ok(records)
    }
}

/// An adapter at work. Dropped, it and all that it has started are killed.
pub(crate) struct Running {
    what: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Until it has ended.
    complaints: Option<JoinHandle<String>>,
    deadline: Instant,
}

impl Running {
    /// The next record, if one comes in this time.
    ///
    /// # Errors
    /// It has ended, or says something else.
    pub(crate) fn record_within(&mut self, within: Duration) -> Result<Option<Record>> {
        match self.lines.recv_timeout(within) {
            Ok(line) => Record::parse(&line).map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                let said = self.end();
                bail!("{} ended: {said}", self.what)
            }
        }
    }

    /// The records that it had said.
    pub(crate) fn kill(mut self) -> Result<Vec<Record>> {
        let ended = self.child.try_wait()?;
        let said = self.end();
        ensure!(ended.is_none(), "{} had ended by itself: {said}", self.what);
        self.lines.iter().filter_map(|line| Record::parse(&line).ok()).map(Ok).collect()
    }

    /// Tells it that there is no more input.
    pub(crate) fn close_input(&mut self) {
        drop(self.input.take());
        self.deadline = Instant::now() + ENDS_WITHIN;
    }

    /// Waits for its end; what it still said.
    ///
    /// # Errors
    /// It failed, or did not end in time.
    pub(crate) fn finish(mut self) -> Result<Vec<String>> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                let complaints = self.end();
                let lines = self.lines.iter().collect();
                ensure!(status.success(), "{}: {status}: {complaints}", self.what);
                return Ok(lines);
            }
            if Instant::now() > self.deadline {
                let said = self.lines.try_iter().count();
                let complaints = self.end();
                bail!("{} did not end; it said {said} lines, and complained: {complaints}", self.what);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the process group; what it had complained of.
    fn end(&mut self) -> String {
        let Some(complaints) = self.complaints.take() else { return String::new() };
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        let complaints = complaints.join().expect("no panic");
        let from = complaints.ceil_char_boundary(complaints.len().saturating_sub(COMPLAINT_BYTES_MAX));
        complaints[from..].to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
