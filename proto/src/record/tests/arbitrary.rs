//! Arbitrary bytes, and valid batches with a few bytes changed, through the fuzz bodies.

use super::samples::{build, codec, sample};
use crate::{
    fuzz,
    record::{BatchOptions, Compression},
};
use proptest::{collection::vec, prelude::*};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_as_batches(data in vec(any::<u8>(), 0..300)) {
        fuzz::batch(&data);
    }

    #[test]
    fn any_bytes_as_records(codec in codec(), data in vec(any::<u8>(), 0..300)) {
        fuzz::records(codec, &data);
    }

    #[test]
    fn any_bytes_behind_a_codecs_magic(codec in codec(), data in vec(any::<u8>(), 0..300)) {
        fuzz::records(codec, &[magic(codec), &data].concat());
    }

    #[test]
    fn changed_batches(
        codec in codec(),
        samples in vec(sample(), 1..4),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let batch = build(BatchOptions { compression: codec, ..BatchOptions::default() }, &samples);
        let mut bytes = batch.bytes().to_vec();
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        fuzz::batch(&bytes);
        fuzz::records(codec, &bytes[61..]);
    }

    #[test]
    fn any_bytes_as_requests(data in vec(prop_oneof![any::<u8>(), 0_u8..40], 0..200)) {
        fuzz::protobuf_request(&data);
    }
}

fn magic(codec: Compression) -> &'static [u8] {
    match codec {
        Compression::None => b"",
        Compression::Gzip => b"\x1f\x8b\x08\0\0\0\0\0\0\0",
        Compression::Snappy => b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0",
        Compression::Lz4 => b"\x04\x22\x4d\x18\x40\x70\0",
        Compression::Zstd => b"\x28\xb5\x2f\xfd",
    }
}
