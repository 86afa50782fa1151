//! Joining: who becomes a member, and when everybody who waits is told of the new generation.

use super::{Assignor, Effect, Group, GroupError, Initial, Member, Phase, Waiter, after};
use crate::clock::Monotonic;
use bytes::Bytes;
use std::time::Duration;

/// A new member that waits longer than this for the others is given up: its client is gone.
const NEW_MEMBER_PATIENCE: Duration = Duration::from_secs(300);

/// What a client says when it joins.
#[derive(Clone, Debug)]
pub struct JoinRequest {
    /// Where the answer goes.
    pub waiter: Waiter,
    /// Empty: it has none yet.
    pub member_id: String,
    /// The id it gets if it has none.
    pub new_member_id: String,
    /// Its name across restarts.
    pub instance_id: Option<String>,
    /// As it calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// Silence for so long ends its membership.
    pub session_timeout: Duration,
    /// It needs at most so long to join again.
    pub rebalance_timeout: Duration,
    /// `consumer`, or `connect`.
    pub protocol_type: String,
    /// What it can take part in, the best first.
    pub assignors: Vec<Assignor>,
    /// A dynamic member without an id has to come again with one (join version 4 and later).
    pub comes_again: bool,
    /// The client understands being leader without having to assign (join version 9, KIP-814).
    pub may_skip_assignment: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its id.
    pub member_id: String,
    /// The generation.
    pub generation: i32,
    /// Of all members.
    pub protocol_type: String,
    /// The chosen assignor.
    pub protocol: String,
    /// Who assigns.
    pub leader: String,
    /// For the leader: everybody.
    pub members: Vec<JoinedMember>,
    /// It is leader and nothing has to be assigned.
    pub skip_assignment: bool,
}

/// A member, as its leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// Its name across restarts.
    pub instance_id: Option<String>,
    /// What it says for the chosen assignor.
    pub metadata: Bytes,
}

impl Group {
    /// A client joins. It is answered now or later, always by an effect.
    pub fn join(&mut self, request: JoinRequest, now: Monotonic) -> Vec<Effect> {
        let waiter = request.waiter;
        match self.admit(request, now) {
            Ok(effects) => effects,
            Err(error) => vec![Effect::Joined(waiter, Err(error))],
        }
    }

    fn admit(&mut self, request: JoinRequest, now: Monotonic) -> Result<Vec<Effect>, GroupError> {
        let (min, max) = (self.options.session_timeout_min, self.options.session_timeout_max);
        if request.session_timeout < min || request.session_timeout > max {
            return Err(GroupError::InvalidSessionTimeout { min, max });
        }
        let id = request.member_id.clone();
        let is_known = self.members.contains_key(&id);
        if request.member_id.is_empty() {
            return self.admit_unknown(request, now);
        }
        if self.pending.contains_key(&id) {
            // It has its place already.
            self.check_protocols(&request)?;
            self.pending.remove(&id);
            return Ok(self.add(id, request, now));
        }
        self.check_instance(&id, request.instance_id.as_deref())?;
        if !is_known {
            return Err(GroupError::UnknownMember);
        }
        self.check_protocols(&request)?;
        Ok(self.rejoin(&id, &request, now))
    }

    fn admit_unknown(&mut self, request: JoinRequest, now: Monotonic) -> Result<Vec<Effect>, GroupError> {
        self.check_protocols(&request)?;
        let new_id = request.new_member_id.clone();
        let replaced = request.instance_id.as_deref().and_then(|instance| self.member_of_instance(instance));
        if let Some(replaced) = replaced.map(ToString::to_string) {
            return Ok(self.replace(&replaced, request, now));
        }
        self.check_room()?;
        if request.instance_id.is_none() && request.comes_again {
            self.pending.insert(new_id.clone(), after(now, request.session_timeout));
            return Err(GroupError::MemberIdRequired(new_id));
        }
        Ok(self.add(new_id, request, now))
    }

    fn check_room(&self) -> Result<(), GroupError> {
        let max = self.options.members_max;
        if self.members.len() + self.pending.len() >= max { Err(GroupError::Full { max }) } else { Ok(()) }
    }

    /// A protocol type that is the group's, and an assignor that all members have.
    fn check_protocols(&self, request: &JoinRequest) -> Result<(), GroupError> {
        if request.protocol_type.is_empty() || request.assignors.is_empty() {
            return Err(GroupError::InconsistentProtocol);
        }
        if self.members.is_empty() {
            return Ok(());
        }
        let others = self.members.iter().filter(|(id, _)| **id != request.member_id);
        let others: Vec<&Member> = others.map(|(_, member)| member).collect();
        let is_common = |name: &str| others.iter().all(|member| member.supports(name));
        let same_type = self.protocol_type.as_deref() == Some(request.protocol_type.as_str());
        let shares = request.assignors.iter().any(|assignor| is_common(&assignor.name));
        if same_type && shares { Ok(()) } else { Err(GroupError::InconsistentProtocol) }
    }

    fn add(&mut self, id: String, request: JoinRequest, now: Monotonic) -> Vec<Effect> {
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        let mut member = Member::new(&request, after(now, NEW_MEMBER_PATIENCE));
        member.joining = Some(request.waiter);
        self.members.insert(id.clone(), member);
        self.leader.get_or_insert(id);
        if let Phase::Preparing { initial: Some(initial), .. } = &mut self.phase {
            initial.member_came = true;
        }
        self.prepare(now)
    }

