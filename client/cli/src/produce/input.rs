//! The lines' source: a thread reads big blocks ahead of the sender, a few at most, because reading a file or a terminal
//! blocks.

use crate::{
    exit::Exit,
    failure::Failure,
    lines::{InputError, LineBlocks},
};
use bytes::Bytes;
use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::Path,
    thread,
};
use tokio::sync::mpsc;

/// Bytes that one read asks for.
const READ_BYTES: usize = 256 * 1024;
/// Blocks read ahead.
const BLOCKS_AHEAD: usize = 4;

/// Blocks of whole lines, as they are read.
#[derive(Debug)]
pub(super) struct Input {
    blocks: mpsc::Receiver<Result<Bytes, InputError>>,
    /// Whether somebody types the lines.
    pub(super) is_interactive: bool,
    /// Whether this may take long enough to show progress.
    pub(super) shows_progress: bool,
    /// The file's size, where it is a file.
    pub(super) size_bytes: Option<u64>,
}

impl Input {
    /// Opens the file, or standard input, and begins to read.
    pub(super) fn open(path: Option<&Path>, line_bytes_max: usize) -> Result<Self, Failure> {
        match path.filter(|path| *path != Path::new("-")) {
            Some(path) => {
                let (file, size_bytes) = open_file(path).map_err(|error| {
                    let message = format!("cannot read '{}': {error}", path.display());
                    Failure::new(Exit::Failed, message).advise("nothing was sent")
                })?;
                Ok(Self::start(file, line_bytes_max, size_bytes, false))
            }
            None => {
                let stdin = io::stdin();
                let is_interactive = stdin.is_terminal();
                Ok(Self::start(stdin, line_bytes_max, None, is_interactive))
            }
        }
    }

    fn start(
        input: impl Read + Send + 'static,
        line_bytes_max: usize,
        size_bytes: Option<u64>,
        is_interactive: bool,
    ) -> Self {
        let (sender, blocks) = mpsc::channel(BLOCKS_AHEAD);
        // A read cannot be interrupted: the thread ends with the process, or when the next block finds no receiver.
        thread::spawn(move || read_blocks(input, line_bytes_max, &sender));
        Self { blocks, is_interactive, shows_progress: !is_interactive, size_bytes }
    }

    /// The next block of whole lines; `None` at the end. Cancel-safe.
    pub(super) async fn next_block(&mut self) -> Result<Option<Bytes>, InputError> {
        self.blocks.recv().await.transpose()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the user's own file, named on the command line; no broker data"
)]
fn open_file(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, metadata.is_file().then_some(metadata.len())))
}

fn read_blocks(input: impl Read, line_bytes_max: usize, sender: &mpsc::Sender<Result<Bytes, InputError>>) {
    let mut blocks = LineBlocks::new(input, READ_BYTES, line_bytes_max);
    while let Some(block) = blocks.next_block().transpose() {
        if sender.blocking_send(block).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_comes_in_blocks_and_ends() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, b"a\n\nb").unwrap();
        let mut input = Input::open(Some(file.path()), 100).unwrap();
        assert_eq!(input.size_bytes, Some(4));
        assert_eq!(input.next_block().await.unwrap().unwrap(), "a\n\n");
        assert_eq!(input.next_block().await.unwrap().unwrap(), "b");
        assert!(input.next_block().await.unwrap().is_none());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path().join("missing"), directory.path().to_owned()] {
            let failure = Input::open(Some(&path), 100).unwrap_err();
            assert!(failure.message.contains(path.to_str().unwrap()), "{}", failure.message);
        }
    }
}
