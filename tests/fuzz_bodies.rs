//! The bodies of the fuzz targets in `tests/fuzz`, bounded: any bytes, and valid bytes with some of them changed.

#![cfg(test)]

use cairn_proto::{
    fuzz,
    record::{BatchBuilder, BatchOptions, Compression},
};
use proptest::{collection::vec, prelude::*};

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![any::<u8>(), Just(0), Just(0xff), 0_u8..16], 0..600)
}

fn valid_batch() -> impl Strategy<Value = Vec<u8>> {
    let record = (any::<u32>(), proptest::option::of(vec(any::<u8>(), 0..40)));
    (prop::sample::select(CODECS.to_vec()), vec(record, 1..20)).prop_map(|(compression, records)| {
        let mut builder = BatchBuilder::new(BatchOptions { compression, ..BatchOptions::default() });
        for (timestamp, value) in records {
            builder
                .append(i64::from(timestamp), None, value.as_deref(), &[("key", Some(&b"value"[..]))])
                .expect("fits");
        }
        builder.finish().expect("encodes").to_vec()
    })
}

type Changes = Vec<(prop::sample::Index, u8)>;

fn changed(mut bytes: Vec<u8>, changes: Changes) -> Vec<u8> {
    for (index, value) in changes {
        let index = index.index(bytes.len());
        bytes[index] = value;
    }
    bytes
}

fn changes() -> impl Strategy<Value = Changes> {
    vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn batch(bytes in any_bytes()) {
        fuzz::batch(&bytes);
    }

    #[test]
    fn batch_of_valid_bytes(bytes in valid_batch(), changes in changes()) {
        fuzz::batch(&changed(bytes, changes));
    }

    #[test]
    fn records(codec in prop::sample::select(CODECS.to_vec()), bytes in any_bytes()) {
        fuzz::records(codec, &bytes);
    }

    #[test]
    fn records_of_valid_bytes(bytes in valid_batch(), changes in changes()) {
        let codec = CODECS[usize::from(bytes[22] & 7)];
        fuzz::records(codec, &changed(bytes[61..].to_vec(), changes));
    }

    #[test]
    fn protobuf_request(bytes in any_bytes()) {
        fuzz::protobuf_request(&bytes);
    }
}
