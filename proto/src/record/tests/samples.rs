//! Records to test with, and the batch that our builder makes of them.

use crate::record::{Batch, BatchBuilder, BatchOptions, Compression, DecompressLimit, Record};
use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};

pub(super) const LIMIT: DecompressLimit = DecompressLimit { bytes_max: 1 << 20 };

/// A record as a producer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) timestamp_ms: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

pub(super) fn sample() -> impl Strategy<Value = Sample> {
    let payload = || option::of(prop_oneof![vec(any::<u8>(), 0..40), Just(vec![7; 9000])]);
    // Few keys, so that duplicates are common.
    let header = ("[abä]{0,2}", option::of(vec(any::<u8>(), 0..200)));
    (-1..1_i64 << 45, payload(), payload(), vec(header, 0..5))
        .prop_map(|(timestamp_ms, key, value, headers)| Sample { timestamp_ms, key, value, headers })
}

pub(super) fn codec() -> impl Strategy<Value = Compression> {
    proptest::sample::select(Compression::ALL.to_vec())
}

pub(super) fn build(options: BatchOptions, samples: &[Sample]) -> Batch {
    let mut builder = BatchBuilder::new(options);
    for sample in samples {
        let headers = sample.headers.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
        let (key, value) = (sample.key.as_deref(), sample.value.as_deref());
        let announced = builder.bytes_with(sample.timestamp_ms, key, value, headers.clone()).unwrap();
        builder.append_with(sample.timestamp_ms, key, value, headers).unwrap();
        assert_eq!(builder.estimated_bytes(), announced);
    }
    let estimated = builder.estimated_bytes();
    let bytes = builder.finish().unwrap();
    assert!(options.compression != Compression::None || bytes.len() == estimated);
    Batch::parse(bytes).unwrap()
}

pub(super) fn read(batch: &Batch) -> Vec<Record> {
    batch.records(LIMIT).unwrap().map(Result::unwrap).collect()
}

pub(super) fn as_sample(record: &Record) -> Sample {
    let owned = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.to_vec());
    let headers = record.headers.iter();
    Sample {
        timestamp_ms: record.timestamp_ms,
        key: owned(&record.key),
        value: owned(&record.value),
        headers: headers.map(|header| (header.key_str().unwrap().to_owned(), owned(&header.value))).collect(),
    }
}

/// A small batch with everything in it.
pub(super) fn small(compression: Compression) -> Batch {
    let sample = |number: u8| Sample {
        timestamp_ms: 1_700_000_000_000 + i64::from(number),
        key: (number != 1).then(|| vec![number; 3]),
        value: (number != 2).then(|| b"value value value".to_vec()),
        headers: vec![("h".to_owned(), Some(vec![number])), ("h".to_owned(), None)],
    };
    let options = BatchOptions {
        compression,
        producer_id: 4,
        producer_epoch: 1,
        base_sequence: 70,
        ..BatchOptions::default()
    };
    build(options, &[sample(0), sample(1), sample(2)])
}
