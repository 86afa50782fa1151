//! gRPC's length-prefixed messages, out of the chunks in which HTTP/2 delivers them and into such chunks, without copying
//! what is large: a `bytes` field that lies within one chunk is a slice of it, and the last field of a message may be sent
//! as it stands in memory.
//!
//! What always holds: nothing is allocated for a length that is only declared; a slice keeps at most [`SHARE_MAX`] times
//! its own length of a chunk alive; many small chunks cost no more memory than their bytes.

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use prost::{
    DecodeError, Message,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};
use std::collections::VecDeque;

/// In front of each message: a flag for compression, and the length in four bytes, big-endian.
pub const PREFIX_BYTES: usize = 5;
/// Chunks below this are copied together.
const CHUNK_BYTES_MIN: usize = 16 << 10;
/// A field that is smaller than this part of its chunk is copied, so that it does not keep the rest alive.
pub const SHARE_MAX: usize = 4;

/// Bytes that are no message, or too long a one. The stream cannot go on behind it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Compression was not negotiated.
    #[error("a compressed message, and no compression was agreed on")]
    Compressed,
    /// Neither compressed nor uncompressed.
    #[error("a message begins with the compression flag {0}; valid are 0 and 1")]
    Flag(u8),
    /// Longer than is allowed.
    #[error("a message of {bytes} bytes, at most {bytes_max} are allowed")]
    TooLong {
        /// Its declared length.
        bytes: usize,
        /// The longest that is taken.
        bytes_max: usize,
    },
    /// Not what protobuf expects.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// What came in and was not taken out yet.
#[derive(Debug, Default)]
pub struct Chunks {
    whole: VecDeque<Chunk>,
    /// Small chunks behind the whole ones.
    gathered: BytesMut,
    bytes: usize,
}

#[derive(Debug)]
struct Chunk {
    rest: Bytes,
    /// As it came in.
    bytes: usize,
}

impl Chunks {
    /// Takes the next chunk.
    pub fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        if chunk.len() < CHUNK_BYTES_MIN {
            self.gathered.extend_from_slice(&chunk);
        } else {
            self.seal();
            self.whole.push_back(Chunk { bytes: chunk.len(), rest: chunk });
        }
    }

    /// Whether everything was taken out: no message has begun.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Takes the next message; `None` until it is complete.
    ///
    /// # Errors
    /// It is longer than `bytes_max` (told before it is complete), compressed, or malformed.
    pub fn next_message<M: Message + Default>(
        &mut self,
        bytes_max: usize,
    ) -> Result<Option<M>, FramingError> {
        let Some([flag, length @ ..]) = self.prefix() else { return Ok(None) };
        match flag {
            0 => {}
            1 => return Err(FramingError::Compressed),
            other => return Err(FramingError::Flag(other)),
        }
        let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if bytes > bytes_max {
            return Err(FramingError::TooLong { bytes, bytes_max });
        }
        if self.bytes - PREFIX_BYTES < bytes {
            return Ok(None);
        }
        self.seal();
        Front { chunks: self, left: PREFIX_BYTES }.advance(PREFIX_BYTES);
        Ok(Some(M::decode(&mut Front { chunks: self, left: bytes })?))
    }

    fn prefix(&self) -> Option<[u8; PREFIX_BYTES]> {
        let mut prefix = [0; PREFIX_BYTES];
        let mut bytes = self.whole.iter().flat_map(|chunk| chunk.rest.iter()).chain(&self.gathered);
        for byte in &mut prefix {
            *byte = *bytes.next()?;
        }
        Some(prefix)
    }

    fn seal(&mut self) {
        if !self.gathered.is_empty() {
            let rest = self.gathered.split().freeze();
            self.whole.push_back(Chunk { bytes: rest.len(), rest });
        }
    }
}

/// The first bytes, of which there are at least so many and all of them in whole chunks.
struct Front<'a> {
    chunks: &'a mut Chunks,
    left: usize,
}

impl Front<'_> {
    /// The next `count` bytes, if one chunk has them and they are worth keeping it.
    fn share(&mut self, count: usize) -> Option<Bytes> {
        let chunk = self.chunks.whole.front_mut()?;
        if chunk.rest.len() < count || count.saturating_mul(SHARE_MAX) < chunk.bytes {
            return None;
        }
        let shared = chunk.rest.slice(..count);
        self.advance(count);
        Some(shared)
    }
}

impl Buf for Front<'_> {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        let rest = self.chunks.whole.front().map_or(&[][..], |chunk| &chunk.rest);
        rest.get(..self.left).unwrap_or(rest)
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.left, "{count} bytes are taken of {}", self.left);
        self.left -= count;
        self.chunks.bytes -= count;
        let mut count = count;
        while let Some(chunk) = self.chunks.whole.front_mut() {
            let here = count.min(chunk.rest.len());
            chunk.rest.advance(here);
            count -= here;
            if chunk.rest.has_remaining() {
                break;
            }
            self.chunks.whole.pop_front();
        }
    }

    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        assert!(count <= self.left, "{count} bytes are taken of {}", self.left);
        self.share(count).unwrap_or_else(|| {
            let mut copy = BytesMut::with_capacity(count);
            copy.put(self.take(count));
            copy.freeze()
        })
    }
}

/// A message with its prefix, all but the bytes of its last field: the field `tag`, of the type `bytes`, which is unset in
/// `message` and whose `field_bytes` bytes are sent behind this. `None` for a message beyond 4 GiB.
#[must_use]
pub fn encode_before_last_field(message: &impl Message, tag: u32, field_bytes: usize) -> Option<Bytes> {
    let before = message.encoded_len();
    let field_head = if field_bytes == 0 { 0 } else { key_len(tag) + encoded_len_varint(field_bytes as u64) };
    let length = u32::try_from(before + field_head + field_bytes).ok()?;
    let mut head = BytesMut::with_capacity(PREFIX_BYTES + before + field_head);
    head.put_u8(0);
    head.put_u32(length);
    message.encode_raw(&mut head);
    if field_bytes > 0 {
        encode_key(tag, WireType::LengthDelimited, &mut head);
        encode_varint(field_bytes as u64, &mut head);
    }
    Some(head.freeze())
}

#[cfg(test)]
mod tests;
