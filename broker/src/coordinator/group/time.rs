//! Time: silent members go, and no round waits for ever. The caller asks for the next moment and calls [`Group::tick`] then;
//! one timer serves any number of groups.

use super::{Effect, Group, Initial, Phase, after};
use crate::clock::Monotonic;

impl Group {
    /// When [`Group::tick`] has something to do, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let of_phase = match self.phase {
            Phase::Preparing { until, .. } | Phase::Completing { until, is_writing: false } => Some(until),
            _ => None,
        };
        let of_members = self.members.values().filter(|member| !member.is_waiting());
        let of_members = of_members.map(|member| member.expires).min();
        let of_pending = self.pending.values().min().copied();
        of_phase.into_iter().chain(of_members).chain(of_pending).min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Monotonic) -> Vec<Effect> {
        let mut effects = Vec::new();
        let before = self.pending.len();
        self.pending.retain(|_, until| *until > now);
        let silent: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| !member.is_waiting() && member.expires <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in &silent {
            effects.extend(self.remove(id).unwrap_or_default());
        }
        if !silent.is_empty() {
            effects.extend(self.after_loss(now));
        } else if self.pending.len() < before {
            effects.extend(self.complete_if_all_joined(now));
        }
        effects.extend(self.end_of_phase(now));
        effects
    }

    /// A member is gone: the others share anew, or the round that waited for it ends.
    pub(super) fn after_loss(&mut self, now: Monotonic) -> Vec<Effect> {
        match self.phase {
            Phase::Empty => Vec::new(),
            Phase::Preparing { .. } => self.complete_if_all_joined(now),
            Phase::Completing { .. } | Phase::Stable => self.prepare(now),
        }
    }

    fn end_of_phase(&mut self, now: Monotonic) -> Vec<Effect> {
        match self.phase {
            Phase::Preparing { until, initial: Some(initial) } if until <= now => {
                let left = initial.until_at_most.since(now);
                if initial.member_came && !left.is_zero() {
                    let until = after(now, left.min(self.options.initial_rebalance_delay));
                    let initial = Some(Initial { member_came: false, ..initial });
                    self.phase = Phase::Preparing { until, initial };
                    return Vec::new();
                }
                self.begin_generation(now)
            }
            Phase::Preparing { until, initial: None } if until <= now => self.begin_generation(now),
            Phase::Completing { until, is_writing: false } if until <= now => {
                // Whoever did not ask for its share has not noticed the new generation.
                let late: Vec<String> = self
                    .members
                    .iter()
                    .filter(|(_, member)| !member.has_synced)
                    .map(|(id, _)| id.clone())
                    .collect();
                let mut effects: Vec<Effect> =
                    late.iter().flat_map(|id| self.remove(id).unwrap_or_default()).collect();
                effects.extend(self.prepare(now));
                effects
            }
            _ => Vec::new(),
        }
    }
}
