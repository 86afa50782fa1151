//! Notices that the reader of standard output went away even while there is nothing to write, so that
//! `cairn consume TOPIC | head -1` ends with `head` and not with the next record.

use crate::failure::Failure;
use rustix::event::{PollFd, PollFlags, poll};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    thread,
};
use tokio::sync::oneshot;

/// Resolves once standard output is a pipe or socket without a reader; never for anything else.
pub(crate) async fn reader_is_gone() {
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(duplicate) => reader_of(duplicate).await,
        Err(_) => std::future::pending().await,
    }
}

/// Resolves when the other end is closed. A thread waits for that, until the process ends if it must: the runtime's own
/// way would make the descriptor non-blocking for everybody who shares it.
async fn reader_of(descriptor: OwnedFd) {
    let (sender, gone) = oneshot::channel();
    thread::spawn(move || {
        loop {
            // No event is asked for: errors and hang-ups are always reported.
            let mut watched = [PollFd::new(&descriptor, PollFlags::empty())];
            match poll(&mut watched, None) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => break,
                // It cannot be watched; the next write will tell.
                Err(_) => return std::mem::forget(sender),
            }
        }
        // The command may have ended already.
        let _ = sender.send(());
    });
    let _ = gone.await;
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
        let mut gone = std::pin::pin!(reader_of(writer.into()));
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut gone).await.is_err());
        drop(reader);
        tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_never_loses_its_reader() {
        let file = tempfile::tempfile().unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), reader_of(file.into())).await.is_err());
    }
}
