//! All groups of one coordinator, with what they have committed: requests, time and records go in, answers and records to
//! write come out. Still without clock, lock or disk.
//!
//! What always holds:
//! * An offset is told to nobody before its record is durable, and it is forgotten only through a record that says so.
//! * What [`Groups::replay`] makes of all records is what the groups were when the last of them was written; it takes them in
//!   any order, repeated, and without those that compaction removed.

mod of_natives;
mod replay;

pub use of_natives::{CheckedCommit, NativeCommit};

use super::subscription::topics_of;
use super::{
    group::{
        Description, Effect, Group, GroupError, GroupKind, GroupOptions, JoinRequest, Leaver, SyncRequest,
    },
    native::{NativeEffect, NativeGroup},
    record::{CommittedOffset, Key, encode_group, encode_key, encode_offset},
};
use crate::clock::Monotonic;
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use thiserror::Error;

/// A topic's name and a partition's index.
pub type Place = (String, i32);

/// A record to write: a key, and a value, or none where the key is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of what.
    pub key: Bytes,
    /// What is true of it from now on.
    pub value: Option<Bytes>,
}

/// Who commits.
#[derive(Clone, Debug)]
pub struct Committer {
    /// Its id; empty outside any generation.
    pub member_id: String,
    /// Its name across restarts.
    pub instance_id: Option<String>,
    /// Its generation; negative outside any.
    pub generation: i32,
}

/// Why a group is not deleted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeleteGroupError {
    /// Nothing is known of it.
    #[error("there is no such group")]
    NotFound,
    /// It has members.
    #[error("the group has members: stop them first")]
    NotEmpty,
}

/// What groups want done, each effect with its group's name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// By groups of the classic protocol.
    pub classic: Vec<(String, Effect)>,
    /// By groups of clients over gRPC.
    pub native: Vec<(String, NativeEffect)>,
}

/// A name with all that is known of it. At most one of its two groups has members.
struct Entry {
    group: Group,
    native: NativeGroup,
    /// Whose members it has, or had last.
    kind: GroupKind,
    offsets: BTreeMap<Place, CommittedOffset>,
    /// Under which moment it stands among the deadlines.
    deadline: Option<Monotonic>,
    /// Since when it has no member, by the wall clock, in ms.
    empty_since_ms: Option<i64>,
}

/// See the module.
pub struct Groups {
    options: GroupOptions,
    groups: BTreeMap<String, Entry>,
    deadlines: BTreeSet<(Monotonic, String)>,
}

impl Groups {
    /// No groups.
    pub fn new(options: GroupOptions) -> Self {
        Self { options, groups: BTreeMap::new(), deadlines: BTreeSet::new() }
    }

    /// A client joins; the group is made if there is none.
    pub fn join(&mut self, group: &str, request: JoinRequest, now: Monotonic) -> Vec<Effect> {
        let options = &self.options;
        self.groups.entry(group.to_string()).or_insert_with(|| Entry::new(options));
        let joined = self.with(group, |entry| {
            if !entry.native.is_empty() {
                return vec![Effect::Joined(request.waiter, Err(GroupError::OtherKind))];
            }
            let effects = entry.group.join(request, now);
            if !entry.group.is_empty() {
                entry.kind = GroupKind::Classic;
            }
            effects
        });
        joined.unwrap_or_default()
    }

    /// A member syncs.
    pub fn sync(&mut self, group: &str, request: SyncRequest, now: Monotonic) -> Vec<Effect> {
        let waiter = request.waiter;
        let effects = self.with(group, |entry| entry.group.sync(request, now));
        effects.unwrap_or_else(|| vec![Effect::Synced(waiter, Err(GroupError::UnknownMember))])
    }

    /// A member says that it lives.
    ///
    /// # Errors
    /// See [`Group::heartbeat`].
    pub fn heartbeat(&mut self, group: &str, who: &Committer, now: Monotonic) -> Result<(), GroupError> {
        let instance = who.instance_id.as_deref();
        self.with(group, |entry| entry.group.heartbeat(&who.member_id, instance, who.generation, now))
            .unwrap_or(Err(GroupError::UnknownMember))
    }

    /// Members leave.
    pub fn leave(
        &mut self,
        group: &str,
        leavers: &[Leaver],
        now: Monotonic,
    ) -> (Vec<Result<(), GroupError>>, Vec<Effect>) {
        let unknown = || (vec![Err(GroupError::UnknownMember); leavers.len()], Vec::new());
        self.with(group, |entry| entry.group.leave(leavers, now)).unwrap_or_else(unknown)
    }

    /// The group's record for [`Effect::Write`], as it is now.
    pub fn record_of(&self, group: &str, now_ms: i64) -> Option<Record> {
        let entry = self.groups.get(group)?;
        let key = encode_key(&Key::Group(group.to_string()));
        Some(Record { key, value: Some(encode_group(&entry.group.describe(), now_ms)) })
    }

