//! What the broker asks of groups of clients over gRPC.

use super::{Coordinator, answer_of, check_metadata};
use crate::{
    clock::Monotonic,
    coordinator::{
        CoordinatorError,
        groups::{NativeCommit, Place},
        native::{Beat, Directive, NativeEffect},
        shard::{ShardState, Then},
    },
    ids::TopicId,
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::oneshot;

impl Coordinator {
    /// A member's heartbeat; answered when there is news for it, or after the time that it waits.
    ///
    /// # Errors
    /// See [`CoordinatorError`]. The waiter of the heartbeat is set here.
    pub async fn native_heartbeat(&self, group: &str, mut beat: Beat) -> Result<Directive, CoordinatorError> {
        let image = Arc::clone(&self.inner.tools.images.borrow());
        let lookup = |name: &str| -> Option<(TopicId, u32)> {
            let topic = image.topic_by_name(name).filter(|topic| !topic.internal)?;
            Some((topic.id, u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX)))
        };
        let answered = self.decide_native(group, |state, now| {
            let (waiter, answered) = state.await_beat();
            beat.waiter = waiter;
            (answered, state.groups.native_heartbeat(group, beat, &lookup, now))
        })?;
        answer_of(answered).await
    }

    /// A member leaves.
    ///
    /// # Errors
    /// See [`CoordinatorError`].
    pub fn native_leave(&self, group: &str, member_id: &str) -> Result<(), CoordinatorError> {
        let left =
            self.decide_native(group, |state, now| match state.groups.native_leave(group, member_id, now) {
                Ok(effects) => (Ok(()), effects),
                Err(error) => (Err(error), Vec::new()),
            })?;
        Ok(left?)
    }

    /// Commits what a member may commit of this, which is durable when this returns; what it must not commit comes back.
    ///
    /// # Errors
    /// See [`CoordinatorError`].
    pub async fn native_commit(
        &self,
        group: &str,
        commit: NativeCommit,
    ) -> Result<BTreeSet<Place>, CoordinatorError> {
        check_metadata(&commit.offsets)?;
        let shard = self.shard(group)?;
        let (answer, answered) = oneshot::channel();
        let refused = {
            let mut state = shard.state.lock();
            state.check_loaded()?;
            let checked = state.groups.native_commit(group, commit)?;
            if checked.records.is_empty() {
                return Ok(checked.refused);
            }
            let then = Then::Commit { group: group.to_string(), offsets: checked.offsets, answer };
            shard.write(&self.inner.tools, &checked.records, then);
            checked.refused
        };
        answer_of(answered).await?;
        Ok(refused)
    }

    /// Lets the groups decide, and carries out what they want.
    fn decide_native<T>(
        &self,
        group: &str,
        act: impl FnOnce(&mut ShardState, Monotonic) -> (T, Vec<NativeEffect>),
    ) -> Result<T, CoordinatorError> {
        let shard = self.shard(group)?;
        let tools = &self.inner.tools;
        let mut state = shard.state.lock();
        state.check_loaded()?;
        let before = state.groups.next_deadline();
        let (outcome, effects) = act(&mut state, tools.clock.now());
        let effects = effects.into_iter().map(|effect| (group.to_string(), effect));
        shard.perform_native(&mut state, tools, effects);
        self.hurry_if_nearer(before, state.groups.next_deadline());
        Ok(outcome)
    }
}
