//! What stays and what goes, batch by batch.

use super::*;
use cairn_proto::record::{BatchBuilder, BatchOptions};

/// Key and value.
type Pair = (Option<&'static str>, Option<&'static str>);

fn batch(base: i64, pairs: &[Pair], transactional: bool) -> Batch {
    let producer_id = if transactional { 4 } else { -1 };
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id,
        producer_epoch: if transactional { 0 } else { -1 },
        base_sequence: if transactional { 0 } else { -1 },
        transactional,
        ..BatchOptions::default()
    });
    for (key, value) in pairs {
        builder.append(1_000, key.map(str::as_bytes), value.map(str::as_bytes), &[]).expect("fits");
    }
    let sent = Batch::parse(builder.finish().expect("a batch")).expect("parses");
    Batch::parse(sent.stamp(base, 1, None).to_bytes()).expect("parses")
}

fn round(noted: &[(&str, i64)], known_to: i64) -> Round {
    let mut newest = OffsetMap::new(1 << 16, 1_000);
    for (key, offset) in noted {
        newest.note(key.as_bytes(), Offset(*offset));
    }
    Round {
        newest,
        known_to: Offset(known_to),
        now_ms: Some(50_000),
        delete_retention_ms: 10_000,
        keeps_tombstones: false,
    }
}

/// Offsets of the records that are left.
fn left(round: &Round, batch: &Batch) -> Vec<i64> {
    let rest = match round.fate(batch).expect("readable") {
        Retained::Whole => batch.clone(),
        Retained::Rewritten(rest) => rest,
        Retained::Nothing => return Vec::new(),
    };
    rest.records(DECOMPRESSED).expect("records").map(|record| record.expect("a record").offset).collect()
}

const VALUE: Option<&str> = Some("value");

#[test]
fn only_what_a_later_record_supersedes_goes() {
    let pairs = [(Some("a"), VALUE), (Some("b"), VALUE), (None, VALUE), (Some("c"), VALUE)];
    let batch = batch(10, &pairs, false);
    assert_eq!(left(&round(&[("a", 20), ("b", 11), ("c", 5)], 30), &batch), [11, 12, 13]);
    assert_eq!(left(&round(&[], 30), &batch), [10, 11, 12, 13]);
    assert_eq!(left(&round(&[("a", 20)], 10), &batch), [10, 11, 12, 13], "behind what the map knows");
    assert_eq!(left(&round(&[("a", 11), ("b", 12), ("c", 20)], 30), &batch), [12]);
}

#[test]
fn records_of_transactions_stay_and_supersede_nothing() {
    let batch = batch(10, &[(Some("a"), VALUE)], true);
    assert!(!Round::looks_into(&batch));
    assert_eq!(left(&round(&[("a", 20)], 30), &batch), [10]);
}

#[test]
fn a_tombstone_stays_until_its_horizon_has_passed() {
    let with_tombstone = batch(10, &[(Some("a"), None), (Some("b"), VALUE)], false);
    let mut first = round(&[("a", 10), ("b", 11)], 30);
    let Retained::Rewritten(stamped) = first.fate(&with_tombstone).expect("readable") else {
        panic!("it gets a horizon")
    };
    assert_eq!((stamped.header().has_delete_horizon(), stamped.header().base_timestamp_ms), (true, 60_000));
    let mut later = round(&[], 30);
    for (now_ms, offsets) in [(Some(59_999), vec![10, 11]), (None, vec![10, 11]), (Some(60_000), vec![11])] {
        later.now_ms = now_ms;
        assert_eq!(left(&later, &stamped), offsets, "at {now_ms:?}");
    }
    later.keeps_tombstones = true;
    assert_eq!(left(&later, &stamped), [10, 11], "something in front was not looked into");
    // No horizon begins while what is deleted may stay.
    first.keeps_tombstones = true;
    assert_eq!(first.fate(&with_tombstone), Ok(Retained::Whole));
    assert_eq!(round(&[], 11).fate(&with_tombstone), Ok(Retained::Whole), "the map ends inside the batch");
    let unsure = Round { now_ms: None, ..round(&[], 30) };
    assert_eq!(unsure.fate(&with_tombstone), Ok(Retained::Whole));
}

#[test]
fn an_empty_batch_is_nothing() {
    let empty = batch(10, &[(Some("a"), VALUE)], false).emptied();
    assert_eq!(round(&[], 30).fate(&empty), Ok(Retained::Nothing));
}
