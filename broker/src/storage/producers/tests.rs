//! The rules of idempotence one by one, then against a plain model that remembers every batch there ever was.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers drawn by the tests themselves"
)]

use super::*;
use crate::storage::decode::Cursor;
use proptest::prelude::*;

fn header(producer_id: i64, producer_epoch: i16, base_sequence: i32, records: i32) -> BatchHeader {
    BatchHeader {
        base_offset: 0,
        batch_length: 100,
        leader_epoch: 0,
        magic: 2,
        crc: 0,
        attributes: 0,
        last_offset_delta: records - 1,
        base_timestamp_ms: 5,
        max_timestamp_ms: 5,
        producer_id,
        producer_epoch,
        base_sequence,
        record_count: records,
    }
}

fn at(offset: i64, header: BatchHeader) -> BatchHeader {
    BatchHeader { base_offset: offset, ..header }
}

fn expected_sequence(result: Result<Verdict, AppendError>) -> i32 {
    match result {
        Err(AppendError::OutOfOrderSequence { expected, .. }) => expected,
        other => panic!("{other:?}"),
    }
}

fn duplicate_of(result: Result<Verdict, AppendError>) -> (i64, i64) {
    match result {
        Ok(Verdict::Duplicate { base_offset, end_offset, .. }) => (base_offset.get(), end_offset.get()),
        other => panic!("{other:?}"),
    }
}

fn is_new(result: Result<Verdict, AppendError>) -> bool {
    matches!(result, Ok(Verdict::Append))
}

#[test]
fn facts_are_those_of_the_newest_batch() {
    let mut producers = Producers::default();
    producers.record(&at(0, header(9, 0, 0, 3)), 100);
    producers.record(&at(3, header(9, 0, 3, 2)), 200);
    producers.record(&at(5, header(4, 2, 0, 1)), 300);
    let facts = |producer_id, epoch, last_sequence, recorded_ms| ProducerFacts {
        producer_id,
        epoch,
        last_sequence: Some(last_sequence),
        recorded_ms,
        transaction_start: None,
    };
    assert_eq!(producers.facts(), [facts(4, 2, 0, 300), facts(9, 0, 4, 200)]);
}

#[test]
fn batches_without_a_producer_leave_no_trace() {
    let mut producers = Producers::default();
    let plain = header(-1, -1, -1, 4);
    assert!(is_new(producers.check(&plain, false)));
    producers.record(&plain, 0);
    assert!(producers.is_empty());
}

#[test]
fn sequences_go_on_and_an_exact_repetition_is_a_duplicate() {
    let mut producers = Producers::default();
    assert!(is_new(producers.check(&header(7, 0, 0, 3), false)));
    producers.record(&at(100, header(7, 0, 0, 3)), 0);
    assert_eq!(duplicate_of(producers.check(&header(7, 0, 0, 3), false)), (100, 103));
    assert!(is_new(producers.check(&header(7, 0, 3, 1), false)));
    assert_eq!(expected_sequence(producers.check(&header(7, 0, 4, 1), false)), 3);
    assert_eq!(expected_sequence(producers.check(&header(7, 0, 0, 2), false)), 3, "not the same batch");
    assert_eq!(expected_sequence(producers.check(&header(7, 0, 4, 1), true)), 3, "a known one must go on");
}

#[test]
fn the_last_five_batches_are_remembered() {
    let mut producers = Producers::default();
    for sequence in 0..6 {
        producers.record(&at(i64::from(sequence) * 10, header(7, 0, sequence, 1)), 0);
    }
    for sequence in 1..6 {
        let repeated = producers.check(&header(7, 0, sequence, 1), false);
        assert_eq!(duplicate_of(repeated).0, i64::from(sequence) * 10);
    }
    assert_eq!(expected_sequence(producers.check(&header(7, 0, 0, 1), false)), 6);
}

