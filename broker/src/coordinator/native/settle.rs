//! From what should be to what members are told: a partition goes to its new reader only when nobody holds it any more.

use super::{
    Catalog, Directive, Lookup, NativeEffect, NativeError, NativeGroup, TopicFacts,
    assign::{Wishes, assign},
};
use crate::{
    clock::Monotonic,
    ids::{TopicId, TopicPartition},
};
use std::collections::{BTreeMap, BTreeSet};

impl NativeGroup {
    /// Looks at the topics that members want. Whether they are others than at the last look.
    pub(super) fn notice(&mut self, lookup: Lookup<'_>) -> bool {
        let names: BTreeSet<&String> = self.topics().collect();
        let mut catalog = Catalog::new();
        for name in names {
            if let Some((id, partitions)) = lookup(name) {
                catalog.insert(id, TopicFacts { name: name.clone(), partitions });
            }
        }
        if self.catalog.as_ref() == Some(&catalog) {
            return false;
        }
        self.names.extend(catalog.iter().map(|(id, facts)| (*id, facts.name.clone())));
        self.catalog = Some(catalog);
        true
    }

    /// Decides anew who should read what. Not before the topics were looked at: nobody loses anything because a coordinator
    /// has just begun.
    pub(super) fn retarget(&mut self) {
        self.version += 1;
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        let Some(catalog) = &self.catalog else { return };
        let ids: BTreeMap<&String, TopicId> = catalog.iter().map(|(id, facts)| (&facts.name, *id)).collect();
        let wishes: Wishes<'_> = self
            .members
            .iter()
            .map(|(id, member)| {
                let topics = member.profile.topics.iter().filter_map(|name| ids.get(name).copied());
                (id.as_str(), topics.collect())
            })
            .collect();
        // Who reads a partition is the best one to have it; then who was about to.
        let present = self.target.iter().filter(|(_, id)| self.members.contains_key(*id));
        let mut readers: BTreeMap<TopicPartition, &str> =
            present.map(|(partition, id)| (*partition, id.as_str())).collect();
        for (id, member) in &self.members {
            readers.extend(member.assigned.keys().map(|partition| (*partition, id.as_str())));
        }
        let target = assign(&wishes, catalog, &readers);
        self.target = target.into_iter().map(|(partition, id)| (partition, id.to_string())).collect();
    }

    /// Tells those who have done what they were told last what they shall do now.
    pub(super) fn settle(&mut self, now: Monotonic) {
        if self.catalog.is_none() {
            return;
        }
        let mut wanted: BTreeMap<&str, BTreeSet<TopicPartition>> = BTreeMap::new();
        for (partition, id) in &self.target {
            wanted.entry(id).or_default().insert(*partition);
        }
        let held: BTreeSet<TopicPartition> = self.members.values().flat_map(|member| member.held()).collect();
        for (id, member) in &mut self.members {
            if !member.is_confirmed {
                continue;
            }
            let mut share = wanted.remove(id.as_str()).unwrap_or_default();
            share.retain(|partition| member.assigned.contains_key(partition) || !held.contains(partition));
            if member.direct(&share, now) {
                self.version += 1;
                member.version = self.version;
            }
        }
        self.check_exclusive();
        let held: BTreeSet<TopicId> =
            self.members.values().flat_map(|member| member.held()).map(|partition| partition.topic).collect();
        let catalog = self.catalog.as_ref();
        self.names
            .retain(|id, _| held.contains(id) || catalog.is_some_and(|catalog| catalog.contains_key(id)));
    }

    /// What the group is about.
    fn check_exclusive(&self) {
        let mut held = BTreeSet::new();
        for (id, member) in &self.members {
            for partition in member.held() {
                assert!(held.insert(partition), "{partition:?} is held by {id} and by another member");
            }
        }
    }

    /// Answers everybody who waits for what they can be told now, and asks for a write if there is something to write.
    pub(super) fn deliver(&mut self) -> Vec<NativeEffect> {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        let mut effects: Vec<NativeEffect> = ids.iter().filter_map(|id| self.answer(id)).collect();
        effects.extend(self.request_write());
        effects
    }

    /// The same for one member.
    pub(super) fn deliver_to(&mut self, id: &str) -> Vec<NativeEffect> {
        let answer = self.answer(id);
        answer.into_iter().chain(self.request_write()).collect()
    }

    fn answer(&mut self, id: &str) -> Option<NativeEffect> {
        let written = self.written;
        let member = self.members.get_mut(id)?;
        let has_news =
            |known: i32, member: &super::NativeMember| member.epoch > known && member.version <= written;
        let known = member.waiting.as_ref()?.known_epoch;
        let waiting = if has_news(known, member) { member.waiting.take()? } else { return None };
        let epoch = member.epoch;
        let named =
            |partition: &TopicPartition| Some((self.names.get(&partition.topic)?.clone(), *partition));
        let assigned = self.members.get(id)?.assigned.keys().filter_map(named).collect();
        Some(NativeEffect::Answer(waiting.waiter, Ok(Directive { epoch, assigned: Some(assigned) })))
    }

    fn request_write(&mut self) -> Option<NativeEffect> {
        if self.writing.is_some() || self.version == self.written {
            return None;
        }
        self.writing = Some(self.version);
        Some(NativeEffect::Write(self.version))
    }

    /// The group is being deleted: what was not written yet of a group without members need not be, and must not come after
    /// the deletion.
    pub fn drop_changes(&mut self) {
        if self.is_empty() {
            self.version = self.writing.unwrap_or(self.written);
        }
    }

    /// What [`NativeEffect::Write`] asked for is durable, or could not be written, and why.
    pub fn written(&mut self, version: u64, outcome: Result<(), String>) -> Vec<NativeEffect> {
        if self.writing != Some(version) {
            return Vec::new();
        }
        self.writing = None;
        match outcome {
            Ok(()) => {
                self.written = version;
                self.deliver()
            }
            // The next heartbeat asks for the next attempt.
            Err(reason) => {
                let untold = |member: &mut super::NativeMember| {
                    let waits = member.waiting.as_ref()?.known_epoch < member.epoch;
                    member.waiting.take_if(|_| waits)
                };
                let waiting = self.members.values_mut().filter_map(untold);
                let error = NativeError::NotWritten(reason);
                waiting.map(|waiting| NativeEffect::Answer(waiting.waiter, Err(error.clone()))).collect()
            }
        }
    }
}
