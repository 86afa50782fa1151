//! Cuts an input into lines of any bytes with bounded memory: big reads, and a line is a slice of the block it was read
//! into. Only the unfinished line at a block's end is ever moved.
//!
//! A line ends at `\n`, which is not part of it; a `\r` is. What stands behind the last `\n` is a line if it is not empty.

use bytes::{Bytes, BytesMut};
use std::io::{self, Read};

/// Why the input ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The line behind all lines given out so far is longer than allowed.
    #[error("the line is longer than {line_bytes_max} bytes")]
    LineTooLong {
        /// The limit, without the newline.
        line_bytes_max: usize,
    },
    /// The input cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// Reads blocks of whole lines.
#[derive(Debug)]
pub(crate) struct LineBlocks<R> {
    input: R,
    /// What was read and not yet given out: the beginning of a line.
    partial: BytesMut,
    read_bytes: usize,
    line_bytes_max: usize,
    ended: bool,
}

impl<R: Read> LineBlocks<R> {
    /// `read_bytes` is what one read asks for, `line_bytes_max` the longest line that is given out.
    pub(crate) fn new(input: R, read_bytes: usize, line_bytes_max: usize) -> Self {
        assert!(read_bytes > 0, "a read of nothing would look like the end");
        Self { input, partial: BytesMut::new(), read_bytes, line_bytes_max, ended: false }
    }

    /// Whole lines, as soon as there is one; `None` at the end. Only the last block may lack its final newline. A line that
    /// is too long is reported after all lines before it were given out, and nothing follows it.
    pub(crate) fn next_block(&mut self) -> Result<Option<Bytes>, InputError> {
        while !self.ended {
            let old_length = self.partial.len();
            if old_length > self.line_bytes_max {
                self.ended = true;
                return Err(InputError::LineTooLong { line_bytes_max: self.line_bytes_max });
            }
            let count = self.fill()?;
            if count == 0 {
                self.ended = true;
                let rest = self.partial.split().freeze();
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
            let fresh = self.partial.get(old_length..).unwrap_or_default();
            if let Some(at) = fresh.iter().rposition(|byte| *byte == b'\n') {
                return Ok(Some(self.partial.split_to(old_length + at + 1).freeze()));
            }
        }
        Ok(None)
    }

    fn fill(&mut self) -> Result<usize, InputError> {
        let old_length = self.partial.len();
        // The block's remaining room is used up before there is a new block, so that slow input makes few blocks.
        let room = self.partial.capacity() - old_length;
        let want =
            if room >= self.read_bytes.min(4096) { room.min(self.read_bytes) } else { self.read_bytes };
        self.partial.resize(old_length + want, 0);
        let into = self.partial.get_mut(old_length..).unwrap_or_default();
        let result = loop {
            match self.input.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let count = *result.as_ref().unwrap_or(&0);
        assert!(count <= want, "a read returns no more than was asked for");
        self.partial.truncate(old_length + count);
        if result.is_err() {
            self.ended = true;
        }
        Ok(result?)
    }
}

/// The lines of a block, each a slice of it.
#[derive(Debug)]
pub(crate) struct Lines {
    rest: Bytes,
    line_bytes_max: usize,
    failed: bool,
}

impl Lines {
    /// The lines of a block of [`LineBlocks`].
    pub(crate) fn new(block: Bytes, line_bytes_max: usize) -> Self {
        Self { rest: block, line_bytes_max, failed: false }
    }
}

impl Iterator for Lines {
    type Item = Result<Bytes, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.failed {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let mut line = self.rest.split_to(end.map_or(self.rest.len(), |end| end + 1));
        line.truncate(end.unwrap_or(line.len()));
        if line.len() > self.line_bytes_max {
            self.failed = true;
            return Some(Err(InputError::LineTooLong { line_bytes_max: self.line_bytes_max }));
        }
        Some(Ok(line))
    }
}

#[cfg(test)]
mod tests;
