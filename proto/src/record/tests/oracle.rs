//! The `kafka-protocol` crate as an oracle, in both directions and in every codec. It keeps headers in a map: of
//! duplicate keys it has the first one's place and the last one's value, and the comparison allows exactly that. Its
//! codecs are handed in here, so that what is compared are the codec libraries' own writers and readers.

use super::samples::{Sample, as_sample, build, codec, read, sample};
use crate::record::{Batch, BatchOptions, Compression};
use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    indexmap::IndexMap,
    protocol::StrBytes,
    records as oracle,
    records::{RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions},
};
use proptest::{collection::vec, prelude::*};
use std::io::{Read, Write};

const BASE_OFFSET: i64 = 1 << 40;

fn oracle_codec(codec: Compression) -> oracle::Compression {
    match codec {
        Compression::None => oracle::Compression::None,
        Compression::Gzip => oracle::Compression::Gzip,
        Compression::Snappy => oracle::Compression::Snappy,
        Compression::Lz4 => oracle::Compression::Lz4,
        Compression::Zstd => oracle::Compression::Zstd,
    }
}

fn pack(plain: &mut BytesMut, out: &mut BytesMut, codec: oracle::Compression) -> Result<(), anyhow::Error> {
    let packed = match codec {
        oracle::Compression::None => plain.to_vec(),
        oracle::Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(plain)?;
            encoder.finish()?
        }
        oracle::Compression::Snappy => snap::raw::Encoder::new().compress_vec(plain)?,
        oracle::Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain)?;
            encoder.finish()?
        }
        oracle::Compression::Zstd => zstd::encode_all(plain.as_ref(), 1)?,
    };
    out.extend_from_slice(&packed);
    Ok(())
}

fn unpack(packed: &mut Bytes, codec: oracle::Compression) -> Result<Bytes, anyhow::Error> {
    let mut plain = Vec::new();
    match codec {
        oracle::Compression::None => plain.extend_from_slice(packed),
        oracle::Compression::Gzip => {
            flate2::read::GzDecoder::new(packed.as_ref()).read_to_end(&mut plain)?;
        }
        oracle::Compression::Snappy => {
            let mut rest = packed.strip_prefix(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01").unwrap();
            while let Some((length, behind)) = rest.split_first_chunk::<4>() {
                let (block, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
                plain.extend(snap::raw::Decoder::new().decompress_vec(block)?);
                rest = behind;
            }
        }
        oracle::Compression::Lz4 => {
            lz4_flex::frame::FrameDecoder::new(packed.as_ref()).read_to_end(&mut plain)?;
        }
        oracle::Compression::Zstd => plain = zstd::decode_all(packed.as_ref())?,
    }
    Ok(Bytes::from(plain))
}

fn to_oracle(sample: &Sample, index: usize) -> oracle::Record {
    let owned = |bytes: &Option<Vec<u8>>| bytes.clone().map(Bytes::from);
    let header =
        |(key, value): &(String, Option<Vec<u8>>)| (StrBytes::from_string(key.clone()), owned(value));
    oracle::Record {
        transactional: true,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 6,
        producer_id: 12,
        producer_epoch: 2,
        timestamp_type: oracle::TimestampType::Creation,
        offset: BASE_OFFSET + i64::try_from(index).unwrap(),
        sequence: 100 + i32::try_from(index).unwrap(),
        timestamp: sample.timestamp_ms,
        key: owned(&sample.key),
        value: owned(&sample.value),
        headers: sample.headers.iter().map(header).collect(),
    }
}

/// What is left of duplicate header keys in the oracle.
fn collapsed(sample: &Sample) -> Sample {
    let headers: IndexMap<String, Option<Vec<u8>>> = sample.headers.iter().cloned().collect();
    Sample { headers: headers.into_iter().collect(), ..sample.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_oracle_reads_what_we_write(codec in codec(), samples in vec(sample(), 1..12)) {
        let options = BatchOptions {
            compression: codec, producer_id: 12, producer_epoch: 2, base_sequence: 100, transactional: true,
            ..BatchOptions::default()
        };
        let stamped = build(options, &samples).stamp(BASE_OFFSET, 6, None);
        let mut bytes = stamped.to_bytes();
        let set = RecordBatchDecoder::decode_with_custom_compression(&mut bytes, Some(unpack)).unwrap();
        prop_assert!(bytes.is_empty());
        prop_assert_eq!(set.compression, oracle_codec(codec));
        let expected: Vec<_> = samples.iter().enumerate().map(|(index, sample)| to_oracle(sample, index)).collect();
        prop_assert_eq!(set.records, expected);
        // And we read our own, duplicate keys included.
        let ours = Batch::parse(stamped.to_bytes()).unwrap();
        prop_assert!(ours.crc_ok());
        prop_assert_eq!(read(&ours).iter().map(as_sample).collect::<Vec<_>>(), samples);
    }

    #[test]
    fn we_read_what_the_oracle_writes(codec in codec(), samples in vec(sample(), 1..12)) {
        let records: Vec<_> = samples.iter().enumerate().map(|(index, sample)| to_oracle(sample, index)).collect();
        let mut bytes = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: oracle_codec(codec) };
        RecordBatchEncoder::encode_with_custom_compression(&mut bytes, &records, &options, Some(pack)).unwrap();
        let batch = Batch::parse(bytes.freeze()).unwrap();
        let header = batch.header();
        prop_assert!(batch.crc_ok() && header.is_transactional() && !header.is_control());
        prop_assert_eq!((header.base_offset, header.leader_epoch, header.base_sequence), (BASE_OFFSET, 6, 100));
        prop_assert_eq!((header.producer_id, header.producer_epoch), (12, 2));
        prop_assert_eq!(header.max_timestamp_ms, samples.iter().map(|sample| sample.timestamp_ms).max().unwrap());
        let expected: Vec<_> = samples.iter().map(collapsed).collect();
        let found = read(&batch);
        prop_assert_eq!(found.iter().map(as_sample).collect::<Vec<_>>(), expected);
        prop_assert!(found.iter().map(|record| record.offset).eq(BASE_OFFSET..=header.last_offset()));
        // As it would come from a producer it is acceptable.
        let produced = Batch::parse(batch.stamp(0, -1, None).to_bytes()).unwrap();
        prop_assert_eq!(produced.validate_produced(super::samples::LIMIT), Ok(()));
    }
}
