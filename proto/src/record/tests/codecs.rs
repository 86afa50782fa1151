//! The codecs against bytes from elsewhere, against bombs, and against sizes that lie.

use super::samples::{LIMIT, build, read};
use crate::record::{Batch, BatchBuilder, BatchError, BatchOptions, Compression, DecompressLimit};
use bytes::Bytes;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use proptest::{collection::vec, prelude::*};
use std::io::Write;

const PHRASE: &[u8] = b"a cairn is a pile of stones; ";

fn unhex(text: &str) -> Bytes {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn unpack(codec: Compression, packed: impl Into<Bytes>, bytes_max: usize) -> Result<Bytes, BatchError> {
    codec.decompress(&packed.into(), DecompressLimit { bytes_max })
}

fn pack(codec: Compression, plain: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    codec.compress(plain, &mut packed).unwrap();
    packed
}

/// Written by gzip 1.12, zstd 1.5 and lz4 1.9 at the command line.
#[test]
fn what_the_reference_tools_write() {
    let fixtures = [
        (
            Compression::Gzip,
            "1f8b08000000000002034b54484ecc2cca53c82c56485428c8cc4955c84f53282ec9cf4b2db6068a8c4a52200900bbf8c776\
             5c010000",
        ),
        // No content size and no checksum, as streaming clients write it; then with a checksum.
        (
            Compression::Zstd,
            "28b52ffd00582d0100e86120636169726e20697320612070696c65206f662073746f6e65733b200100f100553901",
        ),
        (
            Compression::Zstd,
            "28b52ffd0468250100d281060bd03d94a4235912ac16c25b0615bb55cf598ad0b7922de9e1070100f10055390118ebb79a",
        ),
        // Independent blocks with a content checksum; then linked blocks with block checksums too.
        (
            Compression::Lz4,
            "04224d186440a729000000ff0e6120636169726e20697320612070696c65206f662073746f6e65733b201d00ff28506e6573\
             3b2000000000307969bf",
        ),
        (
            Compression::Lz4,
            "04224d187440bd29000000ff0e6120636169726e20697320612070696c65206f662073746f6e65733b201d00ff28506e6573\
             3b20630054ac00000000307969bf",
        ),
    ];
    for (codec, hex) in fixtures {
        assert_eq!(unpack(codec, unhex(hex), 1000), Ok(Bytes::from(PHRASE.repeat(12))), "{codec}");
        let too_large = BatchError::DecompressedTooLarge { compression: codec, bytes_max: 347 };
        assert_eq!(unpack(codec, unhex(hex), 347), Err(too_large));
        assert_eq!(unpack(codec, unhex(hex), 348).map(|plain| plain.len()), Ok(348));
    }
}

/// Raw: length 9, a literal of 1, a copy of 8 from 1 back. Framed: the same block twice, by hand from the format.
#[test]
fn snappy_raw_and_framed() {
    let block = [9, 0x00, b'x', 0b0001_0001, 1];
    assert_eq!(unpack(Compression::Snappy, block.to_vec(), 9), Ok(Bytes::from_static(b"xxxxxxxxx")));
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for _ in 0..2 {
        framed.extend_from_slice(&[0, 0, 0, 5]);
        framed.extend_from_slice(&block);
    }
    assert_eq!(
        unpack(Compression::Snappy, framed.clone(), 18),
        Ok(Bytes::from_static(b"xxxxxxxxxxxxxxxxxx"))
    );
    let too_large = BatchError::DecompressedTooLarge { compression: Compression::Snappy, bytes_max: 17 };
    assert_eq!(unpack(Compression::Snappy, framed, 17), Err(too_large));
    assert!(pack(Compression::Snappy, PHRASE).starts_with(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"));
}

#[test]
fn bombs_stop_at_the_cap() {
    let plain = vec![0; 64 << 20];
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut builder = BatchBuilder::new(BatchOptions { compression: codec, ..BatchOptions::default() });
        builder.append(0, None, Some(&plain), &[]).unwrap();
        let records_bytes = builder.estimated_bytes() - 61;
        let bomb = Batch::parse(builder.finish().unwrap()).unwrap();
        assert!(bomb.total_bytes() < plain.len() / 20, "{codec} made {} bytes", bomb.total_bytes());
        for bytes_max in [0, 1 << 20, records_bytes - 1] {
            let limit = DecompressLimit { bytes_max };
            let too_large = BatchError::DecompressedTooLarge { compression: codec, bytes_max };
            assert_eq!(bomb.records(limit).map(|_| ()), Err(too_large.clone()));
            assert_eq!(bomb.validate_produced(limit), Err(too_large));
        }
        assert_eq!(bomb.validate_produced(DecompressLimit { bytes_max: records_bytes }), Ok(()));
    }
}

/// Each declares far more than it holds and than the cap: refused for what it is, not for what it claims to be.
#[test]
fn declared_sizes_are_not_believed() {
    let cap = 1 << 20;
    let lies: [(Compression, &[u8]); 5] = [
        (Compression::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, b'x']),
        (Compression::Snappy, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff\x01\0x"),
        (Compression::Lz4, b"\x04\x22\x4d\x18\x48\x70\xff\xff\xff\xff\xff\xff\xff\x00\x00\0\0\0\0"),
        (Compression::Lz4, b"\x04\x22\x4d\x18\x40\x70\x00\xff\xff\xff\x7fx"),
        // One raw block of one byte in a frame that declares 2^62 bytes.
        (Compression::Zstd, b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x40\x09\0\0x"),
    ];
    for (codec, lie) in lies {
        let outcome = unpack(codec, lie.to_vec(), cap);
        assert!(matches!(outcome, Err(BatchError::Decompress { .. })), "{codec}: {outcome:?}");
    }
}

/// Linked blocks of 64 KiB whose matches reach 60,000 bytes back, into the block before.
#[test]
fn lz4_matches_reach_far_into_the_block_before() {
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(60_000)
    .collect();
    let plain = noise.repeat(4);
    let info = FrameInfo::new().block_mode(BlockMode::Linked).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&plain).unwrap();
    let packed = encoder.finish().unwrap();
    assert!(packed.len() < 150_000, "{} bytes: the matches are there", packed.len());
    assert_eq!(unpack(Compression::Lz4, packed, plain.len()), Ok(Bytes::from(plain)));
}

/// A skippable frame in front, which no client writes, is refused like any other frame that is not of today's format.
#[test]
fn zstd_reads_nothing_but_plain_frames() {
    let packed = pack(Compression::Zstd, PHRASE);
    let skippable = [b"\x50\x2a\x4d\x18\0\0\0\0".as_slice(), &packed].concat();
    assert!(zstd::decode_all(skippable.as_slice()).is_ok(), "the library would take it");
    assert!(matches!(unpack(Compression::Zstd, skippable, 1000), Err(BatchError::Decompress { .. })));
    let two = [packed.as_slice(), &packed].concat();
    assert_eq!(unpack(Compression::Zstd, two, 1000), Ok(Bytes::from(PHRASE.repeat(2))));
}

#[test]
fn bytes_behind_the_end_are_refused() {
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut packed = pack(codec, PHRASE);
        packed.push(b'x');
        assert!(matches!(unpack(codec, packed, 1000), Err(BatchError::Decompress { .. })), "{codec}");
    }
}

#[test]
fn names_and_numbers() {
    let table = [("none", 0), ("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)];
    for (codec, (name, id)) in Compression::ALL.into_iter().zip(table) {
        assert_eq!((codec.to_string().as_str(), codec.id()), (name, id));
        assert_eq!((name.parse(), Compression::from_id(id)), (Ok(codec), Some(codec)));
    }
    assert_eq!(Compression::from_id(5), None);
    assert!("ZSTD".parse::<Compression>().is_err());
}

#[test]
fn an_empty_batch_of_any_codec_reads_as_no_records() {
    for codec in Compression::ALL {
        let batch = build(BatchOptions { compression: codec, ..BatchOptions::default() }, &[]);
        assert_eq!(read(&batch), []);
        assert!(batch.validate_produced(LIMIT).is_err());
    }
}

/// Compressible and incompressible stretches.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let stretch =
        prop_oneof![vec(any::<u8>(), 0..600), (any::<u8>(), 0..90_000_usize).prop_map(|(b, n)| vec![b; n])];
    vec(stretch, 0..6).prop_map(|stretches| stretches.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_codec_gives_back_what_it_got(plain in content()) {
        for codec in Compression::ALL {
            let packed = pack(codec, &plain);
            prop_assert_eq!(unpack(codec, packed.clone(), plain.len()), Ok(Bytes::from(plain.clone())), "{}", codec);
            if let Some(bytes_max) = plain.len().checked_sub(1) {
                let too_large = BatchError::DecompressedTooLarge { compression: codec, bytes_max };
                prop_assert_eq!(unpack(codec, packed, bytes_max), Err(too_large));
            }
        }
    }

    #[test]
    fn every_kind_of_lz4_frame(plain in content(), linked: bool, checksums: bool, size: bool, cut: prop::sample::Index) {
        let info = FrameInfo::new()
            .block_mode(if linked { BlockMode::Linked } else { BlockMode::Independent })
            .block_size(BlockSize::Max64KB)
            .block_checksums(checksums)
            .content_checksum(checksums)
            .content_size(size.then_some(plain.len() as u64));
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&plain).unwrap();
        let packed = encoder.finish().unwrap();
        let cut = packed[..cut.index(packed.len())].to_vec();
        prop_assert_eq!(unpack(Compression::Lz4, packed, plain.len()), Ok(Bytes::from(plain)));
        prop_assert!(unpack(Compression::Lz4, cut, 1 << 30).is_err());
    }
}
