//! Reading small persisted values: numbers taken one after the other off a slice. Nothing is read past the end, and no
//! count is believed before the bytes that it promises are seen to be there.

use std::fmt;

/// Why bytes are not the value that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) struct DecodeError {
    /// Where, in bytes from the beginning of what was decoded.
    pub at: usize,
    /// What is wrong there.
    pub detail: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.detail, self.at)
    }
}

/// A position in bytes that are being decoded. All numbers are little-endian.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// An error at this place.
    pub(super) fn error(&self, detail: &'static str) -> DecodeError {
        DecodeError { at: self.at, detail }
    }

    /// Bytes not yet taken.
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Takes a fixed number of bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.error("the bytes end too early"));
        };
        self.rest = rest;
        self.at += N;
        Ok(*taken)
    }

    /// Takes an `u8`.
    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    /// Takes an `i16`.
    pub(super) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_le_bytes)
    }

    /// Takes an `u32`.
    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes an `i32`.
    pub(super) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_le_bytes)
    }

    /// Takes an `u64`.
    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes an `i64`.
    pub(super) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_le_bytes)
    }

    /// Takes a count of items that each need at least so many bytes; one that the remaining bytes cannot hold is refused, so
    /// that it may be used to reserve memory.
    pub(super) fn count(&mut self, item_bytes_min: usize) -> Result<usize, DecodeError> {
        let before = *self;
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if count.saturating_mul(item_bytes_min.max(1)) > self.remaining() {
            return Err(before.error("a count is larger than the bytes behind it can hold"));
        }
        Ok(count)
    }

    /// Everything not yet taken.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes so many bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.error("the bytes end too early"));
        };
        self.rest = rest;
        self.at += length;
        Ok(taken)
    }

    /// There must be nothing left.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error("there are bytes left over")) }
    }
}

/// Appends the CRC-32 of everything so far: the end of a whole file.
pub(super) fn seal(mut content: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&content);
    content.extend_from_slice(&checksum.to_le_bytes());
    content
}

/// The content in front of the checksum that [`seal`] appended.
///
/// # Errors
/// The bytes do not have that checksum.
pub(super) fn unseal(sealed: &[u8]) -> Result<&[u8], DecodeError> {
    let Some((content, checksum)) = sealed.split_last_chunk::<4>() else {
        return Err(DecodeError { at: sealed.len(), detail: "the bytes end before a checksum" });
    };
    if crc32fast::hash(content) == u32::from_le_bytes(*checksum) {
        Ok(content)
    } else {
        Err(DecodeError { at: content.len(), detail: "the checksum does not match" })
    }
}

/// A count as it is written. More than four thousand million items is a broken invariant: nothing here grows so far.
pub(super) fn count_of(items: usize) -> [u8; 4] {
    match u32::try_from(items) {
        Ok(count) => count.to_le_bytes(),
        Err(_) => panic!("{items} items do not fit a persisted count"),
    }
}
