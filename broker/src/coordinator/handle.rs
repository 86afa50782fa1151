//! What the broker asks of the coordinator. Each call finds the group's shard, lets the groups decide under its lock, and waits
//! outside of it.

use super::{
    error::CoordinatorError,
    group::{Description, Effect, GroupError, JoinRequest, Joined, Leaver, SyncRequest, Synced},
    groups::{Committer, Groups, Place, Record},
    record::CommittedOffset,
    shard::{Shard, ShardState, Then, Tools},
};
use crate::{clock::Monotonic, ids::PartitionIndex};
use parking_lot::RwLock;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{Notify, oneshot, watch};

/// A group's name has at most so many bytes.
const GROUP_BYTES_MAX: usize = 249;
/// The note with an offset has at most so many (Kafka: `offset.metadata.max.bytes`).
pub const METADATA_BYTES_MAX: usize = 4096;

/// Shards by the partition whose records they are. `partitions`: how many there are, 0 until the topic is there.
#[derive(Default)]
pub(super) struct Shards {
    pub(super) partitions: u32,
    pub(super) led: BTreeMap<PartitionIndex, Arc<Shard>>,
}

/// The coordinator. Cheap to clone.
#[derive(Clone)]
pub struct Coordinator {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) tools: Tools,
    pub(super) shards: RwLock<Shards>,
    /// A deadline may have come nearer.
    pub(super) hurry: Notify,
    /// The shards are others now, or one of them was read.
    pub(super) news: watch::Sender<()>,
}

impl std::fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coordinator").finish_non_exhaustive()
    }
}

mod of_natives;

/// A committed offset, or why there is none to be told.
pub type FoundOffsets = BTreeMap<Place, CommittedOffset>;

impl Coordinator {
    /// Waits until this broker can answer for a group.
    ///
    /// # Errors
    /// See [`CoordinatorError`]: it will not be able to.
    pub async fn ready(&self, group: &str) -> Result<(), CoordinatorError> {
        let mut news = self.inner.news.subscribe();
        loop {
            news.borrow_and_update();
            match self.shard(group) {
                Ok(shard) if shard.state.lock().is_loaded => return Ok(()),
                Ok(_) | Err(CoordinatorError::NotAvailable(_)) => {}
                Err(error) => return Err(error),
            }
            if news.changed().await.is_err() {
                return Err(CoordinatorError::NotCoordinator);
            }
        }
    }

    /// A client joins a group.
    ///
    /// # Errors
    /// See [`CoordinatorError`]. The waiter of the request is set here.
    pub async fn join(&self, group: &str, mut request: JoinRequest) -> Result<Joined, CoordinatorError> {
        let answered = self.decide(group, |groups, state_waiter, now| {
            let (waiter, answered) = state_waiter.await_join();
            request.waiter = waiter;
            (answered, groups(state_waiter).join(group, request, now))
        })?;
        answer_of(answered).await
    }

    /// A member asks for its share.
    ///
    /// # Errors
    /// See [`CoordinatorError`]. The waiter of the request is set here.
    pub async fn sync(&self, group: &str, mut request: SyncRequest) -> Result<Synced, CoordinatorError> {
        let answered = self.decide(group, |groups, state, now| {
            let (waiter, answered) = state.await_sync();
            request.waiter = waiter;
            (answered, groups(state).sync(group, request, now))
        })?;
        answer_of(answered).await
    }

    /// A member says that it lives.
    ///
    /// # Errors
    /// See [`CoordinatorError`].
    pub fn heartbeat(&self, group: &str, who: &Committer) -> Result<(), CoordinatorError> {
        let beat =
            self.decide(group, |groups, state, now| (groups(state).heartbeat(group, who, now), Vec::new()))?;
        Ok(beat?)
    }

    /// Members leave.
    ///
    /// # Errors
    /// See [`CoordinatorError`]; each member has an outcome of its own.
    pub fn leave(
        &self,
        group: &str,
        leavers: &[Leaver],
    ) -> Result<Vec<Result<(), GroupError>>, CoordinatorError> {
        self.decide(group, |groups, state, now| groups(state).leave(group, leavers, now))
    }

