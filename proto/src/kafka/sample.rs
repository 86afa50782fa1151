//! Makes values from bytes, so that whatever drives the bytes (a seed, a fuzzer) drives the values. When the bytes run
//! out, all choices are the smallest, and making a value ends.

use bytes::Bytes;

/// Text of one to three bytes a letter.
const LETTERS: [&str; 8] = ["a", "Z", "7", "-", ".", "_", "é", "水"];

/// Bytes that decide.
#[derive(Debug)]
pub struct Entropy<'a> {
    rest: &'a [u8],
}

impl<'a> Entropy<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number from 0 to one below `end`.
    pub(super) fn below(&mut self, end: u8) -> u8 {
        self.byte() % end
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        [(); N].map(|()| self.byte())
    }

    pub(super) fn text(&mut self) -> String {
        let length = self.below(20);
        (0..length).filter_map(|_| LETTERS.get(usize::from(self.below(8)))).copied().collect()
    }

    /// Short, or now and then long enough to become a chunk of its own in a frame.
    pub(super) fn bytes(&mut self) -> Bytes {
        let length = match self.below(16) {
            1 => 1000 + usize::from(self.byte()),
            _ => usize::from(self.below(32)),
        };
        let first = self.byte();
        (0..=250_u8).cycle().take(length).map(|step| first.wrapping_add(step)).collect()
    }
}
