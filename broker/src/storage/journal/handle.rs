//! What ends with the last clone of a journal: its thread.

use super::{queue::Stage, shared::Shared};
use crate::disk::{DiskError, DiskResult};
use parking_lot::Mutex;
use std::{sync::Arc, thread::JoinHandle};

/// A journal's state and the thread that commits it.
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    is_stepped: std::sync::atomic::AtomicBool,
}

impl Handle {
    pub(super) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
            thread: Mutex::new(None),
            is_stepped: std::sync::atomic::AtomicBool::new(true),
        }
    }

    /// Whether callers commit.
    pub(super) fn is_stepped(&self) -> bool {
        self.is_stepped.load(std::sync::atomic::Ordering::Acquire)
    }

    /// From here on a thread commits.
    pub(super) fn start_thread(&self) -> DiskResult<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("journal".to_string()).spawn(move || shared.run());
        let wrap = |error| DiskError::from_io("start a thread for", &self.shared.directory, &error);
        *self.thread.lock() = Some(thread.map_err(wrap)?);
        self.is_stepped.store(false, std::sync::atomic::Ordering::Release);
        Ok(())
    }

    /// Ends the thread as the stage says; returns when it has ended.
    pub(super) fn end(&self, stage: Stage) {
        self.shared.queue.set_stage(stage);
        if self.is_stepped() {
            while stage == Stage::Draining && self.shared.step() {}
            self.shared.queue.set_stage(Stage::Stopped);
        }
        let Some(thread) = self.thread.lock().take() else { return };
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the journal's thread panicked");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end(Stage::Stopped);
    }
}
