//! Why a group request is refused.

use super::{group::GroupError, groups::DeleteGroupError, native::NativeError};
use crate::replication::ProduceError;
use thiserror::Error;

/// Why a group request is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CoordinatorError {
    /// Another broker coordinates the group.
    #[error("this broker does not coordinate the group: ask for its coordinator again")]
    NotCoordinator,
    /// The groups are being read.
    #[error("the coordinator is reading its groups: retry")]
    Loading,
    /// Nobody coordinates it now: the internal topic is missing or has no leader.
    #[error("the group has no coordinator at the moment ({0}): retry")]
    NotAvailable(String),
    /// An empty group name, or one that is too long.
    #[error("a group's name has between 1 and {max} bytes, not {given}")]
    InvalidName {
        /// Bytes given.
        given: usize,
        /// The longest allowed.
        max: usize,
    },
    /// More text with an offset than is kept.
    #[error("a note of {given} bytes with an offset, at most {max} are kept (offset.metadata.max.bytes)")]
    MetadataTooLong {
        /// Bytes given.
        given: usize,
        /// The longest allowed.
        max: usize,
    },
    /// More than one record batch takes.
    #[error("the request is larger than a batch of the internal topic may be: send fewer at a time")]
    TooLarge,
    /// What the group itself says.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// What the group of clients over gRPC says.
    #[error(transparent)]
    Native(#[from] NativeError),
    /// What a deletion says.
    #[error(transparent)]
    Delete(#[from] DeleteGroupError),
}

impl From<ProduceError> for CoordinatorError {
    fn from(error: ProduceError) -> Self {
        match error {
            ProduceError::NotLeader | ProduceError::FencedLeaderEpoch { .. } => Self::NotCoordinator,
            ProduceError::TooLarge { .. } | ProduceError::BeyondJournal { .. } => Self::TooLarge,
            other => Self::NotAvailable(other.to_string()),
        }
    }
}