    fn rejoin(&mut self, id: &str, request: &JoinRequest, now: Monotonic) -> Vec<Effect> {
        let Some(member) = self.members.get_mut(id) else { return Vec::new() };
        let is_same = member.assignors == request.assignors;
        let is_leader = self.leader.as_deref() == Some(id);
        let told_again = match self.phase {
            // Its answer was lost.
            Phase::Completing { .. } => is_same,
            // A leader that joins again wants a rebalance.
            Phase::Stable => is_same && !is_leader,
            Phase::Empty | Phase::Preparing { .. } => false,
        };
        member.refresh(now);
        if told_again {
            return self.joined(id, request.waiter).into_iter().collect();
        }
        member.update(request);
        let earlier = member.joining.replace(request.waiter);
        let mut effects: Vec<_> = earlier
            .map(|waiter| Effect::Joined(waiter, Err(GroupError::RebalanceInProgress)))
            .into_iter()
            .collect();
        effects.extend(self.prepare(now));
        effects
    }

    /// A static member comes back without its id: it takes its old place under a new one (KIP-345).
    fn replace(&mut self, old_id: &str, request: JoinRequest, now: Monotonic) -> Vec<Effect> {
        let Some(mut member) = self.members.remove(old_id) else { return Vec::new() };
        let mut effects = Vec::new();
        let fenced = GroupError::FencedInstance;
        effects.extend(member.joining.take().map(|waiter| Effect::Joined(waiter, Err(fenced.clone()))));
        effects.extend(member.syncing.take().map(|waiter| Effect::Synced(waiter, Err(fenced))));
        member.update(&request);
        member.refresh(now);
        let id = request.new_member_id.clone();
        let was_leader = self.leader.as_deref() == Some(old_id);
        if was_leader {
            self.leader = Some(id.clone());
        }
        self.members.insert(id.clone(), member);
        if self.phase == Phase::Stable && self.choose_assignor() == self.protocol {
            // Everybody keeps what they have.
            effects.push(Effect::Write(self.generation));
            if let Some(Effect::Joined(waiter, Ok(mut joined))) = self.joined(&id, request.waiter) {
                if was_leader && request.may_skip_assignment {
                    joined.skip_assignment = true;
                } else if was_leader {
                    // An older client would assign: it is not told that it leads.
                    (joined.leader, joined.members) = (old_id.to_string(), Vec::new());
                }
                self.replaced.push_back((waiter, joined));
            }
            return effects;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.joining = Some(request.waiter);
        }
        effects.extend(self.prepare(now));
        effects
    }

    /// Everybody has to join again, or the present round goes on.
    pub(super) fn prepare(&mut self, now: Monotonic) -> Vec<Effect> {
        let mut effects = Vec::new();
        match self.phase {
            Phase::Preparing { .. } => return self.complete_if_all_joined(now),
            Phase::Empty => {
                let delay = self.options.initial_rebalance_delay;
                let until_at_most = after(now, self.rebalance_timeout().max(delay));
                let initial = Some(Initial { until_at_most, member_came: false });
                self.phase = Phase::Preparing { until: after(now, delay), initial };
                return effects;
            }
            Phase::Completing { .. } => {
                for member in self.members.values_mut() {
                    let waiting = member.syncing.take();
                    effects.extend(
                        waiting.map(|waiter| Effect::Synced(waiter, Err(GroupError::RebalanceInProgress))),
                    );
                    member.refresh(now);
                }
            }
            Phase::Stable => {}
        }
        self.phase = Phase::Preparing { until: after(now, self.rebalance_timeout()), initial: None };
        effects.extend(self.complete_if_all_joined(now));
        effects
    }

    /// The first round of an empty group waits its time out; any other one ends with the last member.
    pub(super) fn complete_if_all_joined(&mut self, now: Monotonic) -> Vec<Effect> {
        let all = self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some());
        match self.phase {
            Phase::Preparing { initial: None, .. } if all => self.begin_generation(now),
            _ => Vec::new(),
        }
    }

    /// The round is over: who did not come is no member any more, unless it is a static one.
    pub(super) fn begin_generation(&mut self, now: Monotonic) -> Vec<Effect> {
        self.members.retain(|_, member| member.joining.is_some() || member.instance_id.is_some());
        let some_joined = self.members.values().any(|member| member.joining.is_some());
        if !some_joined && !self.members.is_empty() {
            // Static members alone, none of which has come: they have until their sessions end.
            self.phase = Phase::Preparing { until: after(now, self.rebalance_timeout()), initial: None };
            return Vec::new();
        }
        let leads = |id: &String| self.members.get(id).is_some_and(|member| member.joining.is_some());
        if !self.leader.as_ref().is_some_and(leads) {
            let mut joined = self.members.iter().filter(|(_, member)| member.joining.is_some());
            self.leader = joined.next().map(|(id, _)| id.clone());
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            (self.phase, self.protocol) = (Phase::Empty, None);
            return vec![Effect::Write(self.generation)];
        }
        self.protocol = self.choose_assignor();
        self.phase = Phase::Completing { until: after(now, self.rebalance_timeout()), is_writing: false };
        for member in self.members.values_mut() {
            member.has_synced = false;
            member.refresh(now);
        }
        let ids: Vec<String> = self.members.keys().cloned().collect();
        let mut effects = Vec::new();
        for id in ids {
            let waiter = self.members.get_mut(&id).and_then(|member| member.joining.take());
            effects.extend(waiter.and_then(|waiter| self.joined(&id, waiter)));
        }
        effects
    }

    fn joined(&self, id: &str, waiter: Waiter) -> Option<Effect> {
        let protocol = self.protocol.clone()?;
        let leader = self.leader.clone()?;
        let seen = |(id, member): (&String, &Member)| JoinedMember {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(&protocol),
        };
        let members = if leader == id { self.members.iter().map(seen).collect() } else { Vec::new() };
        let joined = Joined {
            member_id: id.to_string(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol,
            leader,
            members,
            skip_assignment: false,
        };
        Some(Effect::Joined(waiter, Ok(joined)))
    }
}
