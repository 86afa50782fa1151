//! Reads topics together with the other members of a group: the coordinator says which partitions, and remembers how far they
//! are read.
//!
//! ```text
//! session: heartbeats ◄──► coordinator        commits: one after the other ──► coordinator
//!    │ assigned, revoked, lost                    ▲ offsets
//!    ▼                                            │
//! next_record / next_event / Stream ──────────────┘   gives up what was revoked when the application comes back
//! ```
//!
//! What always holds: a record is handed out only while no other member can have its partition; a partition is given up only
//! when the application has come back from everything that it was handed of it; what is committed by itself was handed out
//! before, and the application has come back from it.

mod begin;
mod builder;
mod commits;
mod membership;
mod session;
mod shared;

pub use builder::GroupConsumerBuilder;
pub use commits::Commit;

use super::{ConsumedRecord, Consumer};
use crate::{ConsumeError, GroupError, StartAt, clock};
use commits::{Offsets, Wanted};
use futures_core::Stream;
use membership::{Place, Stay};
use shared::{Inbound, Options, Ready, Shared};
use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::mpsc;

/// Longer than any process lives.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long `close` waits for the coordinator to hear of it.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// A partition that the group has given to this consumer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: u32,
}

impl fmt::Display for GroupPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// What comes to a consumer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// A record.
    Record(ConsumedRecord),
    /// These partitions are read as well from now on.
    Assigned(Vec<GroupPartition>),
    /// These partitions go to other members, who read on from what is committed. They are given up when the application asks
    /// for the next event: until then it can finish and commit.
    Revoked(Vec<GroupPartition>),
    /// These partitions are other members' already: nothing was heard of this one for too long. What was not committed is
    /// read again by them.
    Lost(Vec<GroupPartition>),
}

