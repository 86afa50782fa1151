//! Ctrl-C: told to the command, which ends in its own way; a second one, or a command that does not end, ends the process.

use crate::exit::Exit;
use std::time::Duration;
use tokio::{sync::watch, task::JoinSet};

/// How long a command may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(10);

/// Tells of Ctrl-C.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Begins to listen, by a task in `tasks`.
    pub(crate) fn listen(tasks: &mut JoinSet<()>) -> Self {
        let (sender, receiver) = watch::channel(false);
        tasks.spawn(async move {
            if tokio::signal::ctrl_c().await.is_err() {
                // Without a handler Ctrl-C ends the process by itself.
                return std::future::pending().await;
            }
            sender.send_replace(true);
            // A write to a pipe that nobody reads blocks the command: it can be past telling.
            let _ = tokio::time::timeout(GRACE, tokio::signal::ctrl_c()).await;
            std::process::exit(i32::from(Exit::Interrupted.number()));
        });
        Self(receiver)
    }

    /// Resolves once Ctrl-C was pressed, at once if it was already.
    pub(crate) async fn pressed(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|pressed| *pressed).await.is_err() {
            std::future::pending().await
        }
    }
}
