//! Who may commit what: the one who holds a partition, in the epoch in which it was given or a later one.

use super::{NativeError, NativeGroup};
use crate::ids::TopicPartition;

/// What a commit is allowed for, and what not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPlace {
    /// The partition.
    pub partition: TopicPartition,
    /// Whether the member holds it, since that epoch.
    pub is_allowed: bool,
}

impl NativeGroup {
    /// Whether a member may commit in these partitions, one by one. `number` rises with every commit of a member: one that was
    /// overtaken by a later one is stale.
    ///
    /// # Errors
    /// It may commit nothing: it is no member, or its epoch or the commit is of the past.
    pub fn check_commit(
        &mut self,
        (member_id, epoch): (&str, i32),
        number: u64,
        partitions: impl Iterator<Item = TopicPartition>,
    ) -> Result<Vec<CommitPlace>, NativeError> {
        let member = self.members.get_mut(member_id).ok_or(NativeError::UnknownMember)?;
        let current = member.epoch;
        if epoch > current || number <= member.commit_number {
            return Err(NativeError::StaleEpoch { current });
        }
        member.commit_number = number;
        let place = |partition| {
            let since = member.holds_since(partition);
            CommitPlace { partition, is_allowed: since.is_some_and(|since| since <= epoch) }
        };
        Ok(partitions.map(place).collect())
    }
}
