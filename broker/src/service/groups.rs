//! Consumer groups as clients use them. The internal topic behind the groups is made when the first of them is needed.
//!
//! What always holds: an offset is told only for the topic that it was committed for, not for a later one of the same name.

use super::{Broker, Context, NewTopic, Refusal, TopicError, offsets_topic, within};
use crate::{
    coordinator::{
        CoordinatorError, FoundOffsets, OFFSETS_TOPIC,
        group::{Description, GroupError, JoinRequest, Joined, Leaver, SyncRequest, Synced},
        groups::{Committer, NativeCommit, Place},
        native::{Beat, Directive},
        record::CommittedOffset,
    },
    ids::BrokerId,
    metadata::{ProposeError, Rejection},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A call waits at most so long for the groups of its partition to be read; clients try again.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// Why a call for a group fails.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GroupCallError {
    /// Turned away.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The internal topic could not be made.
    #[error("the internal topic of groups: {0}")]
    Topic(#[from] TopicError),
    /// What the coordinator says.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
}

impl Broker {
    /// The broker that coordinates a group.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn find_coordinator(&self, context: &Context, group: &str) -> Result<BrokerId, GroupCallError> {
        let patience = self.admission().admit(context)?;
        self.coordinator().partition_of(group)?;
        self.make_offsets_topic(patience).await?;
        // Whoever it is, and whether it is ready: a client that comes too early tries again.
        let _ = within(patience.min(READY_WITHIN), self.coordinator().ready(group)).await;
        let partition = self.coordinator().partition_of(group)?;
        let image = self.image();
        let topic = image.topic_by_name(OFFSETS_TOPIC);
        let record = partition.and_then(|partition| topic?.partition(partition));
        let leader = record.and_then(|record| record.leader);
        Ok(leader.ok_or_else(|| CoordinatorError::NotAvailable("its partition has no leader".into()))?)
    }

    /// A client joins a group; answered when the group's next generation begins.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn join_group(
        &self,
        context: &Context,
        group: &str,
        request: JoinRequest,
    ) -> Result<Joined, GroupCallError> {
        self.prepare_group(context, group).await?;
        Ok(self.coordinator().join(group, request).await?)
    }

    /// A member asks for its share; answered when the leader has said who gets what.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn sync_group(
        &self,
        context: &Context,
        group: &str,
        request: SyncRequest,
    ) -> Result<Synced, GroupCallError> {
        self.admission().admit(context)?;
        Ok(self.coordinator().sync(group, request).await?)
    }

    /// A member says that it lives.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub fn heartbeat(&self, context: &Context, group: &str, who: &Committer) -> Result<(), GroupCallError> {
        self.admission().admit(context)?;
        Ok(self.coordinator().heartbeat(group, who)?)
    }

    /// Members leave; each has an outcome of its own.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub fn leave_group(
        &self,
        context: &Context,
        group: &str,
        leavers: &[Leaver],
    ) -> Result<Vec<Result<(), GroupError>>, GroupCallError> {
        self.admission().admit(context)?;
        Ok(self.coordinator().leave(group, leavers)?)
    }

    /// Commits offsets; they are durable when this returns.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn commit_offsets(
        &self,
        context: &Context,
        (group, who): (&str, &Committer),
        offsets: FoundOffsets,
    ) -> Result<(), GroupCallError> {
        let patience = self.prepare_group(context, group).await?;
        let committed = within(patience, self.coordinator().commit(group, who, offsets)).await;
        Ok(committed.unwrap_or_else(|| Err(too_slow()))?)
    }

    /// A heartbeat of a member over gRPC; answered when there is news for it, or after the time that it waits.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn native_heartbeat(
        &self,
        context: &Context,
        group: &str,
        beat: Beat,
    ) -> Result<Directive, GroupCallError> {
        self.prepare_group(context, group).await?;
        Ok(self.coordinator().native_heartbeat(group, beat).await?)
    }

    /// A member over gRPC leaves.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub fn native_leave(
        &self,
        context: &Context,
        group: &str,
        member_id: &str,
    ) -> Result<(), GroupCallError> {
        self.admission().admit(context)?;
        Ok(self.coordinator().native_leave(group, member_id)?)
    }

    /// Commits what a member over gRPC may commit of this, which is durable when this returns; what it must not commit comes
    /// back.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn native_commit(
        &self,
        context: &Context,
        group: &str,
        commit: NativeCommit,
    ) -> Result<BTreeSet<Place>, GroupCallError> {
        let patience = self.prepare_group(context, group).await?;
        let committed = within(patience, self.coordinator().native_commit(group, commit)).await;
        Ok(committed.unwrap_or_else(|| Err(too_slow()))?)
    }

    /// Says where a group without members shall go on; durable when this returns.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn set_offsets(
        &self,
        context: &Context,
        group: &str,
        offsets: FoundOffsets,
    ) -> Result<(), GroupCallError> {
        let patience = self.prepare_group(context, group).await?;
        let set = within(patience, self.coordinator().set_offsets(group, offsets)).await;
        Ok(set.unwrap_or_else(|| Err(too_slow()))?)
    }

    /// How far a group has read: the wanted partitions as far as it committed them, or all that it has committed.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub fn committed_offsets(
        &self,
        context: &Context,
        group: &str,
        wanted: Option<&[Place]>,
    ) -> Result<FoundOffsets, GroupCallError> {
        self.admission().admit(context)?;
        let mut found = self.coordinator().offsets(group, wanted)?;
        let image = self.image();
        let is_present = |(topic, _): &Place, committed: &mut CommittedOffset| {
            image.topic_by_name(topic).is_some_and(|topic| topic.id == committed.topic)
        };
        found.retain(is_present);
        Ok(found)
    }

    /// A group; `None`: there is none.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub fn describe_group(
        &self,
        context: &Context,
        group: &str,
    ) -> Result<Option<Description>, GroupCallError> {
        self.admission().admit(context)?;
        Ok(self.coordinator().describe(group)?)
    }

    /// All groups, by name.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub fn list_groups(&self, context: &Context) -> Result<BTreeMap<String, Description>, GroupCallError> {
        self.admission().admit(context)?;
        Ok(self.coordinator().list()?)
    }

    /// Deletes a group without members, with everything that it committed.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn delete_group(&self, context: &Context, group: &str) -> Result<(), GroupCallError> {
        let patience = self.admission().admit(context)?;
        let deleted = within(patience, self.coordinator().delete(group)).await;
        Ok(deleted.unwrap_or_else(|| Err(too_slow()))?)
    }

    /// Forgets what a group committed for some partitions, but for those of topics that its members read: these are
    /// returned.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn delete_offsets(
        &self,
        context: &Context,
        group: &str,
        places: Vec<Place>,
    ) -> Result<Vec<Place>, GroupCallError> {
        let patience = self.admission().admit(context)?;
        let deleted = within(patience, self.coordinator().delete_offsets(group, places)).await;
        Ok(deleted.unwrap_or_else(|| Err(too_slow()))?)
    }

    /// Refuses a request that names more partitions than one may.
    ///
    /// # Errors
    /// It does.
    pub fn check_places(&self, given: usize) -> Result<(), Refusal> {
        let max = self.limits().offset_queries_max;
        if given > max {
            return Err(Refusal::TooMuch { what: "partitions", given, max, limit: "offset-queries-max" });
        }
        Ok(())
    }

    /// Gives the coordinator time to read a group.
    ///
    /// # Errors
    /// See [`GroupCallError`].
    pub async fn wait_for_group(&self, context: &Context, group: &str) -> Result<(), GroupCallError> {
        self.prepare_group(context, group).await.map(drop)
    }

    /// Makes sure that the group has a coordinator, and gives it time to read; how long the call may take in all.
    async fn prepare_group(&self, context: &Context, group: &str) -> Result<Duration, GroupCallError> {
        let patience = self.admission().admit(context)?;
        if self.coordinator().partition_of(group)?.is_none() {
            self.make_offsets_topic(patience).await?;
        }
        // Who is not ready then says so itself.
        if let Some(outcome) = within(patience.min(READY_WITHIN), self.coordinator().ready(group)).await {
            outcome?;
        }
        Ok(patience)
    }

    /// Makes the internal topic, unless it is there.
    pub(super) async fn make_offsets_topic(&self, patience: Duration) -> Result<(), TopicError> {
        if self.image().topic_by_name(OFFSETS_TOPIC).is_some() {
            return Ok(());
        }
        let new = NewTopic {
            name: OFFSETS_TOPIC.to_owned(),
            partitions: Some(self.limits().offsets_topic_partitions),
            replication_factor: None,
            configs: offsets_topic::configs(),
            validate_only: false,
        };
        match self.make_topic(patience, new, true).await {
            // Somebody else was first.
            Ok(_) | Err(TopicError::Propose(ProposeError::Rejected(Rejection::TopicExists { .. }))) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn too_slow() -> CoordinatorError {
    CoordinatorError::NotAvailable("the record was not durable in time".into())
}
