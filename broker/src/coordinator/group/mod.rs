//! One consumer group of the classic protocol, as a pure state machine: requests, time and the outcome of a write go in,
//! answers and writes come out. No clock, no lock, no task.
//!
//! ```text
//!          join                 all joined, or time is up          leader's sync is written
//!  Empty ───────► Preparing ─────────────────────────► Completing ─────────────────────────► Stable
//!    ▲               ▲  │ nobody left                      │ join, leave, silence              │
//!    └───────────────┼──┘                                  ▼                                   │
//!                    └─────────────────────────────────────┴───────────────────────────────────┘
//! ```
//!
//! What always holds:
//! * The generation only rises, and a request of another generation changes nothing (fencing).
//! * A waiting request is answered exactly once: with its result, or with the reason why there will be none.
//! * An assignment, and the new id of a static member, is told to nobody before it is written: a coordinator that comes back
//!   knows what its members know.

mod describe;
mod join;
mod leave;
mod member;
mod sync;
#[cfg(test)]
mod tests;
mod time;

pub use describe::{DescribedMember, Description, GroupKind};
pub use join::{JoinRequest, Joined, JoinedMember};
pub use leave::Leaver;
pub use member::Member;
pub use sync::{SyncRequest, Synced};

use crate::clock::Monotonic;
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};
use thiserror::Error;

/// Members have so long to join again, whatever they say.
const REBALANCE_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Limits of every group.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// The shortest session a member may ask for.
    pub session_timeout_min: Duration,
    /// The longest.
    pub session_timeout_max: Duration,
    /// How long an empty group waits for more members after the first one.
    pub initial_rebalance_delay: Duration,
    /// Members of one group.
    pub members_max: usize,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            session_timeout_min: Duration::from_secs(6),
            session_timeout_max: Duration::from_secs(30 * 60),
            initial_rebalance_delay: Duration::from_secs(3),
            members_max: 10_000,
        }
    }
}

/// A way to distribute partitions that a member can take part in, with what it says for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignor {
    /// Its name.
    pub name: String,
    /// For the leader; the coordinator does not look inside.
    pub metadata: Bytes,
}

/// A request that waits for its answer; numbers are the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiter(pub u64);

/// What the caller has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer a join request.
    Joined(Waiter, Result<Joined, GroupError>),
    /// Answer a sync request.
    Synced(Waiter, Result<Synced, GroupError>),
    /// Write the group as it is now, then call [`Group::written`] with this generation.
    Write(i32),
}

/// Why a member is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GroupError {
    /// Session timeout outside the limits.
    #[error("the session timeout must be between {min:?} and {max:?}")]
    InvalidSessionTimeout {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// No such member.
    #[error("the group has no such member: join again without a member id")]
    UnknownMember,
    /// The member has to come again with the id that it is given (KIP-394).
    #[error("join again with the member id {0}")]
    MemberIdRequired(String),
    /// Another client with the same instance id has taken its place.
    #[error("another member has taken over this group instance id")]
    FencedInstance,
    /// Nothing that all members support, or another protocol type.
    #[error("the members share no protocol")]
    InconsistentProtocol,
    /// Join again.
    #[error("the group is rebalancing: join again")]
    RebalanceInProgress,
    /// A request from another generation.
    #[error("the group is at generation {current}")]
    IllegalGeneration {
        /// The present one.
        current: i32,
    },
    /// Its members are clients over gRPC.
    #[error("the group has members that do not speak the Kafka protocol: stop them first")]
    OtherKind,
    /// No more members are admitted.
    #[error("the group has {max} members already")]
    Full {
        /// The limit.
        max: usize,
    },
    /// What had to be written could not be.
    #[error("the coordinator could not write the group's state")]
    NotWritten,
}

/// Where a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Without members.
    Empty,
    /// Members are awaited until then. `initial`: the first round of an empty group; it may be prolonged up to the second
    /// moment while members keep coming.
    Preparing { until: Monotonic, initial: Option<Initial> },
    /// The leader's assignment is awaited until then.
    Completing { until: Monotonic, is_writing: bool },
    /// Everybody has a share.
    Stable,
}

