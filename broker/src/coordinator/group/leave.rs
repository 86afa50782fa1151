//! Leaving: at a member's own wish, or at an administrator's.

use super::{Effect, Group, GroupError};
use crate::clock::Monotonic;

/// Who is to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// Its id; empty where a static member is named by its instance id alone.
    pub member_id: String,
    /// Its name across restarts.
    pub instance_id: Option<String>,
}

impl Group {
    /// Each of them leaves, or is answered why not; the others join again.
    pub fn leave(
        &mut self,
        leavers: &[Leaver],
        now: Monotonic,
    ) -> (Vec<Result<(), GroupError>>, Vec<Effect>) {
        let (mut outcomes, mut effects) = (Vec::with_capacity(leavers.len()), Vec::new());
        for leaver in leavers {
            let outcome = self.leave_one(leaver);
            match outcome {
                Ok(left) => {
                    effects.extend(left);
                    outcomes.push(Ok(()));
                }
                Err(error) => outcomes.push(Err(error)),
            }
        }
        if outcomes.iter().any(Result::is_ok) {
            effects.extend(self.after_loss(now));
        }
        (outcomes, effects)
    }

    fn leave_one(&mut self, leaver: &Leaver) -> Result<Vec<Effect>, GroupError> {
        if self.pending.remove(&leaver.member_id).is_some() {
            return Ok(Vec::new());
        }
        let instance = leaver.instance_id.as_deref();
        let by_instance = instance.filter(|_| leaver.member_id.is_empty());
        let id = match by_instance {
            Some(instance) => self.member_of_instance(instance).ok_or(GroupError::UnknownMember)?.to_string(),
            None => {
                self.check_instance(&leaver.member_id, instance)?;
                leaver.member_id.clone()
            }
        };
        self.remove(&id).ok_or(GroupError::UnknownMember)
    }

    /// A member is gone; what it waited for is answered.
    pub(super) fn remove(&mut self, id: &str) -> Option<Vec<Effect>> {
        let mut member = self.members.remove(id)?;
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        let joining = member.joining.take();
        let syncing = member.syncing.take();
        let unknown = GroupError::UnknownMember;
        let joining = joining.map(|waiter| Effect::Joined(waiter, Err(unknown.clone())));
        let syncing = syncing.map(|waiter| Effect::Synced(waiter, Err(unknown)));
        Some(joining.into_iter().chain(syncing).collect())
    }
}
