//! The broker's exit codes, in one place: scripts and supervisors rely on them, and `--help` prints this list.

use crate::node::StartError;
use std::process::ExitCode;

/// Why the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Shut down cleanly, or had nothing to do.
    Clean = 0,
    /// Failed while running, or was told twice to stop.
    Runtime = 1,
    /// Wrong flags, environment or file.
    Usage = 2,
    /// The data directory is locked, damaged, newer, or somebody else's.
    DataDirectory = 3,
    /// The metadata journal failed.
    Metadata = 4,
    /// A listener's address is in use or does not exist.
    Listener = 5,
}

/// For `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0  shut down cleanly
  1  failed while running, or told to stop a second time before it was done
  2  wrong flag, environment variable or configuration file
  3  the data directory cannot be used: in use by another broker, damaged, of a newer version, or not Cairn's
  4  the metadata journal failed; what was acknowledged is safe, look at the disk before the next start
  5  a listener could not be bound

Every flag is also an environment variable (--listen-grpc: CAIRN_LISTEN_GRPC) and a key of the TOML file (listen-grpc).
Flags win over the environment, the environment over the file. --print-config shows the outcome.";

impl Exit {
    /// The code of a start that failed.
    pub(super) fn of_start(error: &StartError) -> Self {
        match error {
            StartError::Address(_) => Self::Usage,
            StartError::Bind { .. } => Self::Listener,
            StartError::Locked { .. }
            | StartError::Directory(_)
            | StartError::Open(_)
            | StartError::Metadata(_) => Self::DataDirectory,
            StartError::Register(_) => Self::Metadata,
            StartError::Process(_) => Self::Runtime,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
