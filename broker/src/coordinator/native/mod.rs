//! One native consumer group, as a pure state machine: heartbeats, time and the outcome of a write go in, answers and writes
//! come out. Partitions move one by one (the idea of KIP-848): whoever keeps a partition reads on while others move.
//!
//! ```text
//!  members, wishes, partitions ──assign──► target            what everybody should read
//!  target, what nobody holds ──direct──► assigned, epoch     what a member is told next, once it is written
//!  heartbeat with that epoch ──────────► confirmed           what it gave up is free for the one who shall have it
//! ```
//!
//! What always holds:
//! * No partition is held by two members. A member holds what it was told to read, and what it was told to give up until it
//!   says that it did, or its session ends.
//! * A member is told something else only once it has confirmed the last, so that an old heartbeat can confirm nothing new.
//! * Nothing is told before it is written: a coordinator that comes back knows everything that its members may know.

mod assign;
mod commit;
mod describe;
mod member;
mod settle;
#[cfg(test)]
mod tests;
mod time;

pub use commit::CommitPlace;
pub use describe::{WrittenGroup, WrittenMember};
pub use member::{Held, NativeMember, Profile};

use super::group::{GroupOptions, Waiter};
use crate::{
    clock::Monotonic,
    ids::{TopicId, TopicPartition},
};
use member::{Waiting, after};
use std::{collections::BTreeMap, time::Duration};
use thiserror::Error;

/// Topics that one member may want.
pub const TOPICS_MAX: usize = 1000;
/// What all members of a group say of themselves has at most so many bytes: it is written as one record.
const PROFILES_BYTES_MAX: usize = 512 << 10;
/// A heartbeat waits for news at most this part of the session.
const WAITS_OF_A_SESSION: u32 = 3;

/// A topic that members want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: u32,
}

/// The topics of a group.
pub type Catalog = BTreeMap<TopicId, TopicFacts>;

/// Finds a topic by its name: its identity, and how many partitions it has.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<(TopicId, u32)>;

/// A heartbeat: it is how a member joins, says that it lives, what it has done, and hears what to do.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Where the answer goes.
    pub waiter: Waiter,
    /// Chosen by the member, another one for each life.
    pub member_id: String,
    /// The epoch that it has carried out: it reads nothing that this did not assign. 0 to join.
    pub epoch: i32,
    /// The latest epoch that it was told of.
    pub known_epoch: i32,
    /// What it says of itself.
    pub profile: Profile,
    /// The answer may wait for news so long.
    pub wait: Duration,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The member's epoch.
    pub epoch: i32,
    /// What it shall read, all of it; `None`: as it was told.
    pub assigned: Option<Vec<(String, TopicPartition)>>,
}

/// Why a member is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NativeError {
    /// Session timeout outside the limits.
    #[error("the session timeout must be between {min:?} and {max:?}")]
    InvalidSessionTimeout {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// No topic, or too many.
    #[error("a member reads 1 to {TOPICS_MAX} topics, not {given}")]
    InvalidTopics {
        /// How many were given.
        given: usize,
    },
    /// No such member (any more).
    #[error("the group has no such member (any more): join again with a new member id")]
    UnknownMember,
    /// Another process with the same instance id has taken its place.
    #[error("another process has taken over this instance id")]
    FencedInstance,
    /// A request of an epoch that is over.
    #[error("the member's epoch is {current}")]
    StaleEpoch {
        /// The present one.
        current: i32,
    },
    /// No more members are admitted.
    #[error("the group has {max} members already")]
    Full {
        /// The limit.
        max: usize,
    },
    /// Its members want too much, all together.
    #[error("the members of a group may name topics of {max} bytes in all: let them name fewer")]
    TooManyTopics {
        /// The limit.
        max: usize,
    },
    /// Its members speak the Kafka protocol.
    #[error("the group has members that speak the Kafka protocol: stop them first, or choose another name")]
    OtherKind,
    /// What had to be written could not be.
    #[error("the group's state could not be written: {0}")]
    NotWritten(String),
}

/// What the caller has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum NativeEffect {
    /// Answer a heartbeat.
    Answer(Waiter, Result<Directive, NativeError>),
    /// Write the group as it is now, then call [`NativeGroup::written`] with this version.
    Write(u64),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct NativeGroup {
    options: GroupOptions,
    /// Rises when members, their wishes or the topics change; 0: it never had a member.
    epoch: i32,
    members: BTreeMap<String, NativeMember>,
    /// The topics that its members want, as they were seen last; `None`: not since the group was read.
    catalog: Option<Catalog>,
    /// Names of all topics of which somebody holds a partition.
    names: BTreeMap<TopicId, String>,
    /// Who should read what.
    target: BTreeMap<TopicPartition, String>,
    /// Counts changes that are to be written.
    version: u64,
    /// The latest one that is.
    written: u64,
    /// The one on its way.
    writing: Option<u64>,
}

impl NativeGroup {
    /// A group without members.
    pub fn new(options: GroupOptions) -> Self {
        Self {
            options,
            epoch: 0,
            members: BTreeMap::new(),
            catalog: None,
            names: BTreeMap::new(),
            target: BTreeMap::new(),
            version: 0,
            written: 0,
            writing: None,
        }
    }

    /// Whether it has no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The group's epoch; 0: it never had a member.
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Topics that its members want.
    pub fn topics(&self) -> impl Iterator<Item = &String> {
        self.members.values().flat_map(|member| &member.profile.topics)
    }

