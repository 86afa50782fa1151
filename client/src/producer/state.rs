//! All partitions of one producer and who is served next, behind one short lock. What has to happen outside of the lock
//! (wake, resolve, give memory back) is collected in [`Effects`].
//!
//! What always holds: a partition that has something to send stands in the queue of its leader, or waits for a time or
//! an answer that will put it there.

mod sessions;
mod timing;
mod topics;

pub(crate) use sessions::Job;

use super::{
    BatchOutcome, Delivery, ProducerOptions,
    slot::{Finished, Slot},
    window::Identity,
};
use crate::{ProduceError, Record, clock};
use sessions::Lane;
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    task::Waker,
    time::Instant,
};
use topics::{Topic, choose};

/// What is to be done once the lock is released.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) wake: Vec<Waker>,
    pub(crate) driver: bool,
    pub(crate) finished: Vec<Finished>,
    /// The leader of something may be elsewhere.
    pub(crate) reroute: bool,
}

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct State {
    options: ProducerOptions,
    topics: HashMap<Arc<str>, Topic>,
    slots: Vec<Slot>,
    /// Slots of topics that are gone.
    vacant: Vec<usize>,
    lanes: HashMap<u32, Lane>,
    /// Open batches that become due, in the order of their times.
    lingering: VecDeque<(Instant, usize, u64)>,
    /// Partitions that wait before they repeat.
    retries: BTreeSet<(Instant, usize)>,
    /// Brokers for which a task has to be started.
    pub(crate) lanes_to_start: Vec<u32>,
    identity: Option<Identity>,
    /// A partition waits for an identity newer than this one.
    pub(crate) identity_used_up: Option<Identity>,
    /// When the driver will look again.
    armed: Option<Instant>,
    /// When the delivery timeout is looked at again.
    expire_at: Option<Instant>,
    next_number: u64,
    next_request: u64,
    next_session: u64,
    unanswered_batches: usize,
    /// No further records.
    refusing: bool,
    /// Nothing at all any more.
    closed: bool,
}

impl State {
    pub(crate) fn new(options: ProducerOptions, identity: Option<Identity>) -> Self {
        Self {
            options,
            topics: HashMap::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            lanes: HashMap::new(),
            lingering: VecDeque::new(),
            retries: BTreeSet::new(),
            lanes_to_start: Vec::new(),
            identity,
            identity_used_up: None,
            armed: None,
            expire_at: None,
            next_number: 0,
            next_request: 0,
            next_session: 1,
            unanswered_batches: 0,
            refusing: false,
            closed: false,
        }
    }

    /// Puts a record into its partition's batch. `None`: the topic has to be [added](Self::add_topic) first.
    pub(crate) fn append(
        &mut self,
        record: &Record,
        timestamp_ms: i64,
        reserved_bytes: usize,
        effects: &mut Effects,
    ) -> Result<Option<Delivery>, ProduceError> {
        if self.refusing {
            return Err(ProduceError::Closed);
        }
        let Some(topic) = self.topics.get_mut(&record.topic) else { return Ok(None) };
        let partition = choose(topic, record, reserved_bytes, self.options.batch_bytes);
        let Some(index) = usize::try_from(partition).ok().and_then(|place| topic.slots.get(place).copied())
        else {
            let partitions = topic.route.partition_count();
            return Err(ProduceError::UnknownPartition {
                topic: record.topic.to_string(),
                partition,
                partitions,
            });
        };
        let Some(slot) = self.slots.get_mut(index) else { return Ok(None) };
        let next_number = &mut self.next_number;
        let now = &mut None;
        let placed = slot.batcher.append(record, (timestamp_ms, reserved_bytes), &slot.limits, || {
            *next_number += 1;
            (*next_number, *now.insert(clock::now()))
        })?;
        if let (Some(number), Some(now)) = (placed.opened, *now) {
            self.opened(index, number, now, effects);
        }
        self.enqueue(index, effects);
        Ok(Some(Delivery::new(placed.outcome, placed.index, timestamp_ms)))
    }

    fn finish(&mut self, finished: impl IntoIterator<Item = Finished>, effects: &mut Effects) {
        let before = effects.finished.len();
        effects.finished.extend(finished);
        self.unanswered_batches = self.unanswered_batches.saturating_sub(effects.finished.len() - before);
    }

    /// What every change of a partition may bring: a new identity, a batch that need not wait any longer, the queue.
    fn after(&mut self, index: usize, effects: &mut Effects) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.window.needs_renewal() && !slot.window.is_sending() {
            match (slot.window.identity(), self.identity) {
                (Some(old), Some(current)) if current.generation > old.generation => {
                    let ambiguous = slot.renew(current);
                    self.finish(ambiguous, effects);
                }
                (old, _) => {
                    self.identity_used_up = old;
                    effects.driver = true;
                }
            }
        }
        if let Some(slot) = self.slots.get_mut(index)
            && self.options.linger.is_none()
            && slot.window.is_empty()
        {
            slot.batcher.make_due(None);
        }
        self.enqueue(index, effects);
    }

    /// The identity that was asked for is there.
    pub(crate) fn renew(&mut self, identity: Identity, effects: &mut Effects) {
        self.identity = Some(identity);
        self.identity_used_up = None;
        (0..self.slots.len()).for_each(|index| self.after(index, effects));
    }

    /// The outcomes of everything that is not answered.
    pub(crate) fn outcomes(&self) -> Vec<Arc<BatchOutcome>> {
        self.slots.iter().flat_map(Slot::outcomes).cloned().collect()
    }

    /// Refuses records from now on.
    pub(crate) fn close(&mut self) {
        self.refusing = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Gives up everything, at once and for good.
    pub(crate) fn abandon(&mut self, effects: &mut Effects) {
        self.refusing = true;
        self.closed = true;
        for index in 0..self.slots.len() {
            let given_up = self.slots.get_mut(index).map(|slot| slot.abandon(&ProduceError::Closed));
            self.finish(given_up.into_iter().flatten(), effects);
        }
        effects.wake.extend(self.lanes.values_mut().filter_map(|lane| lane.waker.take()));
        effects.driver = true;
    }
}
