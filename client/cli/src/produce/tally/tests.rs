//! What is said after each way in which sending may end.

use super::*;
use serde_json::Value;
use std::time::Duration;

fn delivered() -> Result<Delivered, ProduceError> {
    Ok(Delivered { topic: "t".into(), partition: 0, offset: 0, timestamp_ms: 0 })
}

fn timed_out() -> Result<Delivered, ProduceError> {
    Err(ProduceError::TimedOut { timeout: Duration::from_secs(1), reason: "no broker".into() })
}

fn unknown() -> Result<Delivered, ProduceError> {
    Err(ProduceError::OutcomeUnknown { reason: "no answer".into() })
}

fn tally(outcomes: Vec<Result<Delivered, ProduceError>>) -> Tally {
    let mut tally = Tally::default();
    for (line, outcome) in (1..).zip(outcomes) {
        tally.lines_sent = line;
        tally.settle(line, outcome);
    }
    tally
}

#[test]
fn all_acknowledged_to_the_end_is_success_and_nothing_else_is() {
    let good = tally(vec![delivered(), delivered()]);
    assert!(good.failure("t", &Stop::End).is_none());
    assert!(Tally::default().failure("t", &Stop::End).is_none());
    assert_eq!(good.failure("t", &Stop::Interrupted).unwrap().exit, Exit::Interrupted);
    for bad in [timed_out(), unknown()] {
        assert!(tally(vec![delivered(), bad]).failure("t", &Stop::End).is_some());
    }
}

#[test]
fn counts_and_first_lines_are_told_to_people_and_machines() {
    let tally = tally(vec![delivered(), timed_out(), unknown(), timed_out(), delivered()]);
    let failure = tally.failure("t", &Stop::Undelivered).unwrap();
    assert_eq!(failure.exit, Exit::OutcomeUnknown);
    let text = failure.text();
    assert!(text.starts_with("error: line 2: not delivered within 1s"), "{text}");
    assert!(text.contains("; lines acknowledged 2, failed 2, unknown 1\n"), "{text}");
    assert!(text.contains("from line 3 on, 1 line may or may not be in the log"), "{text}");
    assert!(text.contains("from line 2 on, not in the log: 2 lines"), "{text}");
    assert!(text.contains("line 6 and all behind it were not sent"), "{text}");
    let value: Value = serde_json::from_str(&failure.json()).unwrap();
    let error = &value["error"];
    assert_eq!((&error["acknowledged"], &error["failed"]), (&2.into(), &2.into()));
    assert_eq!((&error["unknown"], &error["first_unsent_line"]), (&1.into(), &6.into()));
    assert_eq!((&error["first_failed_line"], &error["first_unknown_line"]), (&2.into(), &3.into()));
}

#[test]
fn a_line_too_long_names_line_limit_and_remedy() {
    let error = InputError::LineTooLong { line_bytes_max: 1_048_588 };
    let failure = tally(vec![delivered()]).failure("orders", &Stop::Input { number: 2, error }).unwrap();
    assert_eq!(failure.exit, Exit::Failed);
    let text = failure.text();
    assert!(
        text.starts_with("error: line 2: the line is longer than 1048588 bytes; lines acknowledged 1, "),
        "{text}"
    );
    assert!(text.contains("cairn topic alter orders --config max.message.bytes=BYTES"), "{text}");
}

#[test]
fn a_record_too_large_for_the_client_gets_the_same_remedy() {
    let error = ProduceError::RecordTooLarge { batch_bytes: 9, limit: "max.message.bytes", limit_bytes: 8 };
    let failure = Tally::default().failure("orders", &Stop::NotSent { number: 1, error }).unwrap();
    let text = failure.text();
    assert!(text.starts_with("error: line 1: a record that makes a batch of 9 bytes"), "{text}");
    assert!(text.contains("cairn topic alter orders --config max.message.bytes=BYTES"), "{text}");
}

#[test]
fn the_cause_decides_the_exit_code_unless_something_is_unknown() {
    let missing = || ProduceError::UnknownTopic { topic: "t".into() };
    let stop = Stop::NotSent { number: 1, error: missing() };
    assert_eq!(Tally::default().failure("t", &stop).unwrap().exit, Exit::NotFound);
    let stop = Stop::NotSent { number: 2, error: missing() };
    assert_eq!(tally(vec![unknown()]).failure("t", &stop).unwrap().exit, Exit::OutcomeUnknown);
}