#[test]
fn sequences_wrap_behind_the_greatest() {
    let mut producers = Producers::default();
    producers.record(&at(0, header(7, 0, i32::MAX - 1, 2)), 0);
    assert!(is_new(producers.check(&header(7, 0, 0, 1), false)));
    producers.record(&at(2, header(7, 0, 0, 1)), 0);
    producers.record(&at(3, header(7, 0, i32::MAX, 3)), 0);
    assert_eq!(duplicate_of(producers.check(&header(7, 0, i32::MAX, 3), false)), (3, 6));
    assert!(is_new(producers.check(&header(7, 0, 2, 1), false)), "a batch across the wrap ends at 1");
}

#[test]
fn epochs_fence_and_begin_anew() {
    let mut producers = Producers::default();
    producers.record(&at(0, header(7, 3, 0, 1)), 0);
    assert!(matches!(
        producers.check(&header(7, 2, 1, 1), false),
        Err(AppendError::ProducerFenced { producer_id: 7, producer_epoch: 2, current_epoch: 3 })
    ));
    assert_eq!(expected_sequence(producers.check(&header(7, 4, 1, 1), true)), 0);
    assert!(is_new(producers.check(&header(7, 4, 0, 1), false)));
    producers.record(&at(1, header(7, 4, 0, 1)), 0);
    assert_eq!(duplicate_of(producers.check(&header(7, 4, 0, 1), false)), (1, 2));
}

#[test]
fn an_unknown_producer_begins_at_zero_unless_its_state_may_be_gone() {
    let mut producers = Producers::default();
    assert_eq!(expected_sequence(producers.check(&header(7, 0, 5, 1), false)), 0);
    assert!(is_new(producers.check(&header(7, 0, 5, 1), true)));
    producers.record(&at(0, header(8, 0, 0, 1)), 1_000);
    assert_eq!(producers.expire(1_500, 500), 0, "exactly as old as allowed");
    assert_eq!(expected_sequence(producers.check(&header(7, 0, 5, 1), false)), 0);
    assert_eq!(producers.expire(1_501, 500), 1);
    assert_eq!(producers.len(), 0);
    assert!(!producers.is_empty(), "that one was forgotten must be remembered");
    assert!(is_new(producers.check(&header(8, 0, 5, 1), false)));
}

#[test]
fn an_append_time_is_part_of_the_answer() {
    let mut producers = Producers::default();
    let stamped = BatchHeader { attributes: 1 << 3, max_timestamp_ms: 77, ..header(7, 0, 0, 1) };
    producers.record(&stamped, 0);
    let verdict = producers.check(&header(7, 0, 0, 1), false).unwrap();
    let expected =
        Verdict::Duplicate { base_offset: Offset(0), end_offset: Offset(1), append_time_ms: Some(77) };
    assert_eq!(verdict, expected);
}

#[test]
fn control_batches_have_no_sequence_and_end_transactions() {
    let mut producers = Producers::default();
    let data = BatchHeader { attributes: 1 << 4, ..header(7, 0, 0, 2) };
    let marker = BatchHeader { attributes: 1 << 4 | 1 << 5, ..header(7, 1, -1, 1) };
    producers.record(&at(10, data), 0);
    assert_eq!(producers.by_id[&7].transaction_start, Some(Offset(10)));
    assert_eq!(producers.expire(i64::MAX, 1), 0, "an open transaction does not expire");
    assert!(is_new(producers.check(&marker, false)));
    producers.record(&at(12, marker), 0);
    assert_eq!(producers.by_id[&7].transaction_start, None);
    assert!(is_new(producers.check(&header(7, 1, 0, 1), false)), "the marker's epoch begins at 0");
}

#[test]
fn a_truncation_that_reaches_into_the_state_is_known() {
    let mut producers = Producers::default();
    producers.record(&at(10, header(7, 0, 0, 5)), 0);
    assert!(producers.reaches_beyond(Offset(14)));
    assert!(!producers.reaches_beyond(Offset(15)));
}

