//! Damaged batches: no truncation and no flipped bit goes unnoticed, in any codec.

use super::samples::{LIMIT, small};
use crate::{
    fuzz,
    record::{Batch, BatchError, Compression, HEADER_BYTES},
};
use bytes::Bytes;

#[test]
fn every_truncation_is_refused() {
    for codec in Compression::ALL {
        let whole = small(codec);
        for length in 0..whole.total_bytes() {
            let cut = whole.bytes().slice(..length);
            let refused = Batch::parse(cut.clone());
            assert!(
                matches!(refused, Err(BatchError::Truncated { .. })),
                "{codec}, {length} bytes: {refused:?}"
            );
            fuzz::batch(&cut);
        }
        let longer = [whole.bytes().as_ref(), &[0]].concat();
        assert!(matches!(Batch::parse(Bytes::from(longer)), Err(BatchError::TrailingBytes { .. })));
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for codec in Compression::ALL {
        let whole = small(codec);
        whole.validate_produced(LIMIT).unwrap();
        for bit in 0..whole.total_bytes() * 8 {
            let mut bytes = whole.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fuzz::batch(&bytes);
            let outcome = Batch::parse(Bytes::from(bytes)).and_then(|batch| batch.validate_produced(LIMIT));
            // The leader epoch of a produced batch means nothing: the leader writes its own there.
            let leader_epoch = (12..16).contains(&(bit / 8));
            assert_eq!(outcome.is_ok(), leader_epoch, "{codec}, bit {bit}: {outcome:?}");
            let in_body = bit / 8 >= HEADER_BYTES;
            assert!(!in_body || outcome.is_err_and(|error| error.retryable()), "{codec}, bit {bit}");
        }
    }
}
