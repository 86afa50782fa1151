//! What a command ends with when it does not succeed: what was wrong, what to do about it, and the exit code. Printed on
//! standard error, as text for people or as one JSON object for machines.

use crate::exit::Exit;
use serde_json::{Map, Value, json};
use std::io;

/// A command that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What was wrong, without a full stop.
    pub(crate) message: String,
    /// What to do, often a command to type.
    pub(crate) advice: Option<String>,
    /// Facts for machines beside the message.
    pub(crate) details: Map<String, Value>,
}

impl Failure {
    /// A failure with its message.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), advice: None, details: Map::new() }
    }

    /// Refused or failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Ctrl-C.
    pub(crate) fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    /// Standard output could not be written: a closed pipe is a quiet end, anything else an error.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::ClosedPipe, "the reader of standard output went away");
        }
        Self::failed(format!("cannot write to standard output: {error}"))
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Adds a fact for machines.
    #[must_use]
    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    /// Whether there is nobody, or no need, to tell.
    pub(crate) fn is_silent(&self) -> bool {
        self.exit == Exit::ClosedPipe
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.message);
        for line in self.advice.iter().flat_map(|advice| advice.lines()) {
            text.push_str("  ");
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// For machines: one line, one object.
    pub(crate) fn json(&self) -> String {
        let mut object = self.details.clone();
        object.insert("code".into(), self.exit.name().into());
        object.insert("exit_code".into(), self.exit.number().into());
        object.insert("message".into(), self.message.clone().into());
        object.insert("advice".into(), self.advice.clone().map_or(Value::Null, Value::String));
        let mut line = json!({ "error": object }).to_string();
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_says_what_was_wrong_and_then_what_to_do() {
        let failure = Failure::failed("no such thing").advise("type this\nor that");
        assert_eq!(failure.text(), "error: no such thing\n  type this\n  or that\n");
    }

    #[test]
    fn json_is_one_line_with_code_and_details() {
        let failure = Failure::new(Exit::NotFound, "topic \"a\nb\" does not exist").detail("acknowledged", 7);
        let line = failure.json();
        assert_eq!(line.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["error"]["code"], "not-found");
        assert_eq!(value["error"]["exit_code"], 4);
        assert_eq!(value["error"]["message"], "topic \"a\nb\" does not exist");
        assert_eq!(value["error"]["acknowledged"], 7);
        assert_eq!(value["error"]["advice"], Value::Null);
    }

    #[test]
    fn only_a_closed_pipe_is_silent() {
        assert!(Failure::output(&io::Error::from(io::ErrorKind::BrokenPipe)).is_silent());
        let full = Failure::output(&io::Error::from(io::ErrorKind::StorageFull));
        assert!(!full.is_silent());
        assert_eq!(full.exit, Exit::Failed);
    }
}
