//! Time: silent members go, and so do those that do not give up what they were told to. The caller asks for the next moment and
//! calls [`NativeGroup::tick`] then.

use super::{NativeEffect, NativeError, NativeGroup, unchanged};
use crate::clock::Monotonic;

impl NativeGroup {
    /// When [`NativeGroup::tick`] has something to do, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.members.values().map(|member| member.deadline()).min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Monotonic) -> Vec<NativeEffect> {
        let mut effects = Vec::new();
        let is_late = |member: &super::NativeMember| {
            member.expires <= now || (!member.is_confirmed && member.confirm_by <= now)
        };
        let late: Vec<String> =
            self.members.iter().filter(|(_, member)| is_late(member)).map(|(id, _)| id.clone()).collect();
        for id in &late {
            effects.extend(self.remove(id).unwrap_or_default());
        }
        for member in self.members.values_mut() {
            let waited = member.waiting.take_if(|waiting| waiting.until <= now);
            effects.extend(waited.as_ref().map(unchanged));
        }
        if late.is_empty() { effects } else { self.after_loss(effects, now) }
    }

    /// A member is gone; what it waited for is answered.
    pub(super) fn remove(&mut self, id: &str) -> Option<Vec<NativeEffect>> {
        let mut member = self.members.remove(id)?;
        let waiting = member.waiting.take();
        let unknown = |waiter| NativeEffect::Answer(waiter, Err(NativeError::UnknownMember));
        Some(waiting.map(|waiting| unknown(waiting.waiter)).into_iter().collect())
    }

    /// The others share what is free now.
    pub(super) fn after_loss(&mut self, mut effects: Vec<NativeEffect>, now: Monotonic) -> Vec<NativeEffect> {
        self.retarget();
        self.settle(now);
        effects.extend(self.deliver());
        effects
    }

    /// Every member has a whole session from now on, and time to do what it was told.
    pub fn begin_sessions(&mut self, now: Monotonic) {
        for member in self.members.values_mut() {
            member.refresh(now);
            member.confirm_by = super::after(now, member.profile.rebalance_timeout);
        }
    }
}