    /// Commits offsets; they are durable when this returns.
    ///
    /// # Errors
    /// See [`CoordinatorError`].
    pub async fn commit(
        &self,
        group: &str,
        who: &Committer,
        offsets: FoundOffsets,
    ) -> Result<(), CoordinatorError> {
        let now = self.inner.tools.clock.now();
        self.store(group, offsets, |groups, offsets| Ok(groups.commit(group, who, offsets, now)?)).await
    }

    /// Says where a group without members shall go on; the offsets are durable when this returns.
    ///
    /// # Errors
    /// See [`CoordinatorError`].
    pub async fn set_offsets(&self, group: &str, offsets: FoundOffsets) -> Result<(), CoordinatorError> {
        self.store(group, offsets, |groups, offsets| Ok(groups.set_offsets(group, offsets)?)).await
    }

    async fn store(
        &self,
        group: &str,
        offsets: FoundOffsets,
        check: impl FnOnce(&mut Groups, &FoundOffsets) -> Result<Vec<Record>, CoordinatorError>,
    ) -> Result<(), CoordinatorError> {
        check_metadata(&offsets)?;
        let shard = self.shard(group)?;
        let (answer, answered) = oneshot::channel();
        {
            let mut state = shard.state.lock();
            state.check_loaded()?;
            let records = check(&mut state.groups, &offsets)?;
            if records.is_empty() {
                return Ok(());
            }
            let then = Then::Commit { group: group.to_string(), offsets, answer };
            shard.write(&self.inner.tools, &records, then);
        }
        answer_of(answered).await
    }

    /// How far a group has read: the wanted partitions, or all that it has committed.
    ///
    /// # Errors
    /// See [`CoordinatorError`].
    pub fn offsets(&self, group: &str, wanted: Option<&[Place]>) -> Result<FoundOffsets, CoordinatorError> {
        let shard = self.shard(group)?;
        let state = shard.state.lock();
        state.check_loaded()?;
        let owned = |(place, committed): (&Place, &CommittedOffset)| (place.clone(), committed.clone());
        Ok(match wanted {
            None => state.groups.offsets(group).map(owned).collect(),
            Some(places) => {
                let found = |place| Some((place, state.groups.offset(group, place)?));
                places.iter().filter_map(found).map(owned).collect()
            }
        })
    }

    /// Deletes a group without members, with everything it committed.
    ///
    /// # Errors
    /// See [`CoordinatorError`].
    pub async fn delete(&self, group: &str) -> Result<(), CoordinatorError> {
        let shard = self.shard(group)?;
        let (answer, answered) = oneshot::channel();
        {
            let mut state = shard.state.lock();
            state.check_loaded()?;
            let (records, places) = state.groups.delete(group)?;
            let then = Then::Forget { group: group.to_string(), places, answer };
            shard.write(&self.inner.tools, &records, then);
        }
        answer_of(answered).await
    }

    /// Forgets what a group committed for some partitions, but for those of topics that its members read: these are
    /// returned.
    ///
    /// # Errors
    /// See [`CoordinatorError`].
    pub async fn delete_offsets(
        &self,
        group: &str,
        places: Vec<Place>,
    ) -> Result<Vec<Place>, CoordinatorError> {
        let shard = self.shard(group)?;
        let refused;
        let (answer, answered) = oneshot::channel();
        {
            let state = shard.state.lock();
            state.check_loaded()?;
            let in_use = state.groups.topics_in_use(group)?;
            let (kept, places): (Vec<Place>, Vec<Place>) =
                places.into_iter().partition(|(topic, _)| in_use.contains(topic));
            refused = kept;
            let records = state.groups.delete_offsets(group, places.iter());
            if records.is_empty() {
                return Ok(refused);
            }
            let then = Then::ForgetOffsets { group: group.to_string(), places, answer };
            shard.write(&self.inner.tools, &records, then);
        }
        answer_of(answered).await?;
        Ok(refused)
    }