    /// What [`Effect::Write`] asked for is durable, or could not be written.
    pub fn written(
        &mut self,
        group: &str,
        (generation, is_durable): (i32, bool),
        (now, now_ms): (Monotonic, i64),
    ) -> Vec<Effect> {
        let effects = self.with(group, |entry| {
            entry.note_members(now_ms);
            entry.group.written(generation, is_durable, now)
        });
        effects.unwrap_or_default()
    }

    /// Records that commit these offsets, once it was checked that the committer may; when they are durable,
    /// [`Groups::committed`] makes them visible. A group that only commits is made by that.
    ///
    /// # Errors
    /// See [`Group::check_commit`].
    pub fn commit(
        &mut self,
        group: &str,
        who: &Committer,
        offsets: &BTreeMap<Place, CommittedOffset>,
        now: Monotonic,
    ) -> Result<Vec<Record>, GroupError> {
        let instance = who.instance_id.as_deref();
        let checked = self.with(group, |entry| match entry.native.is_empty() {
            true => entry.group.check_commit(&who.member_id, instance, who.generation, now),
            // Only its members commit for such a group.
            false => Err(GroupError::UnknownMember),
        });
        match checked {
            Some(result) => result?,
            // A generation of a group that is not there is one that was forgotten.
            None if who.generation >= 0 => return Err(GroupError::IllegalGeneration { current: -1 }),
            None => {}
        }
        Ok(offset_records(group, offsets))
    }

    /// Records by which an administrator says where a group shall go on; when they are durable, [`Groups::committed`] follows.
    ///
    /// # Errors
    /// It has members: they would not notice, and commit over it.
    pub fn set_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<Place, CommittedOffset>,
    ) -> Result<Vec<Record>, DeleteGroupError> {
        match self.groups.get(group) {
            Some(entry) if !entry.has_no_member() => Err(DeleteGroupError::NotEmpty),
            _ => Ok(offset_records(group, offsets)),
        }
    }

    /// Their records are durable.
    pub fn committed(&mut self, group: &str, offsets: BTreeMap<Place, CommittedOffset>, now_ms: i64) {
        let options = &self.options;
        let entry = self.groups.entry(group.to_string()).or_insert_with(|| Entry::new(options));
        if entry.has_no_member() {
            entry.empty_since_ms.get_or_insert(now_ms);
        }
        entry.offsets.extend(offsets);
    }

    /// How far the group has read.
    pub fn offset(&self, group: &str, place: &Place) -> Option<&CommittedOffset> {
        self.groups.get(group)?.offsets.get(place)
    }

    /// Everything that the group has committed.
    pub fn offsets(&self, group: &str) -> impl Iterator<Item = (&Place, &CommittedOffset)> {
        self.groups.get(group).into_iter().flat_map(|entry| &entry.offsets)
    }

    /// Records that forget a group without members, with the offsets that they name; when they are durable,
    /// [`Groups::forget`] follows.
    ///
    /// # Errors
    /// There is none, or it has members.
    pub fn delete(&mut self, group: &str) -> Result<(Vec<Record>, Vec<Place>), DeleteGroupError> {
        let entry = self.groups.get_mut(group).ok_or(DeleteGroupError::NotFound)?;
        if !entry.has_no_member() {
            return Err(DeleteGroupError::NotEmpty);
        }
        entry.native.drop_changes();
        let mut records = tombstones(group, entry.offsets.keys());
        records.push(Record { key: encode_key(&Key::Group(group.to_string())), value: None });
        if entry.native.epoch() > 0 {
            records.push(Record { key: encode_key(&Key::Native(group.to_string())), value: None });
        }
        Ok((records, entry.offsets.keys().cloned().collect()))
    }

    /// The records are durable: these offsets are gone for good, and the group, unless somebody has joined meanwhile. An
    /// offset that was being committed when the group was deleted stays, as in the log.
    pub fn forget(&mut self, group: &str, places: &[Place]) {
        self.forget_offsets(group, places.iter());
        let options = self.options.clone();
        self.with(group, |entry| {
            if entry.has_no_member() {
                entry.group = Group::new(options.clone());
                entry.native = NativeGroup::new(options);
            }
        });
    }

    fn remove(&mut self, group: &str) {
        if let Some(entry) = self.groups.remove(group)
            && let Some(deadline) = entry.deadline
        {
            self.deadlines.remove(&(deadline, group.to_string()));
        }
    }

    /// Topics whose offsets a group needs: those that its members read.
    ///
    /// # Errors
    /// There is no such group, or it has members that do not say what they read.
    pub fn topics_in_use(&self, group: &str) -> Result<BTreeSet<String>, DeleteGroupError> {
        let entry = self.groups.get(group).ok_or(DeleteGroupError::NotFound)?;
        let subscriptions = entry.group.subscriptions().map(|metadata| topics_of(&metadata));
        let topics: Option<Vec<_>> = subscriptions.collect();
        let topics = topics.ok_or(DeleteGroupError::NotEmpty)?.into_iter().flatten();
        Ok(topics.chain(entry.native.topics().cloned()).collect())
    }

    /// Records that forget offsets; when they are durable, [`Groups::forget_offsets`] follows.
    pub fn delete_offsets<'a>(&self, group: &str, places: impl Iterator<Item = &'a Place>) -> Vec<Record> {
        let known = |place: &&Place| self.offset(group, place).is_some();
        tombstones(group, places.filter(known))
    }

    /// They are forgotten.
    pub fn forget_offsets<'a>(&mut self, group: &str, places: impl Iterator<Item = &'a Place>) {
        if let Some(entry) = self.groups.get_mut(group) {
            for place in places {
                entry.offsets.remove(place);
            }
        }
    }

    /// Groups whose offsets nobody has used for so long: they have had no member since, and no commit.
    pub fn expired(&self, retention: Duration, now_ms: i64) -> Vec<String> {
        let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let is_old = |since_ms: i64| now_ms.saturating_sub(since_ms) >= retention_ms;
        let is_expired = |entry: &Entry| {
            let since_ms = entry.empty_since_ms.filter(|_| entry.has_no_member());
            let newest_ms = entry.offsets.values().map(|committed| committed.committed_ms).max();
            since_ms.is_some_and(is_old) && newest_ms.is_none_or(is_old)
        };
        let expired = self.groups.iter().filter(|(_, entry)| is_expired(entry));
        expired.map(|(group, _)| group.clone()).collect()
    }

    /// A group for an administrator.
    pub fn describe(&self, group: &str) -> Option<Description> {
        self.groups.get(group).map(Entry::describe)
    }

    /// All groups by name.
    pub fn list(&self) -> impl Iterator<Item = (&str, Description)> {
        self.groups.iter().map(|(group, entry)| (group.as_str(), entry.describe()))
    }

    /// When [`Groups::tick`] has something to do, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Time has passed for these groups.
    pub fn tick(&mut self, now: Monotonic) -> Effects {
        let mut effects = Effects::default();
        while let Some((deadline, group)) = self.deadlines.first().cloned().filter(|(at, _)| *at <= now) {
            // Taken out first: what the group has to do next, perhaps at this very moment, is put in again.
            self.deadlines.remove(&(deadline, group.clone()));
            if let Some(entry) = self.groups.get_mut(&group) {
                entry.deadline = None;
            }
            let ticked = self.with(&group, |entry| (entry.group.tick(now), entry.native.tick(now)));
            let (classic, native) = ticked.unwrap_or_default();
            effects.classic.extend(classic.into_iter().map(|effect| (group.clone(), effect)));
            effects.native.extend(native.into_iter().map(|effect| (group.clone(), effect)));
        }
        effects
    }

    /// Does something with a group and puts it in its place among the deadlines. One of which nothing is left goes: a
    /// request that is refused leaves no group behind.
    fn with<T>(&mut self, group: &str, act: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let entry = self.groups.get_mut(group)?;
        let outcome = act(entry);
        let next = entry.next_deadline();
        if next != entry.deadline {
            if let Some(earlier) = std::mem::replace(&mut entry.deadline, next) {
                self.deadlines.remove(&(earlier, group.to_string()));
            }
            self.deadlines.extend(next.map(|deadline| (deadline, group.to_string())));
        }
        if entry.is_blank() {
            self.remove(group);
        }
        Some(outcome)
    }
}

