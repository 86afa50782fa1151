//! What a process prints: read for ever, because a full pipe would stop it, and kept, because a warning that nobody
//! expected fails a test.

use anyhow::Context as _;
use parking_lot::Mutex;
use std::{
    io::{BufRead as _, BufReader, Read},
    process::Child,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

/// Both outputs of a process, line by line.
#[derive(Debug)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Log {
    /// Begins to read. Lines of standard output also go to `output_lines`, as long as somebody listens there.
    pub(crate) fn of(child: &mut Child, output_lines: mpsc::Sender<String>) -> anyhow::Result<Self> {
        let output = child.stdout.take().context("standard output is piped")?;
        let errors = child.stderr.take().context("standard error is piped")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            keep(output, Arc::clone(&lines), Some(output_lines)),
            keep(errors, Arc::clone(&lines), None),
        ];
        Ok(Self { lines, readers })
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.lines.lock().join("\n")
    }

    /// The lines that say that something is wrong.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.lines.lock().iter().filter(|line| is_complaint(line)).cloned().collect()
    }

    /// Both outputs are closed: the process has ended.
    pub(crate) fn wait_for_the_end(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

fn keep(
    output: impl Read + Send + 'static,
    lines: Arc<Mutex<Vec<String>>>,
    also_to: Option<mpsc::Sender<String>>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(sender) = &also_to {
                let _ = sender.send(line.clone());
            }
            lines.lock().push(line);
        }
    })
}

/// A log line of level WARN or ERROR, or a panic.
fn is_complaint(line: &str) -> bool {
    line.contains(r#""level":"WARN""#) || line.contains(r#""level":"ERROR""#) || line.contains("panicked at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_errors_and_panics_are_complaints() {
        assert!(is_complaint(r#"{"timestamp":"…","level":"WARN","fields":{"message":"x"}}"#));
        assert!(is_complaint(r#"{"timestamp":"…","level":"ERROR","fields":{"message":"x"}}"#));
        assert!(is_complaint("thread 'main' panicked at src/main.rs:1:1"));
        assert!(!is_complaint(r#"{"timestamp":"…","level":"INFO","fields":{"message":"WARN"}}"#));
    }
}
