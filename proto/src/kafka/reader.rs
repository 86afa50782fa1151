//! Reads a frame from its front. It cannot leave the frame, reserves nothing that the remaining bytes cannot fill, keeps
//! record data as slices of the frame, and counts the memory that a message takes against what the caller allows.

use super::{
    error::{DecodeError, DecodeProblem},
    primitives::Wire,
    table::Form,
};
use bytes::Bytes;

/// The protocol's longest string, in bytes.
pub(super) const STRING_BYTES_MAX: usize = 0x7fff;

/// What the error of a position outside every field names.
const NO_FIELD: &str = "the frame";

/// A frame, and how far it has been read.
#[derive(Debug, Clone)]
pub struct Reader {
    frame: Bytes,
    position: usize,
    /// Where the frame ends, or the tagged field that is being read.
    end: usize,
    /// The field that an error is to name.
    field: &'static str,
    memory_left_bytes: usize,
    tagged_fields_read: usize,
}

impl Reader {
    /// Reads `frame`, which begins behind its four bytes of length. What is decoded from it takes at most
    /// `memory_bytes_max` in strings and arrays; record data are slices of the frame and cost nothing. Without that
    /// limit a frame can take about 25 times its own length (an array of empty strings).
    #[must_use]
    pub fn new(frame: Bytes, memory_bytes_max: usize) -> Self {
        let end = frame.len();
        Self {
            frame,
            position: 0,
            end,
            field: NO_FIELD,
            memory_left_bytes: memory_bytes_max,
            tagged_fields_read: 0,
        }
    }

    /// Tagged fields that were read so far, known ones and skipped ones.
    #[must_use]
    pub fn tagged_fields_read(&self) -> usize {
        self.tagged_fields_read
    }

    /// Bytes that have not been read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.end.saturating_sub(self.position)
    }

    /// What has not been read, as a slice of the frame.
    #[must_use]
    pub fn rest(&self) -> Bytes {
        self.frame.slice(self.position..self.end.max(self.position))
    }

    /// Holds the message to have ended here.
    ///
    /// # Errors
    /// When bytes follow.
    pub fn finish(&mut self) -> Result<(), DecodeError> {
        self.field = NO_FIELD;
        match self.remaining() {
            0 => Ok(()),
            extra_bytes => Err(self.error(DecodeProblem::TrailingBytes { extra_bytes })),
        }
    }

    /// Reads one field; errors name it.
    pub(super) fn field<T: Wire>(&mut self, name: &'static str, form: Form) -> Result<T, DecodeError> {
        self.field = name;
        T::decode(self, form)
    }

    pub(super) fn error(&self, problem: DecodeProblem) -> DecodeError {
        DecodeError { field: self.field, position: self.position, problem }
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let range = self.claim(N)?;
        let found = self.frame.get(range).and_then(|bytes| bytes.first_chunk::<N>());
        found.copied().ok_or_else(|| self.truncated(N))
    }

    /// The next `length` bytes, as a slice of the frame.
    pub(super) fn slice(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let range = self.claim(length)?;
        Ok(self.frame.slice(range))
    }

    /// The next `length` bytes as text of its own, so that a short name does not keep a large frame alive.
    pub(super) fn string(&mut self, length: usize) -> Result<String, DecodeError> {
        if length > STRING_BYTES_MAX {
            return Err(self.error(DecodeProblem::StringTooLong { bytes: length }));
        }
        let begin = self.position;
        let range = self.claim(length)?;
        self.charge(length)?;
        let bytes = self.frame.get(range).unwrap_or_default();
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(DecodeError { field: self.field, position: begin, problem: DecodeProblem::NotUtf8 });
        };
        Ok(text.to_owned())
    }

    /// Moves past the next `length` bytes and says where they stand.
    fn claim(&mut self, length: usize) -> Result<std::ops::Range<usize>, DecodeError> {
        if length > self.remaining() {
            return Err(self.truncated(length));
        }
        let begin = self.position;
        self.position += length;
        Ok(begin..self.position)
    }

    fn truncated(&self, wanted_bytes: usize) -> DecodeError {
        self.error(DecodeProblem::Truncated { wanted_bytes, remaining_bytes: self.remaining() })
    }

    /// Counts memory that is about to be taken.
    pub(super) fn charge(&mut self, wanted_bytes: usize) -> Result<(), DecodeError> {
        let allowed_bytes = self.memory_left_bytes;
        let Some(left) = allowed_bytes.checked_sub(wanted_bytes) else {
            return Err(self.error(DecodeProblem::Memory { wanted_bytes, allowed_bytes }));
        };
        self.memory_left_bytes = left;
        Ok(())
    }

    /// A length of two bytes; -1 is `None`.
    pub(super) fn short_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let length = i16::from_be_bytes(self.array()?);
        self.length(i32::from(length))
    }

    /// A length of four bytes; -1 is `None`.
    pub(super) fn long_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let length = i32::from_be_bytes(self.array()?);
        self.length(length)
    }

    fn length(&self, length: i32) -> Result<Option<usize>, DecodeError> {
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(self.error(DecodeProblem::NegativeLength { length })),
        }
    }

    /// A length in compact form, which is one more than itself; 0 is `None`.
    pub(super) fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok((self.varint()? as usize).checked_sub(1))
    }

    /// An unsigned number of at most five bytes, seven bits each, the lowest first.
    pub(super) fn varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            let bits = u32::from(byte & 0x7f);
            if bits.leading_zeros() < shift {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error(DecodeProblem::VarintTooLong))
    }

    /// Reads the tagged fields at the end of the struct `name`. `known` reads the value of a tag it knows and answers true; all
    /// others are skipped. Tags must rise, sizes must stay within what remains and be used up.
    pub(super) fn tagged_fields(
        &mut self,
        name: &'static str,
        mut known: impl FnMut(&mut Self, u32) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        self.field = name;
        let count = self.varint()?;
        let mut previous = None;
        for _ in 0..count {
            self.field = name;
            let tag = self.varint()?;
            if let Some(previous) = previous
                && tag <= previous
            {
                return Err(self.error(DecodeProblem::TagOrder { tag, previous }));
            }
            previous = Some(tag);
            self.tagged_fields_read += 1;
            let size = self.varint()? as usize;
            self.tagged_field(size, |reader| known(reader, tag))?;
        }
        Ok(())
    }

    fn tagged_field(
        &mut self,
        size: usize,
        known: impl FnOnce(&mut Self) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let value = self.claim(size)?;
        let (after, end) = (self.position, self.end);
        (self.position, self.end) = (value.start, value.end);
        if known(self)? && self.remaining() > 0 {
            return Err(self.error(DecodeProblem::TaggedFieldSize { extra_bytes: self.remaining() }));
        }
        (self.position, self.end) = (after, end);
        Ok(())
    }
}
