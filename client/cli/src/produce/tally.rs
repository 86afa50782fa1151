//! What became of the lines, in three counts: acknowledged, failed, and unknown. A line is never in two of them and never
//! in none: what was not sent stands behind `lines_sent`.

use super::record::LineError;
use crate::{exit::Exit, failure::Failure, lines::InputError, table};
use cairn_client::{Delivered, ProduceError};

/// Why no further line was sent.
#[derive(Debug)]
pub(super) enum Stop {
    /// The input ended.
    End,
    /// Ctrl-C.
    Interrupted,
    /// A line that was sent is not acknowledged.
    Undelivered,
    /// The next line cannot be read.
    Input { number: u64, error: InputError },
    /// The next line makes no record.
    BadLine { number: u64, error: LineError },
    /// The next line was refused before it was sent.
    NotSent { number: u64, error: ProduceError },
}

/// Counts of lines.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Lines handed to the producer: the first so many of the input.
    pub(super) lines_sent: u64,
    /// Of these, acknowledged.
    pub(super) acknowledged: u64,
    /// Of these, certainly not in the log.
    failed: u64,
    /// Of these, perhaps in the log.
    unknown: u64,
    first_failed: Option<(u64, ProduceError)>,
    first_unknown: Option<(u64, ProduceError)>,
}

impl Tally {
    /// One line's outcome.
    pub(super) fn settle(&mut self, line: u64, outcome: Result<Delivered, ProduceError>) {
        let (count, first, error) = match outcome {
            Ok(_) => {
                self.acknowledged += 1;
                return;
            }
            Err(error) if error.nothing_appended() => (&mut self.failed, &mut self.first_failed, error),
            Err(error) => (&mut self.unknown, &mut self.first_unknown, error),
        };
        *count += 1;
        if first.as_ref().is_none_or(|(earlier, _)| line < *earlier) {
            *first = Some((line, error));
        }
    }

    /// Whether nothing was other than acknowledged.
    pub(super) fn is_all_well(&self) -> bool {
        self.failed == 0 && self.unknown == 0
    }

    /// What to say if not every line of the input is acknowledged.
    pub(super) fn failure(&self, topic: &str, stop: &Stop) -> Option<Failure> {
        if matches!(stop, Stop::End) && self.is_all_well() {
            return None;
        }
        let (cause, advice) = self.cause(topic, stop);
        let exit = match stop {
            Stop::Interrupted => Exit::Interrupted,
            _ if self.unknown > 0 => Exit::OutcomeUnknown,
            _ => cause.exit,
        };
        let Self { acknowledged, failed, unknown, .. } = self;
        let counts = format!("lines acknowledged {acknowledged}, failed {failed}, unknown {unknown}");
        let mut failure = Failure::new(exit, format!("{}; {counts}", cause.message)).advise(advice);
        failure.details = cause.details;
        let first_line = |first: &Option<(u64, ProduceError)>| first.as_ref().map(|(line, _)| *line);
        Some(
            failure
                .detail("acknowledged", *acknowledged)
                .detail("failed", *failed)
                .detail("unknown", *unknown)
                .detail("first_failed_line", first_line(&self.first_failed))
                .detail("first_unknown_line", first_line(&self.first_unknown))
                .detail("first_unsent_line", self.first_unsent(stop)),
        )
    }

    /// The first line that was read, or would have been, and not sent.
    fn first_unsent(&self, stop: &Stop) -> Option<u64> {
        (!matches!(stop, Stop::End)).then_some(self.lines_sent + 1)
    }

    /// What went wrong first, and what to do.
    fn cause(&self, topic: &str, stop: &Stop) -> (Failure, String) {
        let at_line = |line: u64, failure: Failure| {
            let message = format!("line {line}: {}", failure.message);
            Failure { message, ..failure }
        };
        let failure = match (&self.first_failed, &self.first_unknown) {
            (Some((line, error)), None) => at_line(*line, error.clone().into()),
            (None, Some((line, error))) => at_line(*line, error.clone().into()),
            (Some((failed, error)), Some((unknown, _))) if failed < unknown => {
                at_line(*failed, error.clone().into())
            }
            (Some(_), Some((line, error))) => at_line(*line, error.clone().into()),
            (None, None) => match stop {
                Stop::Input { number, error } => at_line(*number, Failure::failed(error.to_string())),
                Stop::BadLine { number, error } => at_line(*number, Failure::failed(error.to_string())),
                Stop::NotSent { number, error } => at_line(*number, error.clone().into()),
                Stop::Interrupted | Stop::End | Stop::Undelivered => Failure::interrupted(),
            },
        };
        let advice = self.advice(topic, stop, failure.advice.as_deref());
        (failure, advice)
    }

    fn advice(&self, topic: &str, stop: &Stop, first: Option<&str>) -> String {
        let mut advice: Vec<String> = first.map(|text| text.replace("TOPIC", topic)).into_iter().collect();
        if let Stop::Input { error: InputError::LineTooLong { .. }, .. } = stop {
            advice.push(format!(
                "the limit is max.message.bytes; raise it with: cairn topic alter {topic} --config max.message.bytes=BYTES"
            ));
        }
        if let Some((line, _)) = &self.first_unknown {
            advice.push(format!(
                "from line {line} on, {} may or may not be in the log: read the topic's end before sending again",
                table::counted(self.unknown, "line")
            ));
        }
        if let Some((line, _)) = &self.first_failed {
            advice.push(format!(
                "from line {line} on, not in the log: {}",
                table::counted(self.failed, "line")
            ));
        }
        if let Some(line) = self.first_unsent(stop) {
            advice.push(format!("line {line} and all behind it were not sent"));
        }
        advice.join("\n")
    }
}

#[cfg(test)]
mod tests;
