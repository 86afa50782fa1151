//! When a log is due, and what of it.

use super::*;

fn options() -> CompactionOptions {
    CompactionOptions {
        dirty_ratio_min_millionths: 500_000,
        lag_min_ms: 0,
        lag_max_ms: None,
        delete_retention_ms: 0,
    }
}

/// Segments of ten offsets and a hundred bytes each, appended one a second.
fn closed(count: i64) -> Vec<Facts> {
    let one = |number: i64| Facts {
        end: Offset(10 * number),
        bytes: 100,
        first_append_ms: 1_000 * (number - 1),
        last_append_ms: 1_000 * number - 1,
    };
    (1..=count).map(one).collect()
}

fn end_of(verdict: Verdict) -> Option<i64> {
    match verdict {
        Verdict::Due(due) => Some(due.end.get()),
        _ => None,
    }
}

#[test]
fn more_than_the_share_must_be_uncompacted() {
    let at = |compacted_to, ratio| {
        let options = CompactionOptions { dirty_ratio_min_millionths: ratio, ..options() };
        verdict_on(&closed(4), (Offset(compacted_to), Offset(100)), &options, Some(5_000))
    };
    assert_eq!(end_of(at(0, 500_000)), Some(40));
    assert_eq!(end_of(at(10, 500_000)), Some(40));
    assert_eq!(at(20, 500_000), Verdict::Idle, "half is not more than half");
    assert_eq!(end_of(at(20, 499_999)), Some(40));
    assert_eq!(end_of(at(35, 0)), Some(40), "a segment that a round left in the middle");
    assert_eq!(at(40, 0), Verdict::Idle);
    assert_eq!(at(0, 1_000_000), Verdict::Idle, "nothing is more than all");
}

#[test]
fn what_is_not_committed_waits() {
    let at = |bound| verdict_on(&closed(4), (Offset(0), Offset(bound)), &options(), Some(5_000));
    assert_eq!(end_of(at(39)), Some(30));
    assert_eq!(at(9), Verdict::Later);
    assert_eq!(verdict_on(&[], (Offset(0), Offset(9)), &options(), None), Verdict::Idle);
}

#[test]
fn young_records_wait_and_old_ones_do_not() {
    let young = CompactionOptions { lag_min_ms: 2_000, ..options() };
    let at = |options: &CompactionOptions, compacted_to, now_ms| {
        verdict_on(&closed(4), (Offset(compacted_to), Offset(100)), options, now_ms)
    };
    assert_eq!(end_of(at(&young, 0, Some(5_000))), Some(30));
    assert_eq!(at(&young, 30, Some(5_000)), Verdict::Later);
    assert_eq!(at(&young, 0, None), Verdict::Later, "without a clock nothing is old enough");
    let late = CompactionOptions { lag_max_ms: Some(2_000), ..options() };
    assert_eq!(at(&late, 30, Some(4_999)), Verdict::Later);
    assert_eq!(end_of(at(&late, 30, Some(5_000))), Some(40));
    assert_eq!(at(&late, 30, None), Verdict::Later);
}

#[test]
fn who_is_late_goes_first_and_then_the_largest_share() {
    let due = |is_late, dirty_millionths| Due { is_late, dirty_millionths, end: Offset(1) };
    assert!(due(true, 1) > due(false, 900_000) && due(false, 3) > due(false, 2));
}

#[test]
fn what_fits_becomes_one() {
    let at = |end, bytes| joins((Offset(100), 40), (Offset(end), bytes), 100);
    assert!(at(200, 60) && !at(200, 61));
    assert!(at(100 + i64::from(i32::MAX), 1) && !at(101 + i64::from(i32::MAX), 1));
}
