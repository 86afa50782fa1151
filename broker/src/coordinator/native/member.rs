//! One member of a native group: what it wants, what it may be reading, and what it was told last.

use super::Beat;
use crate::{clock::Monotonic, coordinator::group::Waiter, ids::TopicPartition};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Partitions, each with the member epoch in which it was given: a commit of an earlier one is stale.
pub type Held = BTreeMap<TopicPartition, i32>;

/// What a member says of itself; all of it comes with every heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name across restarts, if it is a static member.
    pub instance_id: Option<String>,
    /// As the client calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// Silence for so long ends its membership.
    pub session_timeout: Duration,
    /// It needs at most so long to give partitions up.
    pub rebalance_timeout: Duration,
    /// The topics that it wants to read, by name.
    pub topics: BTreeSet<String>,
}

impl Profile {
    /// About as many bytes as it has when it is written.
    pub(super) fn bytes(&self) -> usize {
        let names: usize = self.topics.iter().map(|name| name.len() + 2).sum();
        names
            + self.client_id.len()
            + self.client_host.len()
            + self.instance_id.as_ref().map_or(0, String::len)
    }
}

/// What a group remembers of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeMember {
    /// What it says of itself.
    pub profile: Profile,
    /// Rises with everything that it is told; 1 is the first.
    pub epoch: i32,
    /// What it shall read.
    pub assigned: Held,
    /// What it shall give up, and may still be reading.
    pub releasing: Held,
    /// It has said that it did what it was told: it reads nothing but `assigned`.
    pub(super) is_confirmed: bool,
    /// The group's version in which its epoch was made: it is told once that is durable.
    pub(super) version: u64,
    /// The number of its latest commit: an earlier one that comes later is not taken.
    pub(super) commit_number: u64,
    /// When its session ends.
    pub(super) expires: Monotonic,
    /// Until when it has to confirm.
    pub(super) confirm_by: Monotonic,
    /// Its heartbeat that waits for news.
    pub(super) waiting: Option<Waiting>,
}

/// A heartbeat that waits for news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) waiter: Waiter,
    /// The latest epoch that the member was told of.
    pub(super) known_epoch: i32,
    pub(super) until: Monotonic,
}

impl NativeMember {
    /// One that has just come.
    pub(super) fn new(profile: Profile, version: u64, now: Monotonic) -> Self {
        let mut member = Self::restored(profile, 1, (Held::new(), Held::new()));
        (member.is_confirmed, member.version) = (true, version);
        member.refresh(now);
        member
    }

    /// One that was written: what it had been told, and whether it had done that is not known.
    pub(super) fn restored(profile: Profile, epoch: i32, (assigned, releasing): (Held, Held)) -> Self {
        Self {
            profile,
            epoch,
            assigned,
            releasing,
            is_confirmed: false,
            version: 0,
            commit_number: 0,
            expires: Monotonic::default(),
            confirm_by: Monotonic::default(),
            waiting: None,
        }
    }

    /// Its session begins anew.
    pub(super) fn refresh(&mut self, now: Monotonic) {
        self.expires = after(now, self.profile.session_timeout);
    }

    /// Takes what a heartbeat says. Whether its wishes are others now, and whether it gave something up.
    pub(super) fn hear(&mut self, beat: &Beat, now: Monotonic) -> Heard {
        let wishes_changed = self.profile.topics != beat.profile.topics;
        let instance_id = self.profile.instance_id.take();
        self.profile = Profile { instance_id, ..beat.profile.clone() };
        self.refresh(now);
        let confirms = beat.epoch == self.epoch && !self.is_confirmed;
        if confirms {
            self.is_confirmed = true;
            self.releasing.clear();
        }
        Heard { wishes_changed, confirms }
    }

    /// Tells it to read this from now on; `false`: it does already. What it has keeps the epoch in which it was given.
    pub(super) fn direct(&mut self, share: &BTreeSet<TopicPartition>, now: Monotonic) -> bool {
        if self.assigned.keys().eq(share) {
            return false;
        }
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        let earlier = std::mem::take(&mut self.assigned);
        let since = |partition: &TopicPartition| earlier.get(partition).copied().unwrap_or(self.epoch);
        self.assigned = share.iter().map(|partition| (*partition, since(partition))).collect();
        self.releasing = earlier.into_iter().filter(|(partition, _)| !share.contains(partition)).collect();
        self.is_confirmed = false;
        self.confirm_by = after(now, self.profile.rebalance_timeout);
        true
    }

    /// Everything that it may be reading.
    pub(super) fn held(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        self.assigned.keys().chain(self.releasing.keys()).copied()
    }

    /// Since which of its epochs it holds a partition.
    pub(super) fn holds_since(&self, partition: TopicPartition) -> Option<i32> {
        self.assigned.get(&partition).or_else(|| self.releasing.get(&partition)).copied()
    }

    /// When something about it has to be done, if nothing happens before.
    pub(super) fn deadline(&self) -> Monotonic {
        let waits_until = self.waiting.as_ref().map_or(self.expires, |waiting| waiting.until);
        let confirms_by = if self.is_confirmed { self.expires } else { self.confirm_by };
        self.expires.min(waits_until).min(confirms_by)
    }
}

/// What a heartbeat was about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) wishes_changed: bool,
    pub(super) confirms: bool,
}

pub(super) fn after(now: Monotonic, duration: Duration) -> Monotonic {
    Monotonic(now.0.saturating_add(duration))
}
