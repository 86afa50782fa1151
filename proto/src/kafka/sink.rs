//! Where messages are written: small things one behind the other, large ones (record data) as chunks of their own that
//! are never copied. The total length is known, so that a frame's length can stand before it.

use super::{
    error::{EncodeError, EncodeProblem},
    frame::Frame,
    primitives::Wire,
    table::Form,
};
use bytes::{BufMut, Bytes, BytesMut};

/// Bytes at least this long become a chunk of their own; copying shorter ones is cheaper than one more chunk.
pub const OWN_CHUNK_BYTES_MIN: usize = 1024;

/// The four bytes of length before every frame.
const FRAME_LENGTH_BYTES: usize = 4;

/// An encoded part of a message.
#[derive(Debug, Default)]
pub struct Sink {
    /// What was written before the first own chunk. It stays writable, because a frame's length goes to its front.
    head: Option<BytesMut>,
    chunks: Vec<Bytes>,
    /// What was written behind the last own chunk.
    tail: BytesMut,
    /// Bytes of head and chunks.
    settled_bytes: usize,
    field: &'static str,
}

impl Sink {
    /// A sink with room for a frame's length at its front. End it with [`Sink::into_frame`].
    pub(super) fn for_frame() -> Self {
        let mut tail = BytesMut::with_capacity(256);
        tail.put_bytes(0, FRAME_LENGTH_BYTES);
        Self { tail, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.settled_bytes + self.tail.len()
    }

    /// Writes one field; errors name it.
    pub(super) fn field<T: Wire>(
        &mut self,
        name: &'static str,
        value: &T,
        form: Form,
    ) -> Result<(), EncodeError> {
        self.field = name;
        value.encode(self, form)
    }

    pub(super) fn error(&self, problem: EncodeProblem) -> EncodeError {
        EncodeError { field: self.field, problem }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
    }

    /// Takes bytes over, without copying them if they are large.
    pub(super) fn put_bytes(&mut self, bytes: Bytes) {
        if bytes.len() < OWN_CHUNK_BYTES_MIN {
            return self.put(&bytes);
        }
        let before = self.tail.split();
        self.settled_bytes += before.len() + bytes.len();
        if self.head.is_none() {
            self.head = Some(before);
        } else if !before.is_empty() {
            self.chunks.push(before.freeze());
        }
        self.chunks.push(bytes);
    }

    /// An unsigned number, seven bits a byte, the lowest first.
    pub(super) fn put_varint(&mut self, value: u32) {
        let mut rest = value;
        while rest >= 0x80 {
            self.tail.put_u8(low_bits(rest) | 0x80);
            rest >>= 7;
        }
        self.tail.put_u8(low_bits(rest));
    }

    /// A length of two bytes; `None` is -1.
    pub(super) fn put_short_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let length = length.map_or(Ok(-1), |length| i16::try_from(length).or(Err(length)));
        let length = length.map_err(|length| self.too_long(length, i16::MAX as usize))?;
        self.put(&length.to_be_bytes());
        Ok(())
    }

    /// A length of four bytes; `None` is -1.
    pub(super) fn put_long_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let length = length.map_or(Ok(-1), |length| i32::try_from(length).or(Err(length)));
        let length = length.map_err(|length| self.too_long(length, i32::MAX as usize))?;
        self.put(&length.to_be_bytes());
        Ok(())
    }

    /// A length in compact form: one more than itself, 0 for `None`.
    pub(super) fn put_compact_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let raw = length.map_or(Ok(0), |length| i32::try_from(length).or(Err(length)).map(|fits| fits + 1));
        let raw = raw.map_err(|length| self.too_long(length, i32::MAX as usize))?;
        self.put_varint(raw.cast_unsigned());
        Ok(())
    }

    pub(super) fn too_long(&self, length: usize, length_max: usize) -> EncodeError {
        self.error(EncodeProblem::TooLong { length, length_max })
    }

    /// Writes the tagged fields that end a struct.
    pub(super) fn put_tagged_fields(&mut self, fields: TaggedFields) {
        self.put_varint(fields.count);
        self.append(fields.sink);
    }

    fn append(&mut self, other: Self) {
        let head = other.head.map(BytesMut::freeze);
        for chunk in head.into_iter().chain(other.chunks) {
            self.put_bytes(chunk);
        }
        self.put(&other.tail);
    }

    /// Ends a frame that was begun with [`Sink::for_frame`].
    pub(super) fn into_frame(mut self) -> Result<Frame, EncodeError> {
        self.field = "the frame";
        let content_bytes = self.len() - FRAME_LENGTH_BYTES;
        let Ok(length) = i32::try_from(content_bytes) else {
            return Err(self.too_long(content_bytes, i32::MAX as usize));
        };
        let tail = std::mem::take(&mut self.tail);
        let (mut head, tail) = match self.head.take() {
            Some(head) => (head, tail),
            None => (tail, BytesMut::new()),
        };
        if let Some(front) = head.first_chunk_mut::<FRAME_LENGTH_BYTES>() {
            *front = length.to_be_bytes();
        }
        let mut chunks = Vec::with_capacity(self.chunks.len() + 2);
        chunks.push(head.freeze());
        chunks.append(&mut self.chunks);
        if !tail.is_empty() {
            chunks.push(tail.freeze());
        }
        Ok(Frame::new(chunks))
    }
}

fn low_bits(value: u32) -> u8 {
    (value & 0x7f) as u8
}

/// The tagged fields of one struct, in the order of their tags; only those that say something are added.
#[derive(Debug, Default)]
pub(super) struct TaggedFields {
    count: u32,
    sink: Sink,
}

impl TaggedFields {
    pub(super) fn add<T: Wire>(
        &mut self,
        tag: u32,
        name: &'static str,
        value: &T,
        form: Form,
    ) -> Result<(), EncodeError> {
        let mut content = Sink::default();
        content.field(name, value, form)?;
        self.sink.put_varint(tag);
        let size = content.len();
        let Ok(declared) = u32::try_from(size) else {
            return Err(content.too_long(size, u32::MAX as usize));
        };
        self.sink.put_varint(declared);
        self.sink.append(content);
        self.count += 1;
        Ok(())
    }
}
