//! A batch on its way from builder to bytes. The bytes are made once, outside of any lock, and stay the same through all
//! attempts; only a new identity makes them anew, from the old ones.

use super::{BatchOutcome, window::Identity};
use crate::batcher::PendingBatch;
use bytes::Bytes;
use cairn_proto::record::{
    BatchBuilder, BatchError, BatchHeader, HEADER_BYTES, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, crc32c,
};
use std::{mem, sync::Arc, time::Instant};

/// As whom, and with which sequence, a batch is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) identity: Option<Identity>,
    pub(crate) sequence: i32,
}

/// A batch that has a sequence.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) outcome: Arc<BatchOutcome>,
    pub(crate) opened_at: Instant,
    pub(crate) reserved_bytes: usize,
    pub(crate) number: u64,
    encoding: Encoding,
}

#[derive(Debug)]
enum Encoding {
    Builder(Box<BatchBuilder>),
    /// Somebody is at it.
    Busy,
    Bytes(Bytes, Stamp),
}

/// What has to be done, without a lock, before the batch can be sent.
#[derive(Debug)]
pub(crate) enum Work {
    Encode(Box<BatchBuilder>, Stamp),
    Restamp(Bytes, Stamp),
}

/// Whether a batch can be sent.
#[derive(Debug)]
pub(crate) enum Prepared {
    Bytes(Bytes),
    Work(Work),
    Busy,
}

impl InFlight {
    pub(crate) fn new(batch: PendingBatch) -> Self {
        Self {
            outcome: batch.outcome,
            opened_at: batch.opened_at,
            reserved_bytes: batch.reserved_bytes,
            number: batch.number,
            encoding: Encoding::Builder(Box::new(batch.builder)),
        }
    }

    /// The bytes under this stamp, or the work that makes them.
    pub(crate) fn prepare(&mut self, stamp: Stamp) -> Prepared {
        if let Encoding::Bytes(bytes, known) = &self.encoding
            && *known == stamp
        {
            return Prepared::Bytes(bytes.clone());
        }
        match mem::replace(&mut self.encoding, Encoding::Busy) {
            Encoding::Builder(builder) => Prepared::Work(Work::Encode(builder, stamp)),
            Encoding::Bytes(bytes, _) => Prepared::Work(Work::Restamp(bytes, stamp)),
            Encoding::Busy => Prepared::Busy,
        }
    }

    /// Takes the result of the work.
    pub(crate) fn prepared(&mut self, bytes: Bytes, stamp: Stamp) {
        self.encoding = Encoding::Bytes(bytes, stamp);
    }
}

impl Work {
    /// Does it.
    pub(crate) fn run(self) -> Result<(Bytes, Stamp), BatchError> {
        match self {
            Self::Encode(mut builder, stamp) => {
                if let Some(identity) = stamp.identity {
                    builder.set_producer(identity.producer_id, identity.epoch, stamp.sequence);
                }
                builder.finish().map(|bytes| (bytes, stamp))
            }
            Self::Restamp(bytes, stamp) => restamp(&bytes, stamp).map(|bytes| (bytes, stamp)),
        }
    }
}

/// The same batch as from another producer id, epoch and sequence.
fn restamp(bytes: &Bytes, stamp: Stamp) -> Result<Bytes, BatchError> {
    const CHECKED_FROM: usize = 21;
    let mut header = BatchHeader::parse(bytes)?;
    header.producer_id = stamp.identity.map_or(NO_PRODUCER_ID, |identity| identity.producer_id);
    header.producer_epoch = stamp.identity.map_or(NO_PRODUCER_EPOCH, |identity| identity.epoch);
    header.base_sequence = stamp.sequence;
    let mut copy = bytes.to_vec();
    let put = |copy: &mut [u8], header: &BatchHeader| {
        if let Some(front) = copy.first_chunk_mut::<HEADER_BYTES>() {
            *front = header.encode();
        }
    };
    put(&mut copy, &header);
    header.crc = crc32c(copy.get(CHECKED_FROM..).unwrap_or_default());
    put(&mut copy, &header);
    Ok(Bytes::from(copy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_proto::record::{Batch, BatchOptions, DecompressLimit};

    #[test]
    fn a_new_identity_changes_nothing_but_itself() {
        let identity = |producer_id, epoch| Some(Identity { producer_id, epoch, generation: 1 });
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.append(7, Some(b"k"), Some(b"v"), &[]).unwrap();
        let first = Stamp { identity: identity(5, 0), sequence: 40 };
        let (bytes, _) = Work::Encode(Box::new(builder), first).run().unwrap();
        let second = Stamp { identity: identity(6, 2), sequence: 0 };
        let (again, stamp) = Work::Restamp(bytes.clone(), second).run().unwrap();
        assert_eq!(stamp, second);
        let (old, new) = (Batch::parse(bytes).unwrap(), Batch::parse(again).unwrap());
        new.validate_produced(DecompressLimit { bytes_max: 1_000 }).unwrap();
        assert_eq!(old.body(), new.body());
        let header = new.header();
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (6, 2, 0));
        assert_eq!(header.base_timestamp_ms, old.header().base_timestamp_ms);
    }
}
