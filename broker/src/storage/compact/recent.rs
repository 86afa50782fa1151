//! The batches that idempotence needs: of each producer the last five below the end of a round, whose sequences a retry may
//! repeat. They are looked for among the committed ones, not among all: what is above may still be cut off (replication
//! rules, idempotent producers).

use cairn_proto::record::BatchHeader;
use std::collections::{BTreeMap, VecDeque};

/// As many as a client has in flight.
const BATCHES_MAX: usize = 5;

/// Of the uncompacted part of one log.
#[derive(Default)]
pub(super) struct RecentBatches {
    /// Base offsets, the newest last.
    by_producer: BTreeMap<i64, VecDeque<i64>>,
}

impl RecentBatches {
    /// The next batch of the log.
    pub(super) fn note(&mut self, header: &BatchHeader) {
        let batches = self.by_producer.entry(header.producer_id).or_default();
        if batches.len() == BATCHES_MAX {
            batches.pop_front();
        }
        batches.push_back(header.base_offset);
    }

    /// Whether this may be one of the last five. Where the uncompacted part has none of a producer, it may be any.
    pub(super) fn may_hold(&self, header: &BatchHeader) -> bool {
        let batches = self.by_producer.get(&header.producer_id);
        batches.is_none_or(|batches| {
            batches.contains(&header.base_offset)
                || (batches.len() < BATCHES_MAX
                    && batches.front().is_some_and(|oldest| header.base_offset < *oldest))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_proto::record::{Batch, BatchBuilder, BatchOptions};

    fn header(producer_id: i64, base: i64) -> BatchHeader {
        let options =
            BatchOptions { producer_id, producer_epoch: 0, base_sequence: 0, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        builder.append(1, Some(b"k"), None, &[]).expect("fits");
        let sent = Batch::parse(builder.finish().expect("a batch")).expect("parses");
        *sent.stamp(base, 0, None).header()
    }

    #[test]
    fn the_last_five_stay_and_more_where_fewer_are_known() {
        let mut recent = RecentBatches::default();
        for base in 10..17 {
            recent.note(&header(1, base));
        }
        recent.note(&header(2, 20));
        let held: Vec<_> = (0..20).filter(|base| recent.may_hold(&header(1, *base))).collect();
        assert_eq!(held, [12, 13, 14, 15, 16]);
        assert!(recent.may_hold(&header(2, 20)) && recent.may_hold(&header(2, 3)), "one of the four before");
        assert!(!recent.may_hold(&header(2, 21)));
        assert!(recent.may_hold(&header(3, 5)), "nothing newer is known of this one");
    }
}
