//! The epoch cache against its rules, and against a plain list that says the epoch of every offset.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers drawn by the tests themselves"
)]

use super::*;
use proptest::prelude::*;

fn cache(entries: &[(i32, i64)]) -> EpochCache {
    let mut cache = EpochCache::default();
    for (epoch, start) in entries {
        assert!(cache.assign(LeaderEpoch(*epoch), Offset(*start)));
    }
    cache
}

fn pairs(cache: &EpochCache) -> Vec<(i32, i64)> {
    cache.entries().iter().map(|entry| (entry.epoch.get(), entry.start.get())).collect()
}

#[test]
fn the_latest_epoch_going_on_is_no_change() {
    let mut cache = cache(&[(1, 0), (4, 10)]);
    assert!(!cache.assign(LeaderEpoch(4), Offset(15)));
    assert_eq!(pairs(&cache), [(1, 0), (4, 10)]);
    assert!(cache.assign(LeaderEpoch(4), Offset(8)));
    assert_eq!(pairs(&cache), [(1, 0), (4, 8)]);
}

#[test]
fn an_assignment_drops_what_a_lost_history_left() {
    let full = [(1, 0), (4, 10), (6, 20), (7, 30)];
    for (epoch, start, expected) in [
        (8, 40, vec![(1, 0), (4, 10), (6, 20), (7, 30), (8, 40)]),
        (8, 30, vec![(1, 0), (4, 10), (6, 20), (8, 30)]),
        (8, 20, vec![(1, 0), (4, 10), (8, 20)]),
        (6, 35, vec![(1, 0), (4, 10), (6, 35)]),
        (5, 12, vec![(1, 0), (4, 10), (5, 12)]),
        (0, 0, vec![(0, 0)]),
    ] {
        let mut cache = cache(&full);
        assert!(cache.assign(LeaderEpoch(epoch), Offset(start)));
        assert_eq!(pairs(&cache), expected, "assign({epoch}, {start})");
    }
}

#[test]
fn an_epoch_ends_where_the_next_begins() {
    let cache = cache(&[(2, 5), (4, 10), (7, 30)]);
    let ask = |epoch| {
        cache.end_offset_for(LeaderEpoch(epoch), Offset(44)).map(|(epoch, end)| (epoch.get(), end.get()))
    };
    assert_eq!(ask(0), Some((0, 5)), "below the first");
    assert_eq!(ask(2), Some((2, 10)));
    assert_eq!(ask(3), Some((2, 10)), "an epoch in which nothing was written");
    assert_eq!(ask(4), Some((4, 30)));
    assert_eq!(ask(6), Some((4, 30)));
    assert_eq!(ask(7), Some((7, 44)), "the latest");
    assert_eq!(ask(8), None, "above the latest");
    assert_eq!(EpochCache::default().end_offset_for(LeaderEpoch(0), Offset(0)), None);
}

#[test]
fn truncation_at_either_end() {
    let full = cache(&[(2, 5), (4, 10), (7, 30)]);
    for (end, expected) in
        [(31, vec![(2, 5), (4, 10), (7, 30)]), (30, vec![(2, 5), (4, 10)]), (10, vec![(2, 5)]), (0, vec![])]
    {
        let mut cut = full.clone();
        cut.truncate_from_end(Offset(end));
        assert_eq!(pairs(&cut), expected, "end {end}");
    }
    for (start, expected) in [
        (4, vec![(2, 5), (4, 10), (7, 30)]),
        (7, vec![(2, 7), (4, 10), (7, 30)]),
        (10, vec![(4, 10), (7, 30)]),
        (99, vec![(7, 99)]),
    ] {
        let mut cut = full.clone();
        cut.truncate_from_start(Offset(start));
        assert_eq!(pairs(&cut), expected, "start {start}");
    }
}

