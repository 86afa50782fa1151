//! Batches written out by hand: the bytes on the wire are the specification, whatever builder and parser agree on.

use crate::record::{Batch, BatchBuilder, BatchOptions, Compression, DecompressLimit, TimestampType, crc32c};
use bytes::Bytes;

const LIMIT: DecompressLimit = DecompressLimit { bytes_max: 1 << 20 };

/// Two records: (key "k", value "v1", no headers), (null key, null value, headers a=1, a=null).
const TWO_RECORDS: &str = "
    00000000 00000000  00000049  ffffffff  02  CRCCRCCR  0000  00000001
    0000018b cfe56800  0000018b cfe5680a  00000000 00000007  0003  00000009  00000002
    12 00 00 00 02 6b 04 76 31 00
    1a 00 14 02 01 01 04  02 61 02 31  02 61 01
";

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn golden() -> Bytes {
    let mut bytes = unhex(&TWO_RECORDS.replace("CRCCRCCR", "00000000"));
    let crc = crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(bytes)
}

#[test]
fn the_checksum_is_castagnoli() {
    // Check value of CRC-32C, and 32 zero bytes from RFC 3720 B.4.
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
}

#[test]
fn builder_writes_the_golden_bytes() {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let start_ms = 1_700_000_000_000;
    assert_eq!(builder.append(start_ms, Some(b"k"), Some(b"v1"), &[]), Ok(0));
    let headers = [("a", Some(b"1".as_slice())), ("a", None)];
    let announced = builder.bytes_with(start_ms + 10, None, None, headers.iter().copied()).unwrap();
    assert_eq!(builder.append(start_ms + 10, None, None, &headers), Ok(1));
    builder.set_producer(7, 3, 9);
    assert_eq!(builder.estimated_bytes(), announced);
    let bytes = builder.finish().unwrap();
    assert_eq!(bytes.len(), announced);
    assert_eq!(bytes, golden());
}

#[test]
fn parser_reads_the_golden_bytes() {
    let batch = Batch::parse(golden()).unwrap();
    assert!(batch.crc_ok());
    batch.validate_produced(LIMIT).unwrap();
    let header = batch.header();
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 3, 9));
    assert_eq!((header.last_sequence(), header.last_offset(), header.next_offset()), (10, 1, 2));
    assert_eq!(header.compression(), Ok(Compression::None));
    assert_eq!(header.encode()[..], golden()[..61]);
    let records: Vec<_> = batch.records(LIMIT).unwrap().map(Result::unwrap).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].key.as_deref(), Some(b"k".as_slice()));
    assert_eq!(records[0].value.as_deref(), Some(b"v1".as_slice()));
    assert_eq!((records[0].offset, records[0].timestamp_ms), (0, 1_700_000_000_000));
    assert!(records[0].headers.is_empty());
    assert_eq!((records[1].key.as_ref(), records[1].value.as_ref()), (None, None));
    assert_eq!((records[1].offset, records[1].timestamp_ms), (1, 1_700_000_000_010));
    let headers: Vec<_> = records[1].headers.iter().map(|header| (header.key, header.value)).collect();
    let a = Bytes::from_static(b"a");
    assert_eq!(headers, [(a.clone(), Some(Bytes::from_static(b"1"))), (a, None)]);
}

#[test]
fn stamping_changes_only_what_it_should() {
    let batch = Batch::parse(golden()).unwrap();
    let plain = batch.stamp(1000, 5, None);
    assert!(plain.crc_ok());
    let mut expected = golden().to_vec();
    expected[..8].copy_from_slice(&1000_i64.to_be_bytes());
    expected[12..16].copy_from_slice(&5_i32.to_be_bytes());
    assert_eq!(plain.to_bytes(), expected);
    assert_eq!(plain.body().as_ptr(), batch.bytes()[61..].as_ptr(), "the body is shared");

    let timed = batch.stamp(1000, 5, Some(1_800_000_000_000));
    assert!(timed.crc_ok());
    let stored = Batch::parse(timed.to_bytes()).unwrap();
    assert!(stored.crc_ok());
    assert_eq!(stored.header(), timed.header());
    assert_eq!(stored.header().timestamp_type(), TimestampType::LogAppend);
    let stamped: Vec<_> = stored.records(LIMIT).unwrap().map(|record| record.unwrap()).collect();
    assert_eq!(stamped.iter().map(|record| record.offset).collect::<Vec<_>>(), [1000, 1001]);
    assert!(stamped.iter().all(|record| record.timestamp_ms == 1_800_000_000_000));
}

#[test]
fn append_time_does_not_hide_damage() {
    let mut bytes = golden().to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let batch = Batch::parse(Bytes::from(bytes)).unwrap();
    assert!(!batch.crc_ok());
    assert!(!batch.stamp(0, 0, Some(5)).crc_ok());
}