/// A stream of the records of the partitions that the group gives to this member. It ends only when the client is closed.
///
/// An `Err` of one partition stops that partition, as with a [`Consumer`]; a [`ConsumeError::Group`] ends the membership.
///
/// Records come at least once: what was handed out and not committed when a member ends is handed out again to another.
/// Dropping it ends the membership without a wait and without a commit: [`close`](Self::close) does it in order.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use cairn_client::{Client, GroupEvent};
///
/// let client = Client::connect("127.0.0.1:9095").await?;
/// let mut consumer = client.consumer().group("billing").topics(["orders"]).manual_commit().build().await?;
/// while let Some(event) = consumer.next_event().await {
///     match event? {
///         GroupEvent::Record(record) => println!("{:?}", record.value),
///         // They go to somebody else when the next event is asked for: the last moment to commit.
///         GroupEvent::Revoked(_) => consumer.commit().await?,
///         GroupEvent::Assigned(_) | GroupEvent::Lost(_) => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GroupConsumer {
    consumer: Consumer,
    shared: Arc<Shared>,
    wanted: mpsc::UnboundedSender<Wanted>,
    installed: BTreeMap<Place, Stay>,
    /// The application was told, and has not come back yet.
    revoking: Option<(Vec<Place>, Stay)>,
    /// What was committed last by itself.
    committed: Offsets,
    failed: bool,
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl GroupConsumer {
    fn new(consumer: Consumer, shared: Arc<Shared>, wanted: mpsc::UnboundedSender<Wanted>) -> Self {
        Self {
            consumer,
            shared,
            wanted,
            installed: BTreeMap::new(),
            revoking: None,
            committed: Offsets::new(),
            failed: false,
        }
    }

    /// The next record; `None` once the client is closed. Cancel-safe. Partitions come and go meanwhile; to hear of that, use
    /// [`next_event`](Self::next_event).
    pub async fn next_record(&mut self) -> Option<Result<ConsumedRecord, ConsumeError>> {
        poll_fn(|context| self.poll_record(context)).await
    }

    /// The next record or change of the assignment; `None` once the client is closed. Cancel-safe.
    pub async fn next_event(&mut self) -> Option<Result<GroupEvent, ConsumeError>> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_record(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<ConsumedRecord, ConsumeError>>> {
        loop {
            return match self.poll_event(context) {
                Poll::Ready(Some(Ok(GroupEvent::Record(record)))) => Poll::Ready(Some(Ok(record))),
                Poll::Ready(Some(Ok(_))) => continue,
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            };
        }
    }

    /// Whoever calls this has come back from everything that was handed out before.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<GroupEvent, ConsumeError>>> {
        self.give_up_revoked();
        self.commit_if_due();
        loop {
            if self.failed {
                return Poll::Ready(None);
            }
            let may_read = {
                let mut state = self.shared.state.lock();
                match state.inbox.pop_front() {
                    Some(inbound) => {
                        drop(state);
                        if let Some(told) = self.take(inbound) {
                            return Poll::Ready(Some(told));
                        }
                        continue;
                    }
                    None => {
                        if state.waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
                            state.waker = Some(context.waker().clone());
                        }
                        state.membership.is_alive(clock::now())
                    }
                }
            };
            if !may_read && !self.consumer.shared.state.lock().closed {
                return Poll::Pending;
            }
            return self
                .consumer
                .poll_record(context)
                .map(|next| next.map(|next| next.map(GroupEvent::Record)));
        }
    }

    fn take(&mut self, inbound: Inbound) -> Option<Result<GroupEvent, ConsumeError>> {
        match inbound {
            Inbound::Assigned(ready) => self.assigned(ready),
            Inbound::Revoked(places, epoch) => {
                let ours: Vec<Place> =
                    places.into_iter().filter(|place| self.installed.contains_key(place)).collect();
                for place in &ours {
                    // Nothing more of it is handed out; where it stands stays known for the commit.
                    let _ = self.consumer.pause(&place.partition.topic, place.partition.partition);
                }
                let told = named(&ours);
                if told.is_empty() {
                    // It never began: there is nobody to wait for.
                    self.confirm(Offsets::new(), epoch);
                    return None;
                }
                self.revoking = Some((ours, epoch));
                Some(Ok(GroupEvent::Revoked(told)))
            }
            Inbound::Lost(places) => {
                let ours: Vec<Place> =
                    places.into_iter().filter(|place| self.installed.contains_key(place)).collect();
                for place in &ours {
                    self.uninstall(place);
                }
                self.revoking = None;
                Some(named(&ours)).filter(|told| !told.is_empty()).map(|told| Ok(GroupEvent::Lost(told)))
            }
            Inbound::Failed(error) => {
                let all: Vec<Place> = self.installed.keys().cloned().collect();
                for place in &all {
                    self.uninstall(place);
                }
                self.failed = true;
                Some(Err(error.into()))
            }
        }
    }

    fn assigned(&mut self, ready: Vec<Ready>) -> Option<Result<GroupEvent, ConsumeError>> {
        let mut told = Vec::new();
        for Ready { place, stay, assigned, is_committed, is_refused } in ready {
            if !self.shared.state.lock().membership.holds(&place, stay) {
                continue;
            }
            let GroupPartition { topic, partition } = place.partition.clone();
            let offset = assigned.fetch_offset();
            self.consumer.install(assigned);
            if is_refused {
                let error = ConsumeError::NoCommittedOffset { topic: topic.to_string(), partition };
                self.consumer.refuse(&topic, partition, error);
            } else if is_committed {
                // It is not committed again before it moves. Where nothing is, the beginning is: whoever comes next
                // begins there too.
                self.committed.insert(place.clone(), offset);
            }
            told.push(place.partition.clone());
            self.installed.insert(place, stay);
        }
        Some(told).filter(|told| !told.is_empty()).map(|told| Ok(GroupEvent::Assigned(told)))
    }

    fn uninstall(&mut self, place: &Place) -> Option<i64> {
        self.installed.remove(place);
        self.committed.remove(place);
        self.consumer.uninstall(&place.partition.topic, place.partition.partition)
    }

    /// The application has come back: what was revoked is given up.
    fn give_up_revoked(&mut self) {
        let Some((places, epoch)) = self.revoking.take() else { return };
        let mut offsets = Offsets::new();
        for place in places {
            let earlier = self.committed.get(&place).copied();
            let position = self.uninstall(&place).filter(|position| Some(*position) != earlier);
            offsets.extend(position.map(|position| (place, position)));
        }
        if self.shared.options.auto_commit.is_none() {
            offsets.clear();
        }
        self.confirm(offsets, epoch);
    }

    fn confirm(&self, offsets: Offsets, epoch: Stay) {
        self.shared.state.lock().given_up = Some((offsets, epoch));
        self.shared.changed.notify_one();
    }

    /// Commits by itself what the application has come back from.
    fn commit_if_due(&mut self) {
        if self.shared.options.auto_commit.is_none() || !self.shared.commit_is_due.load(Ordering::Relaxed) {
            return;
        }
        self.shared.commit_is_due.store(false, Ordering::Relaxed);
        let offsets = self.uncommitted();
        if !offsets.is_empty() {
            self.committed.extend(offsets.iter().map(|(place, offset)| (place.clone(), *offset)));
            // A task that is gone has nothing to commit for.
            let _ = self.wanted.send(Wanted { offsets, answer: None });
        }
    }

    fn uncommitted(&mut self) -> Offsets {
        let again = self.shared.commit_again.swap(false, Ordering::Relaxed);
        let mut offsets = self.positions();
        offsets.retain(|place, offset| again || self.committed.get(place) != Some(offset));
        offsets
    }

    fn positions(&self) -> Offsets {
        let position = |place: &Place| {
            let position = self.consumer.position(&place.partition.topic, place.partition.partition)?;
            Some((place.clone(), position))
        };
        self.installed.keys().filter_map(position).collect()
    }

    /// Commits everything that was handed out, at once: it goes on if the result is not awaited. What it says is durable when
    /// it resolves.
    pub fn commit(&self) -> Commit {
        Commit::new(&self.wanted, self.positions())
    }

    /// Commits these offsets, each the next one to read of a partition that is assigned.
    ///
    /// # Errors
    /// One of them is not assigned; nothing is committed.
    pub fn commit_offsets<'a>(
        &self,
        offsets: impl IntoIterator<Item = (&'a str, u32, i64)>,
    ) -> Result<Commit, GroupError> {
        let mut given = Offsets::new();
        for (topic, partition, offset) in offsets {
            let mut places = self.installed.keys();
            let is_meant =
                |place: &&Place| *place.partition.topic == *topic && place.partition.partition == partition;
            let Some(place) = places.find(is_meant) else {
                return Err(GroupError::NotAssigned { partitions: vec![format!("{topic}/{partition}")] });
            };
            given.insert(place.clone(), offset);
        }
        Ok(Commit::new(&self.wanted, given))
    }

    /// Ends the membership: commits what was handed out (unless commits are manual), and leaves the group, so that the others
    /// take over at once; the place of a static member is kept for the session timeout.
    ///
    /// # Errors
    /// The commit failed; the membership has ended all the same.
    pub async fn close(mut self) -> Result<(), GroupError> {
        let offsets = match self.shared.options.auto_commit {
            Some(_) if !self.failed => self.uncommitted(),
            _ => Offsets::new(),
        };
        let commit = (!offsets.is_empty()).then(|| Commit::new(&self.wanted, offsets));
        let committed = match commit {
            Some(commit) => commit.await,
            None => Ok(()),
        };
        let shared = Arc::clone(&self.shared);
        // The connections stay until the coordinator has heard of it.
        let _client = Arc::clone(&self.consumer._client);
        let leaves = shared.options.instance_id.is_none() && !self.failed;
        drop(self);
        if leaves {
            // Nobody to tell, or too late to: the session ends by itself.
            let _ = tokio::time::timeout(LEAVE_WITHIN, shared.left.notified()).await;
        }
        committed
    }

    /// Goes on elsewhere in one partition; nothing of the old place is given out afterwards.
    ///
    /// # Errors
    /// The partition is not assigned, or no broker could say where that is.
    pub async fn seek(&mut self, topic: &str, partition: u32, at: StartAt) -> Result<(), ConsumeError> {
        self.consumer.seek(topic, partition, at).await
    }

    /// Gives out nothing of this partition until [`resume`](Self::resume), or until the group gives it to somebody else.
    ///
    /// # Errors
    /// The partition is not assigned.
    pub fn pause(&mut self, topic: &str, partition: u32) -> Result<(), ConsumeError> {
        self.consumer.pause(topic, partition)
    }

    /// Ends a [`pause`](Self::pause).
    ///
    /// # Errors
    /// The partition is not assigned.
    pub fn resume(&mut self, topic: &str, partition: u32) -> Result<(), ConsumeError> {
        let is_revoked =
            |place: &Place| *place.partition.topic == *topic && place.partition.partition == partition;
        if self.revoking.iter().flat_map(|(places, _)| places).any(is_revoked) {
            let text = format!("{topic}/{partition} is not assigned to this consumer any more");
            return Err(ConsumeError::InvalidOptions(text));
        }
        self.consumer.resume(topic, partition)
    }

    /// The offset of the next record to be given out; `None` for a partition that is not assigned.
    #[must_use]
    pub fn position(&self, topic: &str, partition: u32) -> Option<i64> {
        self.consumer.position(topic, partition)
    }

    /// The end of what can be read, as last heard of. `None` for a partition that is not assigned.
    #[must_use]
    pub fn high_watermark(&self, topic: &str, partition: u32) -> Option<i64> {
        self.consumer.high_watermark(topic, partition)
    }

    /// All partitions that are read now.
    #[must_use]
    pub fn assignment(&self) -> Vec<GroupPartition> {
        named(self.installed.keys())
    }
}

fn named<'a>(places: impl IntoIterator<Item = &'a Place>) -> Vec<GroupPartition> {
    places.into_iter().map(|place| place.partition.clone()).collect()
}

impl Stream for GroupConsumer {
    type Item = Result<ConsumedRecord, ConsumeError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_record(context)
    }
}
