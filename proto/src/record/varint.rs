//! Variable-length numbers (zigzag, 7 bits a byte, least significant first, as in protobuf) and a reader that cannot
//! leave its slice. A number longer than its type is refused; a needlessly long one that fits is not.

use super::RecordProblem;

/// Bytes of `value` as a varint.
pub(super) fn varint_bytes(value: i32) -> usize {
    varlong_bytes(i64::from(value))
}

/// Bytes of `value` as a varlong. A varint of the same value has the same bytes.
pub(super) fn varlong_bytes(value: i64) -> usize {
    let significant_bits = 64 - (zigzag(value) | 1).leading_zeros();
    // 1 to 10.
    significant_bits.div_ceil(7) as usize
}

/// Appends `value` as a varint.
pub(super) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_varlong(out, i64::from(value));
}

/// Appends `value` as a varlong.
pub(super) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push(low_bits(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low_bits(rest));
}

/// The lowest seven bits.
fn low_bits(value: u64) -> u8 {
    (value & 0x7f) as u8
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Reads fields from the front of a slice and knows where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`, which itself starts at `position` of something larger.
    pub(super) fn new(bytes: &'a [u8], position: usize) -> Self {
        Self { rest: bytes, position }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, RecordProblem> {
        let (first, rest) = self.rest.split_first().ok_or(RecordProblem::Truncated)?;
        self.rest = rest;
        self.position += 1;
        Ok(*first)
    }

    /// The next `length` bytes.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], RecordProblem> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(RecordProblem::Truncated)?;
        self.rest = rest;
        self.position += length;
        Ok(taken)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<i32, RecordProblem> {
        let raw = u32::try_from(self.unsigned(5)?).or(Err(RecordProblem::VarintTooLong))?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    #[inline]
    pub(super) fn varlong(&mut self) -> Result<i64, RecordProblem> {
        let raw = self.unsigned(10)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A length that may be -1 for null: `Some` is at most what remains.
    #[inline]
    pub(super) fn nullable_length(&mut self) -> Result<Option<usize>, RecordProblem> {
        let length = self.varint()?;
        if length == -1 { Ok(None) } else { self.within(length).map(Some) }
    }

    /// A length or a count of things of at least one byte each: at most what remains.
    #[inline]
    pub(super) fn length(&mut self) -> Result<usize, RecordProblem> {
        let length = self.varint()?;
        self.within(length)
    }

    #[inline]
    fn within(&self, length: i32) -> Result<usize, RecordProblem> {
        let wanted = usize::try_from(length).or(Err(RecordProblem::NegativeLength { length }))?;
        if wanted > self.remaining() {
            return Err(RecordProblem::LengthBeyondEnd { length, remaining_bytes: self.remaining() });
        }
        Ok(wanted)
    }

    #[inline]
    fn unsigned(&mut self, bytes_max: u32) -> Result<u64, RecordProblem> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        for index in 1..bytes_max {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * index;
            if bits.leading_zeros() < shift {
                return Err(RecordProblem::VarintTooLong);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(RecordProblem::VarintTooLong)
    }
}
