//! Notices that the reader of standard output went away even while there is nothing to write, so that
//! `cairn consume TOPIC | head -1` ends with `head` and not with the next record.

use crate::failure::Failure;
use std::{io, os::fd::AsFd};
use tokio::io::{Interest, unix::AsyncFd};

/// Resolves once standard output is a pipe or socket without a reader; never for anything else.
pub(crate) async fn reader_is_gone() {
    let stdout = io::stdout();
    if let Ok(duplicate) = stdout.as_fd().try_clone_to_owned() {
        reader_of(duplicate).await;
    }
    std::future::pending().await
}

/// Resolves when the other end is closed, or when that cannot be watched, as with files.
async fn reader_of(descriptor: impl std::os::fd::AsRawFd) {
    let Ok(watched) = AsyncFd::with_interest(descriptor, Interest::ERROR) else {
        return std::future::pending().await;
    };
    let _ = watched.ready(Interest::ERROR).await;
}

/// The quiet end that this is.
pub(crate) fn failure() -> Failure {
    Failure::output(&io::ErrorKind::BrokenPipe.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_pipe_is_noticed_when_its_reader_goes_and_not_before() {
        let (reader, writer) = io::pipe().unwrap();
        let mut gone = std::pin::pin!(reader_of(writer));
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut gone).await.is_err());
        drop(reader);
        tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_never_loses_its_reader() {
        let file = tempfile::tempfile().unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), reader_of(file)).await.is_err());
    }
}
