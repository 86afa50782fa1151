//! Variable-length numbers: golden bytes, extremes, and numbers too long for their type.

use crate::record::{
    RecordProblem,
    varint::{Reader, put_varint, put_varlong, varint_bytes, varlong_bytes},
};
use proptest::prelude::*;

#[test]
fn golden_numbers() {
    let cases: [(i64, &[u8]); 7] = [
        (0, &[0]),
        (-1, &[1]),
        (63, &[0x7e]),
        (64, &[0x80, 1]),
        (i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
        (i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
    ];
    for (value, bytes) in cases {
        let mut out = Vec::new();
        put_varlong(&mut out, value);
        assert_eq!(out, bytes);
        assert_eq!(Reader::new(bytes, 0).varlong(), Ok(value));
        if let Ok(narrow) = i32::try_from(value) {
            assert_eq!(Reader::new(bytes, 0).varint(), Ok(narrow));
        }
    }
}

#[test]
fn numbers_too_long_are_refused() {
    let too_long = Err(RecordProblem::VarintTooLong);
    assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x10], 0).varint(), too_long, "bit 32");
    assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0], 0).varint(), too_long, "six bytes");
    let mut eleven = [0x80; 11];
    eleven[10] = 0;
    assert_eq!(Reader::new(&eleven, 0).varlong(), Err(RecordProblem::VarintTooLong));
    let mut bit_64 = [0x80; 10];
    bit_64[9] = 2;
    assert_eq!(Reader::new(&bit_64, 0).varlong(), Err(RecordProblem::VarintTooLong));
    assert_eq!(Reader::new(&[0x80, 0], 0).varint(), Ok(0), "longer than need be, and fits");
    assert_eq!(Reader::new(&[0x80], 0).varint(), Err(RecordProblem::Truncated));
}

proptest! {
    #[test]
    fn every_number_comes_back(wide in any::<i64>(), shift in 0..64_u32) {
        let wide = wide >> shift;
        let mut out = Vec::new();
        put_varlong(&mut out, wide);
        prop_assert_eq!(out.len(), varlong_bytes(wide));
        let mut reader = Reader::new(&out, 5);
        prop_assert_eq!(reader.varlong(), Ok(wide));
        prop_assert_eq!((reader.remaining(), reader.position()), (0, 5 + out.len()));
        if let Ok(narrow) = i32::try_from(wide) {
            let mut again = Vec::new();
            put_varint(&mut again, narrow);
            prop_assert_eq!(again.len(), varint_bytes(narrow));
            prop_assert_eq!(Reader::new(&again, 0).varint(), Ok(narrow));
        }
    }
}
