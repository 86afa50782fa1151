//! The way into the metadata: propose a command, look at the image. One thread behind it appends, syncs and applies.

use super::{
    ClusterState, Command, MetadataError, MetadataFailure, Outcome, ProposeError,
    command_log::CommandLog,
    voter::{Message, Proposal, Voter},
};
use crate::{
    clock::SharedClock,
    disk::SharedDisk,
    ids::{LogId, MetadataIndex, Offset},
    storage::{CommitDriver, StoreFailure, StoreListener},
};
use parking_lot::Mutex;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};
use tokio::sync::{oneshot, watch};

/// Sizes of the metadata, with their defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataOptions {
    /// Proposals that may wait; one more is refused as busy.
    pub proposals_max: usize,
    /// A snapshot is written after so many commands.
    pub snapshot_after_commands: u64,
    /// Or once the log has so many bytes.
    pub snapshot_after_bytes: u64,
}

impl Default for MetadataOptions {
    fn default() -> Self {
        Self { proposals_max: 1024, snapshot_after_commands: 10_000, snapshot_after_bytes: 16 << 20 }
    }
}

/// What the metadata needs.
pub struct MetadataSetup {
    /// The file system.
    pub disk: SharedDisk,
    /// Its own directory, made if missing; the parent must exist (`<data-dir>/metadata`).
    pub path: PathBuf,
    /// Sizes.
    pub options: MetadataOptions,
    /// The time, only to stamp.
    pub clock: SharedClock,
    /// Who syncs its journal.
    pub driver: CommitDriver,
}

/// A proposal that is durable and applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The image has it from this index on.
    pub index: MetadataIndex,
    /// What it did.
    pub outcome: Outcome,
}

/// The metadata. Cheap to clone; the last one to be dropped ends its thread.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    inbox: SyncSender<Message>,
    proposals_max: usize,
    images: watch::Receiver<Arc<ClusterState>>,
    failures: watch::Receiver<Option<MetadataFailure>>,
    closed: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("index", &self.image().index).finish_non_exhaustive()
    }
}

/// Hears of the metadata journal's failure from its own thread.
struct JournalListener {
    failures: watch::Sender<Option<MetadataFailure>>,
}

impl StoreListener for JournalListener {
    fn durable_advanced(&self, _advances: &[(LogId, Offset)]) {}

    fn store_failed(&self, failure: &StoreFailure) {
        self.failures.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(failure.clone().into());
            }
            first
        });
    }
}

impl Handle {
    /// Opens the metadata: snapshot, then the commands behind it. Blocking. An empty directory gives an empty state, to
    /// which [`Command::FormCluster`] is proposed first.
    ///
    /// # Errors
    /// Damage, a newer format, a disk failure: each names the file. Nothing was changed then.
    pub fn open(setup: MetadataSetup) -> Result<Self, MetadataError> {
        let (failures, failures_seen) = watch::channel(None);
        let listener = Arc::new(JournalListener { failures: failures.clone() });
        let (log, state) = CommandLog::open(&setup, listener)?;
        let (images, images_seen) = watch::channel(Arc::new(state.clone()));
        let MetadataOptions { proposals_max, .. } = setup.options;
        let (inbox, received) = sync_channel(proposals_max.max(1));
        let commands_since_snapshot = 0;
        let voter =
            Voter { log, ahead: state, options: setup.options, images, failures, commands_since_snapshot };
        let thread = thread::Builder::new()
            .name("metadata".into())
            .spawn(move || voter.run(&received))
            .map_err(|error| MetadataError::Thread(error.to_string()))?;
        let inner = Inner {
            inbox,
            proposals_max,
            images: images_seen,
            failures: failures_seen,
            closed: AtomicBool::new(false),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The state now. Everything in it is durable.
    pub fn image(&self) -> Arc<ClusterState> {
        self.inner.images.borrow().clone()
    }

    /// The state, and every later one.
    pub fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.inner.images.clone()
    }

    /// Becomes `Some` when the metadata cannot go on: the process must end, with its documented exit code.
    pub fn fatal(&self) -> watch::Receiver<Option<MetadataFailure>> {
        self.inner.failures.clone()
    }

    /// Proposes a command; resolves once it is durable and in the image. Proposals that wait together share one sync.
    ///
    /// # Errors
    /// Refused, or failed: each says whether something may have changed. Dropping the future does not withdraw the
    /// proposal.
    pub async fn propose(&self, command: Command) -> Result<Committed, ProposeError> {
        let answered = self.send(command)?;
        answered.await.unwrap_or_else(|_| Err(self.unanswered()))
    }

    /// [`Handle::propose`] for a plain thread.
    ///
    /// # Errors
    /// As for `propose`.
    pub fn propose_blocking(&self, command: Command) -> Result<Committed, ProposeError> {
        let answered = self.send(command)?;
        answered.blocking_recv().unwrap_or_else(|_| Err(self.unanswered()))
    }

    fn send(
        &self,
        command: Command,
    ) -> Result<oneshot::Receiver<Result<Committed, ProposeError>>, ProposeError> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(ProposeError::Closed);
        }
        let (answer, answered) = oneshot::channel();
        match self.inner.inbox.try_send(Message::Propose(Box::new(Proposal { command, answer }))) {
            Ok(()) => Ok(answered),
            Err(TrySendError::Full(_)) => Err(ProposeError::Busy { waiting: self.inner.proposals_max }),
            Err(TrySendError::Disconnected(_)) => Err(ProposeError::Closed),
        }
    }

    /// The thread ended with the proposal in its hands, or behind a close.
    fn unanswered(&self) -> ProposeError {
        let failure = self.inner.failures.borrow().clone();
        match failure {
            Some(failure) => ProposeError::OutcomeUnknown(failure),
            None if self.inner.closed.load(Ordering::Acquire) => ProposeError::Closed,
            None => ProposeError::OutcomeUnknown(MetadataFailure::Log("the metadata thread ended".into())),
        }
    }

    /// Refuses new proposals, answers those that wait, makes everything durable and ends the thread. Blocking,
    /// idempotent.
    ///
    /// # Errors
    /// The metadata failed, now or before: the shutdown was not clean.
    pub fn close(&self) -> Result<(), MetadataFailure> {
        self.inner.closed.store(true, Ordering::Release);
        // An error means that the thread has ended already.
        let _ = self.inner.inbox.send(Message::Close);
        let thread = self.inner.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            return Err(MetadataFailure::Log("the metadata thread ended".into()));
        }
        match self.inner.failures.borrow().clone() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
