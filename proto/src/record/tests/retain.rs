//! What compaction leaves of a batch: the records that stay read as before, at their offsets, whatever the codec.

use super::samples::{LIMIT, build, codec, read, sample, small};
use crate::record::{Batch, BatchError, BatchOptions, Compression, RecordRules, Retained};
use proptest::{collection::vec, prelude::*};

const OFFSET: i64 = 1_000;
const HORIZON_MS: i64 = 1_700_000_000_000;

/// The batch in a log.
fn stored(batch: &Batch, append_time_ms: Option<i64>) -> Batch {
    Batch::parse(batch.stamp(OFFSET, 5, append_time_ms).to_bytes()).unwrap()
}

proptest! {
    #[test]
    fn the_records_that_stay_read_as_before(
        samples in vec((sample(), any::<bool>()), 1..20),
        compression in codec(),
        append_time_ms in proptest::option::of(0..1_i64 << 45),
        horizon_ms in proptest::option::of(0..1_i64 << 45),
    ) {
        let (samples, keep): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        let options = BatchOptions {
            compression, producer_id: 3, producer_epoch: 2, base_sequence: 9, ..BatchOptions::default()
        };
        let batch = stored(&build(options, &samples), append_time_ms);
        let before = read(&batch);
        let stays = |offset: i64| keep[usize::try_from(offset - OFFSET).unwrap()];
        let expected: Vec<_> = before.iter().filter(|record| stays(record.offset)).cloned().collect();
        let retained = batch.retain(LIMIT, horizon_ms, |record| stays(record.offset)).unwrap();
        let gets_horizon = horizon_ms.is_some() && expected.iter().any(|record| record.value.is_none());
        match retained {
            Retained::Nothing => prop_assert!(expected.is_empty()),
            Retained::Whole => prop_assert!(expected.len() == before.len() && !gets_horizon),
            Retained::Rewritten(rewritten) => {
                prop_assert!(expected.len() < before.len() || gets_horizon);
                prop_assert!(rewritten.crc_ok());
                let (old, new) = (batch.header(), *rewritten.header());
                prop_assert_eq!(new.has_delete_horizon(), gets_horizon);
                prop_assert_eq!(new.base_timestamp_ms, horizon_ms.filter(|_| gets_horizon).unwrap_or(old.base_timestamp_ms));
                prop_assert_eq!(
                    (new.base_offset, new.next_offset(), new.leader_epoch), (old.base_offset, old.next_offset(), old.leader_epoch)
                );
                prop_assert_eq!(
                    (new.producer_id, new.producer_epoch, new.base_sequence, new.last_sequence()), (3, 2, 9, old.last_sequence())
                );
                prop_assert_eq!((new.compression(), new.timestamp_type()), (old.compression(), old.timestamp_type()));
                prop_assert_eq!(new.max_timestamp_ms, expected.iter().map(|record| record.timestamp_ms).max().unwrap());
                prop_assert_eq!(read(&rewritten), expected);
                // A second pass with other ideas of the horizon leaves the first one.
                let again = rewritten.retain(LIMIT, Some(1), |_| true).unwrap();
                let tombstones = gets_horizon || !read(&rewritten).iter().any(|record| record.value.is_none());
                prop_assert!(!tombstones || again == Retained::Whole);
            }
        }
    }
}

#[test]
fn an_emptied_batch_keeps_what_others_rely_on() {
    for compression in Compression::ALL {
        let batch = stored(&small(compression), None);
        let empty = batch.emptied();
        assert!(empty.crc_ok() && read(&empty).is_empty() && empty.total_bytes() == 61);
        let (old, new) = (batch.header(), empty.header());
        assert_eq!((new.base_offset, new.next_offset()), (old.base_offset, old.next_offset()));
        assert_eq!((new.producer_id, new.base_sequence), (old.producer_id, old.base_sequence));
        assert_eq!((new.last_sequence(), new.max_timestamp_ms), (old.last_sequence(), old.max_timestamp_ms));
        assert_eq!(empty.retain(LIMIT, Some(HORIZON_MS), |_| true), Ok(Retained::Nothing));
    }
}

#[test]
fn records_are_shown_with_key_and_offset() {
    let batch = stored(&small(Compression::Lz4), None);
    let mut shown = Vec::new();
    batch
        .visit_records(LIMIT, |record| {
            shown.push((record.offset, record.key.map(<[u8]>::to_vec), record.is_tombstone))
        })
        .unwrap();
    let expected =
        [(OFFSET, Some(vec![0; 3]), false), (OFFSET + 1, None, false), (OFFSET + 2, Some(vec![2; 3]), true)];
    assert_eq!(shown, expected);
}

#[test]
fn a_topic_may_ask_more_of_records() {
    let batch = small(Compression::Zstd);
    let keyed = RecordRules { keys_required: true, ..RecordRules::default() };
    assert_eq!(batch.validate_produced_under(LIMIT, keyed), Err(BatchError::Keyless { indexes: vec![1] }));
    let recent = |timestamp_min_ms| RecordRules { timestamp_min_ms, ..RecordRules::default() };
    assert_eq!(batch.validate_produced_under(LIMIT, recent(1_700_000_000_000)), Ok(()));
    let error = batch.validate_produced_under(LIMIT, recent(1_700_000_000_001)).unwrap_err();
    assert!(error.to_string().contains("record 0"), "{error}");
}