    /// A member joins, lives, confirms, asks. It is answered now or later, always by an effect.
    pub fn heartbeat(&mut self, beat: Beat, lookup: Lookup<'_>, now: Monotonic) -> Vec<NativeEffect> {
        let waiter = beat.waiter;
        match self.take(beat, lookup, now) {
            Ok(effects) => effects,
            Err(error) => vec![NativeEffect::Answer(waiter, Err(error))],
        }
    }

    fn take(
        &mut self,
        beat: Beat,
        lookup: Lookup<'_>,
        now: Monotonic,
    ) -> Result<Vec<NativeEffect>, NativeError> {
        self.check(&beat)?;
        let mut effects = Vec::new();
        let heard = match self.members.get_mut(&beat.member_id) {
            Some(member) if beat.epoch.max(beat.known_epoch) > member.epoch => {
                // It was told something that this coordinator never knew.
                return Err(NativeError::UnknownMember);
            }
            Some(member) => member.hear(&beat, now),
            None => {
                effects.extend(self.admit(&beat, now)?);
                member::Heard { wishes_changed: true, confirms: false }
            }
        };
        let topics_changed = self.notice(lookup);
        if heard.wishes_changed || topics_changed {
            self.retarget();
        }
        let all = heard.wishes_changed || heard.confirms || topics_changed;
        if all {
            self.settle(now);
        }
        effects.extend(self.wait(&beat, now));
        effects.extend(if all { self.deliver() } else { self.deliver_to(&beat.member_id) });
        Ok(effects)
    }

    fn check(&self, beat: &Beat) -> Result<(), NativeError> {
        let (min, max) = (self.options.session_timeout_min, self.options.session_timeout_max);
        let given = beat.profile.topics.len();
        if beat.profile.session_timeout < min || beat.profile.session_timeout > max {
            return Err(NativeError::InvalidSessionTimeout { min, max });
        }
        if given == 0 || given > TOPICS_MAX {
            return Err(NativeError::InvalidTopics { given });
        }
        if self.members.get(&beat.member_id).is_none_or(|member| member.profile.topics != beat.profile.topics)
        {
            let others = self.members.iter().filter(|(id, _)| **id != beat.member_id);
            let bytes: usize = others.map(|(_, member)| member.profile.bytes()).sum();
            let max = PROFILES_BYTES_MAX;
            if bytes + beat.profile.bytes() > max {
                return Err(NativeError::TooManyTopics { max });
            }
        }
        match (&beat.profile.instance_id, self.members.get(&beat.member_id)) {
            (Some(instance), None) if beat.epoch > 0 && self.member_of_instance(instance).is_some() => {
                Err(NativeError::FencedInstance)
            }
            _ => Ok(()),
        }
    }

    /// A new member; a static one takes the place of the one that had its name.
    fn admit(&mut self, beat: &Beat, now: Monotonic) -> Result<Option<NativeEffect>, NativeError> {
        if beat.epoch != 0 {
            return Err(NativeError::UnknownMember);
        }
        let instance = beat.profile.instance_id.as_deref();
        let replaced =
            instance.and_then(|instance| self.member_of_instance(instance)).map(ToString::to_string);
        let max = self.options.members_max;
        if replaced.is_none() && self.members.len() >= max {
            return Err(NativeError::Full { max });
        }
        self.version += 1;
        let mut member = NativeMember::new(beat.profile.clone(), self.version, now);
        let Some(mut earlier) = replaced.and_then(|id| self.members.remove(&id)) else {
            self.members.insert(beat.member_id.clone(), member);
            return Ok(None);
        };
        // The earlier process is gone, or fenced from here on: nobody but the new one has what it had.
        let share = earlier.assigned.keys().copied().collect();
        member.epoch = earlier.epoch;
        member.direct(&share, now);
        self.members.insert(beat.member_id.clone(), member);
        let waiting = earlier.waiting.take();
        Ok(waiting.map(|waiting| NativeEffect::Answer(waiting.waiter, Err(NativeError::FencedInstance))))
    }

    fn member_of_instance(&self, instance: &str) -> Option<&str> {
        let mut members = self.members.iter();
        let found = members.find(|(_, member)| member.profile.instance_id.as_deref() == Some(instance));
        found.map(|(id, _)| id.as_str())
    }

    /// Lets the heartbeat wait for news of its member; one that waited before is answered.
    fn wait(&mut self, beat: &Beat, now: Monotonic) -> Option<NativeEffect> {
        let member = self.members.get_mut(&beat.member_id)?;
        let longest = member.profile.session_timeout / WAITS_OF_A_SESSION;
        let until = after(now, beat.wait.min(longest));
        let waiting = Waiting { waiter: beat.waiter, known_epoch: beat.known_epoch, until };
        let earlier = member.waiting.replace(waiting)?;
        Some(unchanged(&earlier))
    }

    /// A member leaves, and gives everything up by that.
    ///
    /// # Errors
    /// There is no such member.
    pub fn leave(&mut self, member_id: &str, now: Monotonic) -> Result<Vec<NativeEffect>, NativeError> {
        let effects = self.remove(member_id).ok_or(NativeError::UnknownMember)?;
        Ok(self.after_loss(effects, now))
    }
}

/// Nothing new.
fn unchanged(waiting: &Waiting) -> NativeEffect {
    NativeEffect::Answer(waiting.waiter, Ok(Directive { epoch: waiting.known_epoch, assigned: None }))
}
