//! The headers of one record, kept as the bytes they came in: order and duplicate keys stay, nothing is allocated.
//! The bytes were walked once when the record was read, so iterating cannot fail.

use super::varint::Reader;
use bytes::Bytes;
use std::str::Utf8Error;

/// One header of a record: a key and a value that may be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key's bytes; UTF-8 by the protocol, which nobody on the way enforces.
    pub key: Bytes,
    /// The value, if it is not null.
    pub value: Option<Bytes>,
}

impl Header {
    /// The key as text.
    ///
    /// # Errors
    /// The producer sent a key that is not UTF-8.
    pub fn key_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.key)
    }
}

/// All headers of one record in their order, duplicate keys included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    count: usize,
    /// Exactly `count` well-formed headers.
    bytes: Bytes,
}

impl Headers {
    /// `bytes` must have been walked as exactly `count` headers.
    pub(super) fn new(count: usize, bytes: Bytes) -> Self {
        Self { count, bytes }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in order, as slices of the batch.
    #[must_use]
    pub fn iter(&self) -> HeadersIter<'_> {
        HeadersIter { bytes: &self.bytes, position: 0, remaining: self.count }
    }

    /// The last header with this key, the one that counts where keys are meant to be unique.
    #[must_use]
    pub fn last(&self, key: &str) -> Option<Header> {
        self.iter().filter(|header| header.key == key.as_bytes()).last()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = Header;
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterates the headers of one record.
#[derive(Clone, Debug)]
pub struct HeadersIter<'a> {
    bytes: &'a Bytes,
    position: usize,
    remaining: usize,
}

impl Iterator for HeadersIter<'_> {
    type Item = Header;

    fn next(&mut self) -> Option<Header> {
        self.remaining = self.remaining.checked_sub(1)?;
        let mut reader = Reader::new(self.bytes.get(self.position..)?, self.position);
        let key_bytes = reader.length().ok()?;
        let key = self.bytes.slice_ref(reader.take(key_bytes).ok()?);
        let value = match reader.nullable_length().ok()? {
            Some(length) => Some(self.bytes.slice_ref(reader.take(length).ok()?)),
            None => None,
        };
        self.position = reader.position();
        Some(Header { key, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for HeadersIter<'_> {}