#[test]
fn an_empty_one_holds_no_memory() {
    assert_eq!(EpochCache::default().entries.capacity(), 0);
    let mut bytes = Vec::new();
    EpochCache::default().encode(&mut bytes);
    let decoded = EpochCache::decode(&mut Cursor::new(&bytes)).unwrap();
    assert_eq!(decoded.entries.capacity(), 0);
}

#[test]
fn bytes_that_cannot_be_are_refused() {
    let refused = |entries: &[(i32, i64)]| {
        let mut bytes = count_of(entries.len()).to_vec();
        for (epoch, start) in entries {
            bytes.extend_from_slice(&epoch.to_le_bytes());
            bytes.extend_from_slice(&start.to_le_bytes());
        }
        EpochCache::decode(&mut Cursor::new(&bytes)).unwrap_err().detail
    };
    assert!(refused(&[(-1, 0)]).contains("negative"));
    assert!(refused(&[(1, -1)]).contains("negative"));
    assert!(refused(&[(1, 0), (1, 5)]).contains("increase"));
    assert!(refused(&[(1, 5), (2, 5)]).contains("increase"));
    let lying = u32::MAX.to_le_bytes();
    assert!(EpochCache::decode(&mut Cursor::new(&lying)).unwrap_err().detail.contains("count"));
}

/// What happens to a log, as far as epochs go.
#[derive(Clone, Debug)]
enum Step {
    NextEpoch(i32),
    Append(i64),
    Truncate(i64),
    MoveStart(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..3_i32).prop_map(Step::NextEpoch),
        (1..5_i64).prop_map(Step::Append),
        (1..8_i64).prop_map(Step::Truncate),
        (1..4_i64).prop_map(Step::MoveStart),
    ]
}

proptest! {
    #[test]
    fn agrees_with_the_epoch_of_every_record(steps in prop::collection::vec(step(), 0..60)) {
        let mut cache = EpochCache::default();
        // The epochs of the records from `start` on.
        let (mut start, mut records, mut epoch) = (0_i64, Vec::<i32>::new(), 0);
        for step in steps {
            let end = start + records.len() as i64;
            match step {
                Step::NextEpoch(by) => {
                    epoch += by;
                    cache.assign(LeaderEpoch(epoch), Offset(end));
                }
                Step::Append(count) => {
                    cache.assign(LeaderEpoch(epoch), Offset(end));
                    records.extend(std::iter::repeat_n(epoch, count as usize));
                }
                Step::Truncate(by) => {
                    records.truncate(records.len().saturating_sub(by as usize));
                    cache.truncate_from_end(Offset(start + records.len() as i64));
                }
                Step::MoveStart(by) => {
                    let gone = records.len().min(by as usize);
                    records.drain(..gone);
                    start += gone as i64;
                    cache.truncate_from_start(Offset(start));
                }
            }
            let end = start + records.len() as i64;
            for pair in cache.entries().windows(2) {
                prop_assert!(pair[0].epoch < pair[1].epoch && pair[0].start < pair[1].start);
            }
            prop_assert!(cache.latest().is_none_or(|last| last.start.get() <= end));
            for (index, expected) in records.iter().enumerate() {
                let found = cache.epoch_at(Offset(start + index as i64));
                prop_assert_eq!(found, Some(LeaderEpoch(*expected)));
            }
            for asked in records.iter().copied() {
                let expected = start + records.iter().filter(|epoch| **epoch <= asked).count() as i64;
                let found = cache.end_offset_for(LeaderEpoch(asked), Offset(end));
                prop_assert_eq!(found, Some((LeaderEpoch(asked), Offset(expected))));
            }
            let mut bytes = Vec::new();
            cache.encode(&mut bytes);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(&EpochCache::decode(&mut cursor).unwrap(), &cache);
            prop_assert!(cursor.finish().is_ok());
        }
    }

    #[test]
    fn any_bytes_end_in_a_cache_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(cache) = EpochCache::decode(&mut Cursor::new(&bytes)) {
            let mut again = Vec::new();
            cache.encode(&mut again);
            prop_assert!(bytes.starts_with(&again));
        }
    }
}