impl Entry {
    fn new(options: &GroupOptions) -> Self {
        let (group, native) = (Group::new(options.clone()), NativeGroup::new(options.clone()));
        let kind = GroupKind::Classic;
        Self { group, native, kind, offsets: BTreeMap::new(), deadline: None, empty_since_ms: None }
    }

    fn has_no_member(&self) -> bool {
        self.group.is_empty() && self.native.is_empty()
    }

    /// Remembers since when it has no member.
    fn note_members(&mut self, now_ms: i64) {
        let is_empty = self.has_no_member();
        self.empty_since_ms = is_empty.then(|| self.empty_since_ms.unwrap_or(now_ms));
    }

    fn describe(&self) -> Description {
        match self.kind {
            GroupKind::Classic => self.group.describe(),
            GroupKind::Native => self.native.describe(),
        }
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        self.group.next_deadline().into_iter().chain(self.native.next_deadline()).min()
    }

    /// Nobody could tell it from a group that was never there.
    fn is_blank(&self) -> bool {
        let is_new = self.group.generation() == 0 && self.native.epoch() == 0;
        self.offsets.is_empty() && self.has_no_member() && is_new
    }
}

fn offset_records(group: &str, offsets: &BTreeMap<Place, CommittedOffset>) -> Vec<Record> {
    let record = |((topic, partition), committed): (&Place, &CommittedOffset)| {
        let key = Key::Offset { group: group.into(), topic: topic.clone(), partition: *partition };
        Record { key: encode_key(&key), value: Some(encode_offset(committed)) }
    };
    offsets.iter().map(record).collect()
}

fn tombstones<'a>(group: &str, places: impl Iterator<Item = &'a Place>) -> Vec<Record> {
    let tombstone = |(topic, partition): &Place| {
        let key = Key::Offset { group: group.into(), topic: topic.clone(), partition: *partition };
        Record { key: encode_key(&key), value: None }
    };
    places.map(tombstone).collect()
}

#[cfg(test)]
mod tests;