#[test]
fn every_damaged_byte_of_a_snapshot_is_found() {
    let mut producers = Producers::default();
    producers.record(&at(10, header(7, 0, 0, 5)), 0);
    producers.record(&at(15, header(9, 2, 4, 1)), 0);
    let file = producers.encode_snapshot(Offset(16));
    assert_eq!(Producers::decode_snapshot(&file, Offset(16)).unwrap(), producers);
    assert!(Producers::decode_snapshot(&file, Offset(17)).is_err(), "of another offset");
    let beyond = producers.encode_snapshot(Offset(15));
    assert!(Producers::decode_snapshot(&beyond, Offset(15)).is_err(), "reaches beyond its offset");
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            assert!(Producers::decode_snapshot(&damaged, Offset(16)).is_err(), "byte {at} bit {bit}");
        }
        assert!(Producers::decode_snapshot(&file[..at], Offset(16)).is_err(), "cut at {at}");
    }
}

/// A producer's attempt: which of three, how many records; `back` > 0 repeats an earlier batch of it.
fn attempts() -> impl Strategy<Value = Vec<(i64, i32, usize, bool)>> {
    prop::collection::vec((0..3_i64, 1..4_i32, 0..8_usize, prop::bool::weighted(0.05)), 1..120)
}

proptest! {
    /// A producer that retries at most five back never gets a batch into the log twice nor out of order, whatever epochs do,
    /// and a state from a snapshot plus the rest of the log, or plus a delta, equals the one that saw everything (I24, I40).
    #[test]
    fn agrees_with_a_log_that_remembers_everything(attempts in attempts(), cut in 0..120_usize) {
        let mut live = Producers::default();
        let mut log: Vec<BatchHeader> = Vec::new();
        let mut epochs = [0_i16; 3];
        for (id, records, back, next_epoch) in attempts {
            if next_epoch {
                epochs[id as usize] += 1;
            }
            let epoch = epochs[id as usize];
            let mine: Vec<BatchHeader> =
                log.iter().filter(|old| (old.producer_id, old.producer_epoch) == (id, epoch)).copied().collect();
            let next = mine.last().map_or(0, |last| sequence_after(last.last_sequence()));
            let repeated = (back > 0).then(|| mine.len().checked_sub(back)).flatten().map(|index| mine[index]);
            let sent = repeated.map_or(header(id, epoch, next, records), |old| BatchHeader { base_offset: 0, ..old });
            match (live.check(&sent, false), repeated) {
                (Ok(Verdict::Append), None) => {
                    let end = log.last().map_or(0, BatchHeader::next_offset);
                    log.push(at(end, sent));
                    live.record(&at(end, sent), 1);
                }
                (Ok(Verdict::Duplicate { base_offset, end_offset, .. }), Some(old)) => {
                    prop_assert!(back <= BATCHES_MAX);
                    prop_assert_eq!((base_offset.get(), end_offset.get()), (old.base_offset, old.next_offset()));
                }
                (Err(AppendError::OutOfOrderSequence { expected, .. }), Some(_)) => {
                    prop_assert!(back > BATCHES_MAX);
                    prop_assert_eq!(expected, next);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let (first, second) = log.split_at(cut.min(log.len()));
        let mut rebuilt = Producers::default();
        first.iter().for_each(|batch| rebuilt.record(batch, 1));
        let end = Offset(first.last().map_or(0, BatchHeader::next_offset));
        let mut rebuilt = Producers::decode_snapshot(&rebuilt.encode_snapshot(end), end).unwrap();

        let mut delta = Vec::new();
        live.encode_since(end, &mut delta);
        let mut laid_over = rebuilt.clone();
        laid_over.decode_onto(&mut Cursor::new(&delta)).unwrap();
        prop_assert_eq!(&laid_over, &live);

        second.iter().for_each(|batch| rebuilt.record(batch, 1));
        prop_assert_eq!(&rebuilt, &live);
        log.iter().for_each(|batch| rebuilt.record(batch, 1));
        prop_assert_eq!(&rebuilt, &live, "what is recorded twice counts once");
    }

    #[test]
    fn any_bytes_end_in_a_state_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut producers = Producers::default();
        let decoded = producers.decode_onto(&mut Cursor::new(&bytes));
        prop_assert!(decoded.is_err() || producers.len() * 35 <= bytes.len());
    }
}
