//! Each rule by itself, and that no mixture ever breaks the floor.

use super::*;
use proptest::prelude::*;

fn segments(bytes: &[u64]) -> Vec<SegmentFacts> {
    let facts = |(index, bytes): (usize, &u64)| SegmentFacts {
        end: Offset((index as i64 + 1) * 10),
        bytes: *bytes,
        max_timestamp_ms: 1_000 + index as i64,
        last_append_ms: 2_000 + index as i64,
    };
    bytes.iter().enumerate().map(facts).collect()
}

fn rules(retention_bytes: Option<u64>, retention_ms: Option<i64>) -> LogOptions {
    LogOptions { retention_bytes, retention_ms, ..LogOptions::default() }
}

const ALL_COMMITTED: Offset = Offset(i64::MAX);

#[test]
fn by_size_the_oldest_go_while_enough_remains() {
    let segments = segments(&[100, 100, 100, 50]);
    for (limit, expected) in [
        (351, None),
        (350, None),
        (251, None),
        (250, Some(10)),
        (151, Some(10)),
        (150, Some(20)),
        (50, Some(30)),
        (0, Some(30)),
    ] {
        let found = start_after_retention(&segments, &rules(Some(limit), None), ALL_COMMITTED, Some(0));
        assert_eq!(found.map(Offset::get), expected, "limit {limit}");
    }
}

#[test]
fn by_age_until_the_first_that_is_young_enough() {
    let mut segments = segments(&[1, 1, 1, 1]);
    let at = |segments: &[SegmentFacts], now| {
        start_after_retention(segments, &rules(None, Some(500)), ALL_COMMITTED, now).map(Offset::get)
    };
    assert_eq!(at(&segments, Some(1_500)), None, "exactly as old as allowed");
    assert_eq!(at(&segments, Some(1_501)), Some(10));
    assert_eq!(at(&segments, Some(9_999)), Some(30), "the active one stays");
    assert_eq!(at(&segments, None), None, "no trusted clock, no deletion");
    assert_eq!(at(&segments, Some(i64::MIN)), None);
    segments[0].max_timestamp_ms = i64::MAX;
    assert_eq!(at(&segments, Some(2_500)), None, "a timestamp from the future counts as the append time");
    assert_eq!(at(&segments, Some(2_501)), Some(30), "and the younger ones of older data go with it");
    segments[0].max_timestamp_ms = -1;
    assert_eq!(at(&segments, Some(2_500)), None, "records without a timestamp go by the append time");
}

#[test]
fn nothing_at_or_above_the_high_watermark_goes() {
    let segments = segments(&[100, 100, 100, 50]);
    for (high_watermark, expected) in [(0, None), (9, None), (10, Some(10)), (19, Some(10)), (20, Some(20))] {
        let both = rules(Some(0), Some(0));
        let found = start_after_retention(&segments, &both, Offset(high_watermark), Some(i64::MAX));
        assert_eq!(found.map(Offset::get), expected, "high watermark {high_watermark}");
    }
}

#[test]
fn without_limits_or_segments_nothing_goes() {
    let segments = segments(&[100, 100]);
    assert_eq!(start_after_retention(&segments, &rules(None, None), ALL_COMMITTED, Some(i64::MAX)), None);
    assert_eq!(start_after_retention(&[], &rules(Some(0), Some(0)), ALL_COMMITTED, Some(0)), None);
}

proptest! {
    #[test]
    fn the_floor_holds_whatever_the_rules(
        sizes in prop::collection::vec((1..500_u64, -1..2_000_i64, 0..2_000_i64), 1..12),
        limits in (prop::option::of(0..3_000_u64), prop::option::of(0..2_000_i64)),
        high_watermark in 0..150_i64,
        now in prop::option::of(0..5_000_i64),
    ) {
        let mut segments = segments(&sizes.iter().map(|(bytes, ..)| *bytes).collect::<Vec<_>>());
        for (segment, (_, max_timestamp_ms, last_append_ms)) in segments.iter_mut().zip(&sizes) {
            segment.max_timestamp_ms = *max_timestamp_ms;
            segment.last_append_ms = *last_append_ms;
        }
        let rules = rules(limits.0, limits.1);
        let start = start_after_retention(&segments, &rules, Offset(high_watermark), now);
        let Some(start) = start else { return Ok(()) };
        prop_assert!(start <= Offset(high_watermark));
        let gone = segments.iter().take_while(|segment| segment.end <= start).count();
        prop_assert_eq!(segments[gone - 1].end, start, "only whole segments");
        prop_assert!(gone < segments.len(), "the active one stays");
        let kept_bytes: u64 = segments[gone..].iter().map(|segment| segment.bytes).sum();
        let newest = segments[gone - 1];
        let by_size = limits.0.is_some_and(|limit| kept_bytes >= limit);
        let by_age = limits.1.zip(now).is_some_and(|(limit, now)| now - newest.newest_ms() > limit);
        prop_assert!(by_size || by_age, "each deletion has a reason");
    }
}
