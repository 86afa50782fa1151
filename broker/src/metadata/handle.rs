//! The way into the metadata: propose a command, look at the image. One thread behind it appends, syncs and applies.

use super::{ClusterState, Command, MetadataError, MetadataFailure, Outcome, ProposeError};
use crate::{clock::SharedClock, disk::SharedDisk, ids::MetadataIndex, storage::CommitDriver};
use std::{path::PathBuf, sync::Arc};
use tokio::sync::watch;

/// Sizes of the metadata, with their defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataOptions {
    /// Proposals that may wait; one more is refused as busy.
    pub proposals_max: usize,
    /// A snapshot is written after so many commands.
    pub snapshot_after_commands: u64,
    /// Or after so many bytes of commands.
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

/// The metadata. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    images: watch::Receiver<Arc<ClusterState>>,
    failures: watch::Receiver<Option<MetadataFailure>>,
}

impl Handle {
    /// Opens the metadata: snapshot, then the commands behind it. Blocking. An empty directory gives an empty state, to
    /// which [`Command::FormCluster`] is proposed first.
    ///
    /// # Errors
    /// Damage, a newer format, a disk failure: each names the file. Nothing was changed then.
    pub fn open(_setup: MetadataSetup) -> Result<Self, MetadataError> {
        unimplemented!()
    }

    /// The state now. Everything in it is durable.
    pub fn image(&self) -> Arc<ClusterState> {
        self.images.borrow().clone()
    }

    /// The state, and every later one.
    pub fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.images.clone()
    }

    /// Becomes `Some` when the metadata cannot go on: the process must end, with its documented exit code.
    pub fn fatal(&self) -> watch::Receiver<Option<MetadataFailure>> {
        self.failures.clone()
    }

    /// Proposes a command; resolves once it is durable and in the image. Proposals that wait together share one sync.
    ///
    /// # Errors
    /// Refused, or failed: each says whether something may have changed. Dropping the future does not withdraw the
    /// proposal.
    pub async fn propose(&self, _command: Command) -> Result<Committed, ProposeError> {
        unimplemented!()
    }

    /// [`Handle::propose`] for a plain thread.
    ///
    /// # Errors
    /// As for `propose`.
    pub fn propose_blocking(&self, _command: Command) -> Result<Committed, ProposeError> {
        unimplemented!()
    }

    /// Refuses new proposals, answers those that wait, makes everything durable and ends the thread. Blocking,
    /// idempotent.
    pub fn close(&self) {
        unimplemented!()
    }
}