    /// A group for an administrator; `None`: there is none.
    ///
    /// # Errors
    /// See [`CoordinatorError`].
    pub fn describe(&self, group: &str) -> Result<Option<Description>, CoordinatorError> {
        let shard = self.shard(group)?;
        let state = shard.state.lock();
        state.check_loaded()?;
        Ok(state.groups.describe(group))
    }

    /// All groups that this broker coordinates, by name.
    ///
    /// # Errors
    /// Some are still being read.
    pub fn list(&self) -> Result<BTreeMap<String, Description>, CoordinatorError> {
        let shards: Vec<_> = self.inner.shards.read().led.values().cloned().collect();
        let mut all = BTreeMap::new();
        for shard in shards {
            let state = shard.state.lock();
            state.check_loaded()?;
            all.extend(state.groups.list().map(|(group, description)| (group.to_string(), description)));
        }
        Ok(all)
    }

    /// The partition of the internal topic that a group's state lies in; `None` until the topic is there.
    ///
    /// # Errors
    /// The name is none.
    pub fn partition_of(&self, group: &str) -> Result<Option<PartitionIndex>, CoordinatorError> {
        let (given, max) = (group.len(), GROUP_BYTES_MAX);
        if given == 0 || given > max {
            return Err(CoordinatorError::InvalidName { given, max });
        }
        Ok(partition_of(group, self.inner.shards.read().partitions))
    }

    fn shard(&self, group: &str) -> Result<Arc<Shard>, CoordinatorError> {
        let Some(partition) = self.partition_of(group)? else {
            return Err(CoordinatorError::NotAvailable("its internal topic is not there yet".into()));
        };
        self.inner.shards.read().led.get(&partition).cloned().ok_or(CoordinatorError::NotCoordinator)
    }

    /// Lets the groups decide, and carries out what they want.
    fn decide<T>(
        &self,
        group: &str,
        act: impl FnOnce(fn(&mut ShardState) -> &mut Groups, &mut ShardState, Monotonic) -> (T, Vec<Effect>),
    ) -> Result<T, CoordinatorError> {
        let shard = self.shard(group)?;
        let tools = &self.inner.tools;
        let mut state = shard.state.lock();
        state.check_loaded()?;
        let before = state.groups.next_deadline();
        let (outcome, effects) = act(|state| &mut state.groups, &mut state, tools.clock.now());
        shard.perform(&mut state, tools, effects.into_iter().map(|effect| (group.to_string(), effect)));
        self.hurry_if_nearer(before, state.groups.next_deadline());
        Ok(outcome)
    }

    /// Wakes the worker when a deadline has come nearer.
    fn hurry_if_nearer(&self, before: Option<Monotonic>, after: Option<Monotonic>) {
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.inner.hurry.notify_one();
        }
    }
}

fn check_metadata(offsets: &FoundOffsets) -> Result<(), CoordinatorError> {
    let longest = offsets.values().map(|committed| committed.metadata.len()).max().unwrap_or(0);
    if longest > METADATA_BYTES_MAX {
        return Err(CoordinatorError::MetadataTooLong { given: longest, max: METADATA_BYTES_MAX });
    }
    Ok(())
}

/// As Kafka places groups: by Java's hash of the name.
fn partition_of(group: &str, partitions: u32) -> Option<PartitionIndex> {
    let hash =
        group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    let positive = hash.cast_unsigned() & 0x7fff_ffff;
    Some(PartitionIndex(positive.checked_rem(partitions)?))
}

async fn answer_of<T>(
    answered: oneshot::Receiver<Result<T, CoordinatorError>>,
) -> Result<T, CoordinatorError> {
    // A shard that is dropped with somebody waiting was given up.
    answered.await.unwrap_or(Err(CoordinatorError::NotCoordinator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_lie_where_kafka_would_look_for_them() {
        // "abc".hashCode() is 96354 in Java; "polygenelubricants".hashCode() is the smallest number.
        assert_eq!(partition_of("abc", 50), Some(PartitionIndex(96_354 % 50)));
        assert_eq!(partition_of("polygenelubricants", 50), Some(PartitionIndex(0)));
        assert_eq!(partition_of("abc", 0), None);
    }
}
