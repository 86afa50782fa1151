//! A native group for an administrator, in the words of the classic protocol, and as it is written and read back.

use super::{GroupOptions, Held, NativeGroup, NativeMember, Profile};
use crate::{
    coordinator::{
        group::{Assignor, DescribedMember, Description, GroupKind, Member},
        subscription::{encode_assignment, encode_subscription},
    },
    ids::{TopicId, TopicPartition},
};
use std::collections::{BTreeMap, BTreeSet};

/// The name of what `assign` does, where one is asked for.
const ASSIGNOR: &str = "cairn-balanced";

/// A group as it is written and read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenGroup {
    /// The group's epoch.
    pub epoch: i32,
    /// Names of the topics of which somebody holds a partition.
    pub names: BTreeMap<TopicId, String>,
    /// Its members.
    pub members: Vec<WrittenMember>,
}

/// A member as it is written and read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenMember {
    /// Its id.
    pub id: String,
    /// What it says of itself.
    pub profile: Profile,
    /// Its epoch.
    pub epoch: i32,
    /// What it shall read.
    pub assigned: Held,
    /// What it shall give up.
    pub releasing: Held,
}

impl NativeGroup {
    /// What is known of it. Metadata and assignments are encoded as clients of the Kafka protocol do it, so that its tools
    /// can show them.
    pub fn describe(&self) -> Description {
        let state = match () {
            () if self.members.is_empty() => "Empty",
            () if self.is_settled() => "Stable",
            () => "Reconciling",
        };
        Description {
            state,
            kind: GroupKind::Native,
            generation: self.epoch,
            protocol_type: Some("consumer".to_owned()),
            protocol: Some(ASSIGNOR.to_owned()).filter(|_| !self.members.is_empty()),
            leader: None,
            members: self.members.iter().map(|(id, member)| self.described(id, member)).collect(),
        }
    }

    /// Whether everybody reads what they should.
    fn is_settled(&self) -> bool {
        let reads = |(partition, id): (&TopicPartition, &String)| {
            self.members.get(id).is_some_and(|member| member.assigned.contains_key(partition))
        };
        let assigned: usize = self.members.values().map(|member| member.assigned.len()).sum();
        let all_confirmed = self.members.values().all(|member| member.is_confirmed);
        all_confirmed && assigned == self.target.len() && self.target.iter().all(reads)
    }

    fn described(&self, id: &str, member: &NativeMember) -> DescribedMember {
        let mut topics: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for partition in member.held() {
            if let Some(name) = self.names.get(&partition.topic) {
                topics.entry(name).or_default().push(partition.partition.get());
            }
        }
        let profile = member.profile.clone();
        let metadata = encode_subscription(&profile.topics);
        let assignors = vec![Assignor { name: ASSIGNOR.to_owned(), metadata }];
        let member = Member::restored(
            (profile.instance_id, profile.client_id, profile.client_host),
            (profile.session_timeout, profile.rebalance_timeout),
            (assignors, encode_assignment(&topics)),
            member.expires,
        );
        DescribedMember { id: id.to_owned(), member }
    }

    /// The group as it is written.
    pub fn to_written(&self) -> WrittenGroup {
        let written = |(id, member): (&String, &NativeMember)| WrittenMember {
            id: id.clone(),
            profile: member.profile.clone(),
            epoch: member.epoch,
            assigned: member.assigned.clone(),
            releasing: member.releasing.clone(),
        };
        let members = self.members.iter().map(written).collect();
        WrittenGroup { epoch: self.epoch, names: self.names.clone(), members }
    }

    /// A group that was written. Its sessions begin with [`NativeGroup::begin_sessions`].
    pub fn restore(options: GroupOptions, written: WrittenGroup) -> Self {
        let mut group = Self::new(options);
        (group.epoch, group.names) = (written.epoch, written.names);
        for WrittenMember { id, profile, epoch, assigned, releasing } in written.members {
            group.members.insert(id, NativeMember::restored(profile, epoch, (assigned, releasing)));
        }
        group
    }
}

impl WrittenGroup {
    /// Whether no partition is held twice, and no member there twice.
    pub fn is_consistent(&self) -> bool {
        let (mut held, mut ids): (BTreeSet<TopicPartition>, BTreeSet<&str>) = Default::default();
        self.members.iter().all(|member| {
            let mut partitions = member.assigned.keys().chain(member.releasing.keys());
            ids.insert(&member.id) && partitions.all(|partition| held.insert(*partition))
        })
    }
}
