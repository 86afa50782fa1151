//! A group for an administrator, and as it is written and read back.

use super::{Group, GroupOptions, Member, Phase, after};
use crate::clock::Monotonic;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Whose members are in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// Clients of the Kafka protocol, which share as their leader says.
    Classic,
    /// Clients over gRPC, which share as the coordinator says.
    Native,
}

/// A group, as it is told and as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Whose members are in it, or were.
    pub kind: GroupKind,
    /// `Empty` or `Stable`; of a classic one also `PreparingRebalance` or `CompletingRebalance`, of a native one
    /// `Reconciling`.
    pub state: &'static str,
    /// The generation.
    pub generation: i32,
    /// `consumer`, or `connect`; of an empty group, what it was.
    pub protocol_type: Option<String>,
    /// The chosen assignor.
    pub protocol: Option<String>,
    /// Who assigns.
    pub leader: Option<String>,
    /// Everybody, by id.
    pub members: Vec<DescribedMember>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub id: String,
    /// What is known of it.
    pub member: Member,
}

impl Group {
    /// What is known of it.
    pub fn describe(&self) -> Description {
        let state = match self.phase {
            Phase::Empty => "Empty",
            Phase::Preparing { .. } => "PreparingRebalance",
            Phase::Completing { .. } => "CompletingRebalance",
            Phase::Stable => "Stable",
        };
        let described = |(id, member): (&String, &Member)| {
            let member = Member { joining: None, syncing: None, ..member.clone() };
            DescribedMember { id: id.clone(), member }
        };
        Description {
            kind: GroupKind::Classic,
            state,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members: self.members.iter().map(described).collect(),
        }
    }

    /// What each member tells the leader: for the chosen assignor, or for the one that it likes best.
    pub fn subscriptions(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.members.values().map(|member| match &self.protocol {
            Some(protocol) if member.supports(protocol) => member.metadata(protocol),
            _ => member.assignors.first().map(|assignor| assignor.metadata.clone()).unwrap_or_default(),
        })
    }

    /// Every member has a whole session from now on.
    pub fn begin_sessions(&mut self, now: Monotonic) {
        self.members.values_mut().for_each(|member| member.refresh(now));
    }

    /// A group that was written. Its members have a whole session to be heard of.
    pub fn restore(options: GroupOptions, written: Description, now: Monotonic) -> Self {
        let mut members = BTreeMap::new();
        for DescribedMember { id, mut member } in written.members {
            member.expires = after(now, member.session_timeout);
            (member.joining, member.syncing, member.has_synced) = (None, None, true);
            members.insert(id, member);
        }
        let phase = if members.is_empty() { Phase::Empty } else { Phase::Stable };
        let Description { generation, protocol_type, protocol, leader, .. } = written;
        let (pending, replaced) = (BTreeMap::new(), VecDeque::new());
        Self { options, phase, generation, protocol_type, protocol, leader, members, pending, replaced }
    }
}
