//! A frame ready for a socket: its length, its header and its body, as chunks that a vectored write takes as they are.

use bytes::{Buf, Bytes};
use std::io::IoSlice;

/// An encoded frame, or what is left to write of it. [`Buf::chunks_vectored`] names its parts; record data in it are the
/// slices that were handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    chunks: Vec<Bytes>,
    /// Chunks before this one are written.
    current: usize,
    remaining_bytes: usize,
}

impl Frame {
    pub(super) fn new(chunks: Vec<Bytes>) -> Self {
        let remaining_bytes = chunks.iter().map(Bytes::len).sum();
        Self { chunks, current: 0, remaining_bytes }
    }

    /// What is left to write, in order.
    pub fn chunks(&self) -> impl Iterator<Item = &Bytes> {
        self.chunks.iter().skip(self.current)
    }
}

impl Buf for Frame {
    fn remaining(&self) -> usize {
        self.remaining_bytes
    }

    fn chunk(&self) -> &[u8] {
        self.chunks().find(|chunk| !chunk.is_empty()).map(AsRef::as_ref).unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = self.chunks().filter(|chunk| !chunk.is_empty());
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(chunk);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining_bytes, "no more is written than there is");
        self.remaining_bytes -= count;
        while count > 0
            && let Some(chunk) = self.chunks.get_mut(self.current)
        {
            let step = count.min(chunk.len());
            chunk.advance(step);
            count -= step;
            if chunk.is_empty() {
                // Its memory is free while the rest waits for the socket.
                *chunk = Bytes::new();
                self.current += 1;
            }
        }
    }
}
