//! Batches close when full, when told, and never change afterwards.

use super::*;
use bytes::Bytes;
use cairn_proto::record::{Batch, DecompressLimit};
use std::time::Duration;

struct Fixture {
    batcher: Batcher,
    limits: BatchLimits,
    now: Instant,
    opened: u64,
}

impl Fixture {
    fn new(batch_bytes: usize) -> Self {
        Self {
            batcher: Batcher::new("t".into(), 0),
            limits: BatchLimits { batch_bytes, message_bytes_max: 10_000, compression: Compression::None },
            now: crate::clock::now(),
            opened: 0,
        }
    }

    fn append(&mut self, value: &'static [u8]) -> Result<Placed, ProduceError> {
        let (now, opened) = (self.now, &mut self.opened);
        self.batcher.append(&Record::to("t").value(value), (5, 10), &self.limits, || {
            *opened += 1;
            (*opened, now)
        })
    }
}

fn values(batch: PendingBatch) -> Vec<Bytes> {
    let batch = Batch::parse(batch.builder.finish().unwrap()).unwrap();
    batch
        .records(DecompressLimit { bytes_max: 1 << 20 })
        .unwrap()
        .map(|record| record.unwrap().value.unwrap())
        .collect()
}

#[test]
fn records_leave_in_the_order_they_came_and_no_batch_is_too_large() {
    let mut fixture = Fixture::new(200);
    let texts: [&'static [u8]; 9] =
        [&[b'a'; 60], &[b'b'; 60], b"c", b"d", &[b'e'; 150], b"f", b"g", b"h", b"i"];
    for text in texts {
        fixture.append(text).unwrap();
    }
    fixture.batcher.close_open();
    let mut seen = Vec::new();
    while let Some(batch) = fixture.batcher.take() {
        assert!(batch.builder.estimated_bytes() <= 200 || batch.builder.record_count() == 1);
        assert_eq!(batch.reserved_bytes, 10 * usize::try_from(batch.builder.record_count()).unwrap());
        seen.extend(values(batch));
    }
    assert_eq!(seen, texts.map(Bytes::from_static));
}

#[test]
fn an_open_batch_is_taken_only_when_due_and_grows_until_then() {
    let mut fixture = Fixture::new(1_000);
    let first = fixture.append(b"a").unwrap();
    assert_eq!((first.index, first.opened), (0, Some(1)));
    assert!(!fixture.batcher.is_due() && fixture.batcher.take().is_none());
    fixture.batcher.make_due(Some(7));
    assert!(!fixture.batcher.is_due(), "the timer of another batch");
    fixture.batcher.make_due(Some(1));
    let second = fixture.append(b"b").unwrap();
    assert_eq!((second.index, second.opened), (1, None));
    assert!(Arc::ptr_eq(&first.outcome, &second.outcome));
    assert_eq!(values(fixture.batcher.take().unwrap()).len(), 2);
    assert!(!fixture.batcher.is_due());
}

#[test]
fn a_record_beyond_the_topics_limit_is_refused_and_changes_nothing() {
    let mut fixture = Fixture::new(100);
    fixture.append(b"a").unwrap();
    let error = fixture.append(&[0; 10_000]).unwrap_err();
    assert!(matches!(error, ProduceError::RecordTooLarge { limit_bytes: 10_000, .. }), "{error}");
    assert!(error.to_string().contains("max.message.bytes"));
    assert_eq!(fixture.batcher.take_all().len(), 1);
    // Larger than a batch, within the topic's limit: a batch of its own.
    fixture.append(&[0; 5_000]).unwrap();
    assert!(fixture.batcher.is_due());
}

#[test]
fn old_batches_leave_and_young_ones_stay() {
    let mut fixture = Fixture::new(100);
    let start = fixture.now;
    fixture.append(&[0; 90]).unwrap();
    fixture.now = start + Duration::from_secs(5);
    fixture.append(&[1; 90]).unwrap();
    fixture.append(b"open").unwrap();
    assert_eq!(fixture.batcher.take_older(start + Duration::from_secs(1)).len(), 1);
    assert_eq!(fixture.batcher.outcomes().count(), 2);
    assert_eq!(fixture.batcher.take_older(start + Duration::from_secs(9)).len(), 2);
}
