//! Syncing: the leader says who gets what, and everybody asks for their share.

use super::{Effect, Group, GroupError, Phase, Waiter};
use crate::clock::Monotonic;
use bytes::Bytes;

/// A member asks for its share.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// Where the answer goes.
    pub waiter: Waiter,
    /// Who asks.
    pub member_id: String,
    /// Its name across restarts.
    pub instance_id: Option<String>,
    /// In which generation.
    pub generation: i32,
    /// What it believes the group's protocol type to be (sync version 5).
    pub protocol_type: Option<String>,
    /// And its assignor.
    pub protocol: Option<String>,
    /// From the leader: each member's share.
    pub assignments: Vec<(String, Bytes)>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// Of the group.
    pub protocol_type: String,
    /// The chosen assignor.
    pub protocol: String,
    /// The member's share, as its leader encoded it.
    pub assignment: Bytes,
}

impl Group {
    /// A member syncs. It is answered now or later, always by an effect.
    pub fn sync(&mut self, request: SyncRequest, now: Monotonic) -> Vec<Effect> {
        let waiter = request.waiter;
        match self.take_sync(request, now) {
            Ok(effects) => effects,
            Err(error) => vec![Effect::Synced(waiter, Err(error))],
        }
    }

    fn take_sync(&mut self, request: SyncRequest, now: Monotonic) -> Result<Vec<Effect>, GroupError> {
        let SyncRequest { waiter, member_id, assignments, .. } = request;
        self.checked(&member_id, request.instance_id.as_deref(), request.generation)?.refresh(now);
        let differs = |asked: &Option<String>, ours: &Option<String>| asked.is_some() && asked != ours;
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol, &self.protocol)
        {
            return Err(GroupError::InconsistentProtocol);
        }
        let is_leader = self.leader.as_deref() == Some(member_id.as_str());
        match self.phase {
            Phase::Empty => Err(GroupError::UnknownMember),
            Phase::Preparing { .. } => Err(GroupError::RebalanceInProgress),
            Phase::Stable => Ok(self.synced(&member_id, waiter).into_iter().collect()),
            Phase::Completing { until, is_writing } => {
                let mut effects = Vec::new();
                if let Some(member) = self.members.get_mut(&member_id) {
                    member.has_synced = true;
                    let earlier = member.syncing.replace(waiter);
                    effects.extend(
                        earlier.map(|waiter| Effect::Synced(waiter, Err(GroupError::RebalanceInProgress))),
                    );
                }
                if is_leader && !is_writing {
                    self.members.values_mut().for_each(|member| member.assignment = Bytes::new());
                    for (id, assignment) in assignments {
                        if let Some(member) = self.members.get_mut(&id) {
                            member.assignment = assignment;
                        }
                    }
                    self.phase = Phase::Completing { until, is_writing: true };
                    effects.push(Effect::Write(self.generation));
                }
                Ok(effects)
            }
        }
    }

    /// What [`Effect::Write`] asked for is durable, or could not be written.
    pub fn written(&mut self, generation: i32, is_durable: bool, now: Monotonic) -> Vec<Effect> {
        if let Some((waiter, joined)) = self.replaced.pop_front() {
            let told = if is_durable { Ok(joined) } else { Err(GroupError::NotWritten) };
            return vec![Effect::Joined(waiter, told)];
        }
        let is_awaited = matches!(self.phase, Phase::Completing { is_writing: true, .. });
        if generation != self.generation || !is_awaited {
            return Vec::new();
        }
        if !is_durable {
            let mut effects = Vec::new();
            for member in self.members.values_mut() {
                let waiting = member.syncing.take();
                effects.extend(waiting.map(|waiter| Effect::Synced(waiter, Err(GroupError::NotWritten))));
                member.assignment = Bytes::new();
            }
            effects.extend(self.prepare(now));
            return effects;
        }
        self.phase = Phase::Stable;
        let mut waiting = Vec::new();
        for (id, member) in &mut self.members {
            member.refresh(now);
            waiting.extend(member.syncing.take().map(|waiter| (id.clone(), waiter)));
        }
        waiting.into_iter().filter_map(|(id, waiter)| self.synced(&id, waiter)).collect()
    }

    fn synced(&self, id: &str, waiter: Waiter) -> Option<Effect> {
        let assignment = self.members.get(id)?.assignment.clone();
        let protocol_type = self.protocol_type.clone().unwrap_or_default();
        let protocol = self.protocol.clone().unwrap_or_default();
        Some(Effect::Synced(waiter, Ok(Synced { protocol_type, protocol, assignment })))
    }
}
