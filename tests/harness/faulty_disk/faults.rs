//! Which calls there are, which of them fails, and who looks on.

use super::{FaultyDisk, Shared, State, error};
use cairn_broker::disk::{DiskError, DiskErrorKind};
use std::path::Path;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A directory is created.
    CreateDir,
    /// A file is created or emptied.
    Create,
    /// An existing file is opened.
    Open,
    /// A name is moved.
    Rename,
    /// A file's name is removed.
    RemoveFile,
    /// A directory is removed.
    RemoveDir,
    /// A directory's names become durable.
    SyncDir,
    /// Bytes are written.
    Write,
    /// Space is allocated.
    Allocate,
    /// A file is cut or extended.
    SetLen,
    /// A file's bytes become durable.
    SyncData,
    /// Bytes are read, or a slice of them is made.
    Read,
    /// Names, lengths or space are asked for.
    Look,
}

impl Operation {
    /// Whether it changes what a power cut would leave.
    pub fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::Read | Self::Look)
    }

    /// Whether it makes something durable.
    pub fn is_sync(self) -> bool {
        matches!(self, Self::SyncData | Self::SyncDir)
    }

    /// Whether it may need space.
    pub fn takes_space(self) -> bool {
        matches!(
            self,
            Self::CreateDir | Self::Create | Self::Rename | Self::Write | Self::Allocate | Self::SyncData
        )
    }

    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::CreateDir => "create directory",
            Self::Create => "create",
            Self::Open => "open",
            Self::Rename => "rename",
            Self::RemoveFile => "remove",
            Self::RemoveDir => "remove directory",
            Self::SyncDir => "sync directory",
            Self::Write => "write",
            Self::Allocate => "allocate space in",
            Self::SetLen => "resize",
            Self::SyncData => "sync",
            Self::Read => "read",
            Self::Look => "look at",
        }
    }
}

/// One call, as an observer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its number among all calls, from 1.
    pub number: u64,
    /// What it does.
    pub operation: Operation,
    /// To which file or directory; for a rename the old name.
    pub path: &'a Path,
}

/// Is told of every call that changes something: of a sync before it has its effect, of everything else after it. At both
/// moments a power cut may keep any part of the call.
pub trait Observer: Send + Sync {
    /// The call is under way. No lock of the disk is held.
    fn called(&self, disk: &FaultyDisk, call: &Call<'_>);
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An input/output error.
    Eio,
    /// No space left.
    Enospc,
}

/// Which call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The number of the call, from 1. `Enospc` waits for the first call from there on that may need space.
    pub call: u64,
    /// How.
    pub kind: FaultKind,
    /// Whether every later one fails as well.
    pub from_then_on: bool,
}

impl Shared {
    /// Numbers a call, and fails it if it is its turn.
    pub(super) fn begin(state: &mut State, operation: Operation, path: &Path) -> Result<u64, DiskError> {
        state.calls += 1;
        if operation.changes() {
            state.changes += 1;
        }
        let number = state.calls;
        let Some(fault) = state.fault.filter(|fault| number >= fault.call) else { return Ok(number) };
        let hit = match fault.kind {
            FaultKind::Eio => fault.from_then_on || number == fault.call,
            FaultKind::Enospc => operation.takes_space(),
        };
        if !hit {
            return Ok(number);
        }
        if !fault.from_then_on {
            state.fault = None;
        }
        Err(match fault.kind {
            FaultKind::Eio => error(DiskErrorKind::Failed, operation.verb(), path, "injected EIO"),
            FaultKind::Enospc => error(DiskErrorKind::NoSpace, operation.verb(), path, "injected ENOSPC"),
        })
    }
}
