//! What a member of a group may read, and what it has to say about that. Pure: answers and times in, changes out.
//!
//! What always holds: an epoch is confirmed only once nothing is read any more that it took away; and the session counts from
//! the moment when an answered heartbeat was *sent*, so that it never ends later here than at the coordinator.

use super::GroupPartition;
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A partition of one topic, not of another one that has its name later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) partition: GroupPartition,
    pub(super) topic_id: Bytes,
}

/// Names one stay of a partition with this member: what belongs to an earlier one is not for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stay {
    life: u64,
    epoch: i32,
}

/// What an answer changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) added: Vec<(Place, Stay)>,
    pub(super) revoked: Vec<Place>,
    /// What is confirmed when they are given up.
    pub(super) epoch: Option<Stay>,
}

/// See the top of the file.
#[derive(Debug)]
pub(super) struct Membership {
    member_id: String,
    /// Counts member ids.
    life: u64,
    confirmed: i32,
    known: i32,
    held: BTreeMap<Place, Stay>,
    session: Duration,
    /// When the last heartbeat was sent that was answered.
    heard: Option<Instant>,
}

impl Membership {
    pub(super) fn new(member_id: String, session: Duration) -> Self {
        Self { member_id, life: 1, confirmed: 0, known: 0, held: BTreeMap::new(), session, heard: None }
    }

    pub(super) fn member_id(&self) -> &str {
        &self.member_id
    }

    /// The epoch that was carried out, and the latest one.
    pub(super) fn epochs(&self) -> (i32, i32) {
        (self.confirmed, self.known)
    }

    /// Whether the coordinator cannot have given anything to somebody else yet.
    pub(super) fn is_alive(&self, now: Instant) -> bool {
        self.heard.is_some_and(|heard| now.saturating_duration_since(heard) < self.session)
    }

    /// Whether this is still the same stay of a partition.
    pub(super) fn holds(&self, place: &Place, stay: Stay) -> bool {
        self.held.get(place) == Some(&stay)
    }

    /// A heartbeat that was sent then is answered: nothing new, or a new epoch with everything that is to be read.
    pub(super) fn answered(&mut self, sent: Instant, news: Option<(i32, Vec<Place>)>) -> Change {
        self.heard = Some(self.heard.map_or(sent, |heard| heard.max(sent)));
        let Some((epoch, share)) = news.filter(|(epoch, _)| *epoch > self.known) else {
            return Change::default();
        };
        self.known = epoch;
        let stay = Stay { life: self.life, epoch };
        let mut change = Change::default();
        let mut earlier = std::mem::take(&mut self.held);
        for place in share {
            match earlier.remove(&place) {
                Some(stay) => {
                    self.held.insert(place, stay);
                }
                None => {
                    self.held.insert(place.clone(), stay);
                    change.added.push((place, stay));
                }
            }
        }
        change.revoked = earlier.into_keys().collect();
        if change.revoked.is_empty() {
            self.confirmed = epoch;
        }
        change.epoch = Some(stay);
        change
    }

    /// What an epoch took away is not read any more; nothing, if that epoch is of an earlier life.
    pub(super) fn released(&mut self, stay: Stay) {
        if stay == (Stay { life: self.life, epoch: self.known }) {
            self.confirmed = self.known;
        }
    }

    /// The group does not know this member any more: it begins anew. Everything that it had.
    pub(super) fn lost(&mut self, member_id: String) -> Vec<Place> {
        (self.member_id, self.heard) = (member_id, None);
        self.life += 1;
        (self.confirmed, self.known) = (0, 0);
        std::mem::take(&mut self.held).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: u32) -> Place {
        let topic = "t".into();
        Place { partition: GroupPartition { topic, partition }, topic_id: Bytes::from_static(b"id") }
    }

    fn places(partitions: &[u32]) -> Vec<Place> {
        partitions.iter().copied().map(place).collect()
    }

    #[test]
    fn an_epoch_is_confirmed_once_everything_is_given_up() {
        let (start, second) = (crate::clock::now(), Duration::from_secs(1));
        let mut membership = Membership::new("m".into(), 10 * second);
        assert!(!membership.is_alive(start), "it has not joined");
        let change = membership.answered(start, Some((2, places(&[0, 1]))));
        assert_eq!((change.added.len(), change.revoked), (2, vec![]));
        assert_eq!(membership.epochs(), (2, 2), "there was nothing to give up");
        let stay = change.added[0].1;
        let change = membership.answered(start + second, Some((3, places(&[0, 2]))));
        assert_eq!(change.revoked, places(&[1]));
        assert_eq!(change.added.len(), 1);
        assert!(membership.holds(&place(0), stay), "what is kept is the same stay");
        assert_eq!(membership.epochs(), (2, 3));
        // The answer comes again, and nothing changes.
        assert_eq!(membership.answered(start + second, Some((3, places(&[0, 2])))), Change::default());
        membership.released(stay);
        assert_eq!(membership.epochs(), (2, 3), "that was an earlier epoch");
        membership.released(change.epoch.unwrap());
        assert_eq!(membership.epochs(), (3, 3));
        let again = membership.answered(start + second, Some((4, places(&[0, 1, 2]))));
        assert!(!membership.holds(&place(1), stay) && again.added.len() == 1, "another stay");
    }

    #[test]
    fn a_session_counts_from_when_the_heartbeat_was_sent() {
        let (start, second) = (crate::clock::now(), Duration::from_secs(1));
        let mut membership = Membership::new("m".into(), 10 * second);
        membership.answered(start, Some((2, places(&[0]))));
        assert!(membership.is_alive(start + 9 * second) && !membership.is_alive(start + 10 * second));
        membership.answered(start + 8 * second, None);
        assert!(membership.is_alive(start + 17 * second));
        let lost = membership.lost("n".into());
        assert_eq!((lost, membership.epochs()), (places(&[0]), (0, 0)));
        assert!(!membership.is_alive(start + 8 * second));
    }
}
