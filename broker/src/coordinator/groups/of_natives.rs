//! What is particular to groups of clients over gRPC. Their offsets are those of the name: a client of the Kafka protocol goes on
//! where such a group stopped, and the other way round.

use super::{Entry, Groups, Place, Record, offset_records};
use crate::{
    clock::Monotonic,
    coordinator::{
        group::GroupKind,
        native::{Beat, Lookup, NativeEffect, NativeError},
        native_record::encode_native,
        record::{CommittedOffset, Key, encode_key},
    },
    ids::{PartitionIndex, TopicPartition},
};
use std::collections::{BTreeMap, BTreeSet};

/// A member's commit.
#[derive(Clone, Debug)]
pub struct NativeCommit {
    /// Who commits.
    pub member_id: String,
    /// In which of its epochs.
    pub epoch: i32,
    /// Rises with every commit of the member.
    pub number: u64,
    /// What it commits.
    pub offsets: BTreeMap<Place, CommittedOffset>,
}

/// A commit that was checked.
#[derive(Debug)]
pub struct CheckedCommit {
    /// What is to be written.
    pub records: Vec<Record>,
    /// What they say.
    pub offsets: BTreeMap<Place, CommittedOffset>,
    /// What the member must not commit (any more).
    pub refused: BTreeSet<Place>,
}

impl Groups {
    /// A heartbeat of a native member; the group is made if there is none.
    pub fn native_heartbeat(
        &mut self,
        group: &str,
        beat: Beat,
        lookup: Lookup<'_>,
        now: Monotonic,
    ) -> Vec<NativeEffect> {
        let options = &self.options;
        self.groups.entry(group.to_string()).or_insert_with(|| Entry::new(options));
        let effects = self.with(group, |entry| {
            if !entry.group.is_empty() {
                return vec![NativeEffect::Answer(beat.waiter, Err(NativeError::OtherKind))];
            }
            let effects = entry.native.heartbeat(beat, lookup, now);
            if !entry.native.is_empty() {
                (entry.kind, entry.empty_since_ms) = (GroupKind::Native, None);
            }
            effects
        });
        effects.unwrap_or_default()
    }

    /// A native member leaves.
    ///
    /// # Errors
    /// There is no such member.
    pub fn native_leave(
        &mut self,
        group: &str,
        member_id: &str,
        now: Monotonic,
    ) -> Result<Vec<NativeEffect>, NativeError> {
        self.with(group, |entry| entry.native.leave(member_id, now))
            .unwrap_or(Err(NativeError::UnknownMember))
    }

    /// The group's record for [`NativeEffect::Write`], as it is now.
    pub fn native_record_of(&self, group: &str, now_ms: i64) -> Option<Record> {
        let entry = self.groups.get(group)?;
        let key = encode_key(&Key::Native(group.to_string()));
        Some(Record { key, value: Some(encode_native(&entry.native.to_written(), now_ms)) })
    }

    /// What [`NativeEffect::Write`] asked for is durable, or could not be written, and why.
    pub fn native_written(
        &mut self,
        group: &str,
        version: u64,
        outcome: Result<(), String>,
        now_ms: i64,
    ) -> Vec<NativeEffect> {
        let effects = self.with(group, |entry| {
            entry.note_members(now_ms);
            entry.native.written(version, outcome)
        });
        effects.unwrap_or_default()
    }

    /// Records that commit what a native member may commit of this; when they are durable, [`Groups::committed`] makes it
    /// visible.
    ///
    /// # Errors
    /// It may commit nothing.
    pub fn native_commit(&mut self, group: &str, commit: NativeCommit) -> Result<CheckedCommit, NativeError> {
        let NativeCommit { member_id, epoch, number, mut offsets } = commit;
        let held = |((_, index), committed): (&Place, &CommittedOffset)| TopicPartition {
            topic: committed.topic,
            // No partition has a negative number, and nobody holds the highest one.
            partition: PartitionIndex(u32::try_from(*index).unwrap_or(u32::MAX)),
        };
        let who = (member_id.as_str(), epoch);
        let checked =
            self.with(group, |entry| entry.native.check_commit(who, number, offsets.iter().map(held)));
        let places = checked.unwrap_or(Err(NativeError::UnknownMember))?;
        let verdicts = offsets.keys().cloned().zip(places);
        let refused: BTreeSet<Place> =
            verdicts.filter(|(_, verdict)| !verdict.is_allowed).map(|(place, _)| place).collect();
        offsets.retain(|place, _| !refused.contains(place));
        Ok(CheckedCommit { records: offset_records(group, &offsets), offsets, refused })
    }
}