/// The first round of an empty group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Initial {
    until_at_most: Monotonic,
    member_came: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Group {
    options: GroupOptions,
    phase: Phase,
    generation: i32,
    protocol_type: Option<String>,
    /// The chosen assignor of this generation.
    protocol: Option<String>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Member ids that were given out and have not joined yet, and until when they may.
    pending: BTreeMap<String, Monotonic>,
    /// Static members that took their old place, each told so once its new id is written. Writes end in their order, and
    /// none but theirs begins while a group is stable.
    replaced: VecDeque<(Waiter, Joined)>,
}

impl Group {
    /// An empty group.
    pub fn new(options: GroupOptions) -> Self {
        Self {
            options,
            phase: Phase::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            pending: BTreeMap::new(),
            replaced: VecDeque::new(),
        }
    }

    /// Whether it has no member and awaits none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
    }

    /// The generation.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// A member says that it lives.
    ///
    /// # Errors
    /// It is not a member of this generation, or it has to join again.
    pub fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Monotonic,
    ) -> Result<(), GroupError> {
        let member = self.checked(member_id, instance_id, generation)?;
        member.refresh(now);
        match self.phase {
            Phase::Preparing { .. } => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Whether offsets may be committed by this member; outside any generation (`generation` negative) only while the group
    /// has no members.
    ///
    /// # Errors
    /// As for a heartbeat.
    pub fn check_commit(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Monotonic,
    ) -> Result<(), GroupError> {
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.checked(member_id, instance_id, generation)?;
        member.refresh(now);
        match self.phase {
            Phase::Completing { .. } => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// The member of this id and generation.
    fn checked(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<&mut Member, GroupError> {
        self.check_instance(member_id, instance_id)?;
        let current = self.generation;
        let member = self.members.get_mut(member_id).ok_or(GroupError::UnknownMember)?;
        if generation != current {
            return Err(GroupError::IllegalGeneration { current });
        }
        Ok(member)
    }

    /// A static member that was replaced is told so, rather than that it is unknown.
    fn check_instance(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), GroupError> {
        let Some(instance_id) = instance_id else { return Ok(()) };
        match self.member_of_instance(instance_id) {
            Some(known) if known == member_id => Ok(()),
            Some(_) => Err(GroupError::FencedInstance),
            None => Err(GroupError::UnknownMember),
        }
    }

    fn member_of_instance(&self, instance_id: &str) -> Option<&str> {
        let mut members = self.members.iter();
        let found = members.find(|(_, member)| member.instance_id.as_deref() == Some(instance_id));
        found.map(|(id, _)| id.as_str())
    }

    /// The longest that any member may need to join again; a moment at least, so that time passes in every round.
    fn rebalance_timeout(&self) -> Duration {
        let longest = self.members.values().map(|member| member.rebalance_timeout).max();
        longest.unwrap_or_default().max(REBALANCE_TIMEOUT_MIN)
    }

    /// Names that every member supports.
    fn common_assignors(&self) -> BTreeSet<&str> {
        let first = self.members.values().next();
        let names = first.into_iter().flat_map(|member| &member.assignors).map(|one| one.name.as_str());
        names.filter(|name| self.members.values().all(|member| member.supports(name))).collect()
    }

    /// The common assignor that most members like best; the first by name of several.
    fn choose_assignor(&self) -> Option<String> {
        let common = self.common_assignors();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let names = member.assignors.iter().map(|assignor| assignor.name.as_str());
            if let Some(name) = names.into_iter().find(|name| common.contains(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().max().copied();
        votes.into_iter().find(|(_, count)| Some(*count) == most).map(|(name, _)| name.to_string())
    }
}

fn after(now: Monotonic, duration: Duration) -> Monotonic {
    Monotonic(now.0.saturating_add(duration))
}
