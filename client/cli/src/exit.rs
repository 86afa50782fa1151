//! The exit codes, in one table: scripts decide by them, so a number never changes its meaning.

use std::{fmt::Write, process::ExitCode};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All that was asked for is done.
    Done,
    /// It was refused or failed, or damage was found.
    Failed,
    /// The command line is wrong; nothing was tried.
    Usage,
    /// No broker answered.
    Unreachable,
    /// The topic, partition or group does not exist.
    NotFound,
    /// Records may or may not have been written.
    OutcomeUnknown,
    /// Ctrl-C.
    Interrupted,
    /// The reader of standard output went away.
    ClosedPipe,
}

/// One row: the case, its number, its name in JSON errors, its meaning in `--help`.
type Row = (Exit, u8, &'static str, &'static str);

const TABLE: &[Row] = &[
    (Exit::Done, 0, "done", "done; for produce: every line is acknowledged"),
    (Exit::Failed, 1, "failed", "refused or failed; for verify: damage was found"),
    (Exit::Usage, 2, "usage", "the command line is wrong; nothing was tried"),
    (Exit::Unreachable, 3, "broker-unreachable", "no broker answered at the addresses given"),
    (Exit::NotFound, 4, "not-found", "the topic, partition or group does not exist"),
    (Exit::OutcomeUnknown, 5, "outcome-unknown", "some records may or may not have been written"),
    (Exit::Interrupted, 130, "interrupted", "interrupted by Ctrl-C"),
    (Exit::ClosedPipe, 141, "closed-pipe", "the reader of standard output went away (as in `| head -1`)"),
];

impl Exit {
    fn row(self) -> Row {
        let found = TABLE.iter().find(|(case, ..)| *case == self);
        found.copied().unwrap_or((Exit::Failed, 1, "failed", ""))
    }

    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        self.row().1
    }

    /// The name in JSON errors.
    pub(crate) fn name(self) -> &'static str {
        self.row().2
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

/// The table as `cairn --help` prints it.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for (_, number, _, meaning) in TABLE {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {number:>3}  {meaning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_one_row_and_a_number_of_its_own() {
        let cases = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Unreachable, 3),
            (Exit::NotFound, 4),
            (Exit::OutcomeUnknown, 5),
            (Exit::Interrupted, 130),
            (Exit::ClosedPipe, 141),
        ];
        assert_eq!(cases.len(), TABLE.len());
        for (case, number) in cases {
            assert_eq!(case.number(), number, "{case:?}");
            assert_eq!(TABLE.iter().filter(|row| row.1 == number).count(), 1);
            assert!(help().contains(case.row().3));
        }
    }
}
