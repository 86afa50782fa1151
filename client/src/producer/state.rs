//! All partitions of one producer and who is served next, behind one short lock. What has to happen outside of the lock
//! (wake, resolve, give memory back) is collected in [`Effects`].
//!
//! What always holds: a partition that has something to send stands in the queue of its leader, or waits for a time or
//! an answer that will put it there.

use super::{
    Acks, BatchOutcome, Delivery, ProducerOptions,
    encode::{Stamp, Work},
    slot::{Finished, Slot, Step},
    window::Identity,
};
use crate::{
    ProduceError, Record,
    batcher::BatchLimits,
    clock,
    partitioner::{Sticky, partition_for_key},
    routing::{RoutingTable, TopicRoute},
};
use bytes::Bytes;
use cairn_proto::{
    record::BatchError,
    v1::{ProduceRequest, ProduceResponse},
};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

/// A request id names its partition in the bits above these.
const REQUEST_BITS: u32 = 40;

/// What is to be done once the lock is released.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) wake: Vec<Waker>,
    pub(crate) driver: bool,
    pub(crate) finished: Vec<Finished>,
    /// The leader of something may be elsewhere.
    pub(crate) reroute: bool,
}

/// What a connection does next.
#[derive(Debug)]
pub(crate) enum Job {
    Send(ProduceRequest),
    /// Of a batch, by partition and number; the result goes to [`State::worked`].
    Work(usize, u64, Work),
}

/// The partition for a record.
fn choose(topic: &mut Topic, record: &Record, record_bytes: usize, stay_bytes: usize) -> u32 {
    let partitions = topic.route.partition_count();
    match (record.partition, &record.key) {
        (Some(partition), _) => partition,
        (None, Some(key)) => partition_for_key(key, partitions),
        (None, None) => {
            let route = &topic.route;
            let available =
                |partition| route.partition(partition).is_some_and(|known| known.leader.is_some());
            topic.sticky.next((record_bytes, stay_bytes), partitions, available, rand::random)
        }
    }
}

#[derive(Debug)]
struct Topic {
    route: Arc<TopicRoute>,
    slots: Vec<usize>,
    sticky: Sticky,
}

/// What goes to one broker.
#[derive(Debug, Default)]
struct Lane {
    ready: VecDeque<usize>,
    waker: Option<Waker>,
    /// The connection that may take from it; 0 for none.
    session: u64,
    /// Whether a task looks after it.
    running: bool,
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

    /// Decides how long the batch that was just opened waits for company.
    fn opened(&mut self, index: usize, number: u64, now: Instant, effects: &mut Effects) {
        self.unanswered_batches += 1;
        let at_once = match self.options.linger {
            None => self.slots.get(index).is_some_and(|slot| slot.window.is_empty()),
            Some(linger) => linger.is_zero(),
        };
        if at_once {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.batcher.make_due(Some(number));
            }
            self.arm(now + self.tick(), effects);
        } else {
            let due = now + self.options.linger_max();
            self.lingering.push_back((due, index, number));
            self.arm(due, effects);
        }
    }

    /// How often the delivery timeout is looked at.
    fn tick(&self) -> Duration {
        (self.options.delivery_timeout / 20).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }

    /// Wakes the driver if it would look only later.
    fn arm(&mut self, at: Instant, effects: &mut Effects) {
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            effects.driver = true;
        }
    }

    pub(crate) fn add_topic(&mut self, route: &Arc<TopicRoute>) {
        if self.closed || self.topics.contains_key(&route.name) {
            return;
        }
        let mut topic = Topic { route: Arc::clone(route), slots: Vec::new(), sticky: Sticky::default() };
        self.add_slots(&mut topic);
        self.topics.insert(Arc::clone(&route.name), topic);
    }

    fn add_slots(&mut self, topic: &mut Topic) {
        let limits = BatchLimits {
            batch_bytes: self.options.batch_bytes,
            message_bytes_max: topic.route.message_bytes_max,
            compression: self.options.compression,
        };
        for partition in u32::try_from(topic.slots.len()).unwrap_or(u32::MAX)..topic.route.partition_count() {
            let slot = Slot::new(&topic.route, partition, limits, self.identity);
            let index = match self.vacant.pop() {
                Some(index) => index,
                None => self.slots.len(),
            };
            match self.slots.get_mut(index) {
                Some(place) => *place = slot,
                None => self.slots.push(slot),
            }
            topic.slots.push(index);
        }
    }

    /// Puts a partition into its leader's queue if it has something to do and does not stand there already.
    fn enqueue(&mut self, index: usize, effects: &mut Effects) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.queued || !slot.is_ready() {
            return;
        }
        let Some(leader) = slot.route.leader else { return };
        slot.queued = true;
        let lane = self.lanes.entry(leader).or_default();
        lane.ready.push_back(index);
        effects.wake.extend(lane.waker.take());
        if !lane.running {
            lane.running = true;
            self.lanes_to_start.push(leader);
            effects.driver = true;
        }
    }

    /// Whether there is something for this broker, or nothing will ever be; if not, the waker is called when there is.
    pub(crate) fn has_work(&mut self, broker: u32, waker: &Waker) -> bool {
        if self.closed {
            return true;
        }
        let lane = self.lanes.entry(broker).or_default();
        if lane.ready.is_empty() {
            lane.waker = Some(waker.clone());
        }
        !lane.ready.is_empty()
    }

    /// A new connection to this broker takes over.
    pub(crate) fn begin_session(&mut self, broker: u32) -> u64 {
        let session = self.next_session;
        self.next_session += 1;
        self.lanes.entry(broker).or_default().session = session;
        session
    }

    /// The connection is lost, with everything on its way.
    pub(crate) fn end_session(&mut self, broker: u32, session: u64, reason: &str, effects: &mut Effects) {
        if let Some(lane) = self.lanes.get_mut(&broker) {
            lane.session = 0;
            effects.wake.extend(lane.waker.take());
        }
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            if slot.session == session && slot.window.is_sending() {
                slot.disconnected(reason);
                self.after(index, effects);
            }
        }
    }

    /// What the connection does next. `Err(())`: it is not the one that serves this broker any more. `Ok(None)`: nothing
    /// at the moment; the waker is called.
    pub(crate) fn next_job(
        &mut self,
        broker: u32,
        session: u64,
        waker: &Waker,
        effects: &mut Effects,
    ) -> Result<Option<Job>, ()> {
        loop {
            let lane = self.lanes.get_mut(&broker).ok_or(())?;
            if self.closed || lane.session != session {
                return Err(());
            }
            let Some(index) = lane.ready.pop_front() else {
                lane.waker = Some(waker.clone());
                return Ok(None);
            };
            let Some(slot) = self.slots.get_mut(index) else { continue };
            if slot.route.leader != Some(broker) {
                // It moved, and stands in another queue.
                continue;
            }
            slot.queued = false;
            match slot.step(session) {
                Step::Nothing => {}
                Step::Work(number, work) => return Ok(Some(Job::Work(index, number, work))),
                Step::Send(bytes) => return Ok(Some(Job::Send(self.send(index, session, bytes, effects)))),
            }
        }
    }

    fn send(&mut self, index: usize, session: u64, batch: Bytes, effects: &mut Effects) -> ProduceRequest {
        self.next_request = (self.next_request + 1) & ((1 << REQUEST_BITS) - 1);
        let request_id = (u64::try_from(index).unwrap_or(u64::MAX) << REQUEST_BITS) | self.next_request;
        let acks = match self.options.acks {
            Acks::All => cairn_proto::v1::Acks::All,
            Acks::Leader => cairn_proto::v1::Acks::Leader,
            Acks::None => cairn_proto::v1::Acks::None,
        };
        let mut request =
            ProduceRequest { request_id, acks: acks.into(), batch, ..ProduceRequest::default() };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.sent(session, request_id);
            request.topic_id = slot.topic_id.clone();
            request.partition = slot.partition;
            request.leader_epoch = slot.route.leader_epoch;
            let done = (self.options.acks == Acks::None).then(|| slot.assume_appended(request_id)).flatten();
            self.finish(done, effects);
        }
        self.after(index, effects);
        request
    }

    /// Takes the result of a [`Job::Work`].
    pub(crate) fn worked(
        &mut self,
        index: usize,
        number: u64,
        result: Result<(Bytes, Stamp), BatchError>,
        effects: &mut Effects,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let failed = slot.worked(number, result);
        self.finish(failed, effects);
        self.after(index, effects);
    }

    /// Takes an answer.
    pub(crate) fn answered(&mut self, response: ProduceResponse, now: Instant, effects: &mut Effects) {
        let Ok(index) = usize::try_from(response.request_id >> REQUEST_BITS) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        let appended = response.error == 0;
        let (finished, reroute) = slot.answered(response);
        effects.reroute |= reroute;
        if !appended && finished.is_none() && !slot.waiting {
            slot.waiting = true;
            let again = now + slot.backoff.wait(rand::random());
            self.retries.insert((again, index));
            self.arm(again, effects);
        }
        self.finish(finished, effects);
        self.after(index, effects);
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

    /// Everything that is due by now. Returns when to look again.
    pub(crate) fn on_time(&mut self, now: Instant, effects: &mut Effects) -> Option<Instant> {
        self.armed = None;
        while let Some((due, index, number)) = self.lingering.front().copied()
            && due <= now
        {
            self.lingering.pop_front();
            if let Some(slot) = self.slots.get_mut(index) {
                slot.batcher.make_due(Some(number));
            }
            self.enqueue(index, effects);
        }
        while let Some((again, index)) = self.retries.first().copied()
            && again <= now
        {
            self.retries.pop_first();
            if let Some(slot) = self.slots.get_mut(index) {
                slot.waiting = false;
            }
            self.after(index, effects);
        }
        // Not with every batch that becomes due: it looks at all partitions.
        if self.expire_at.is_some_and(|at| at <= now) {
            self.expire_at = None;
            self.expire(now, effects);
        }
        if self.unanswered_batches > 0 && self.expire_at.is_none() {
            self.expire_at = Some(now + self.tick());
        }
        let linger = self.lingering.front().map(|(due, ..)| *due);
        let retry = self.retries.first().map(|(again, _)| *again);
        self.armed = [linger, retry, self.expire_at].into_iter().flatten().min();
        self.armed
    }

    fn expire(&mut self, now: Instant, effects: &mut Effects) {
        let timeout = self.options.delivery_timeout;
        let Some(limit) = now.checked_sub(timeout) else { return };
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            let late = slot.expire(limit, timeout);
            if !late.is_empty() {
                self.finish(late, effects);
                self.after(index, effects);
            }
        }
    }

    /// Nothing collected waits for company any longer.
    pub(crate) fn hurry(&mut self, effects: &mut Effects) {
        for (_, index, number) in std::mem::take(&mut self.lingering) {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.batcher.make_due(Some(number));
            }
            self.enqueue(index, effects);
        }
    }

    /// The outcomes of everything that is not answered.
    pub(crate) fn outcomes(&self) -> Vec<Arc<BatchOutcome>> {
        self.slots.iter().flat_map(Slot::outcomes).cloned().collect()
    }

    /// Takes news of leaders and topics.
    pub(crate) fn reroute(&mut self, table: &RoutingTable, effects: &mut Effects) {
        let names: Vec<Arc<str>> = self.topics.keys().cloned().collect();
        for name in names {
            let Some(mut topic) = self.topics.remove(&name) else { continue };
            match table.topic(&name) {
                Some(route) if route.topic_id != topic.route.topic_id => self.retire(&topic, effects),
                None if table.is_missing(&name) => self.retire(&topic, effects),
                Some(route) if !Arc::ptr_eq(route, &topic.route) => {
                    topic.route = Arc::clone(route);
                    self.add_slots(&mut topic);
                    self.move_slots(&topic, effects);
                    self.topics.insert(name, topic);
                }
                _ => drop(self.topics.insert(name, topic)),
            }
        }
    }

    fn move_slots(&mut self, topic: &Topic, effects: &mut Effects) {
        for (index, route) in topic.slots.iter().zip(&topic.route.partitions) {
            let Some(slot) = self.slots.get_mut(*index) else { continue };
            slot.limits.message_bytes_max = topic.route.message_bytes_max;
            if slot.route.leader != route.leader {
                slot.queued = false;
            }
            slot.route = *route;
            self.after(*index, effects);
        }
    }

    /// The topic does not exist any more.
    fn retire(&mut self, topic: &Topic, effects: &mut Effects) {
        let error = ProduceError::UnknownTopic { topic: topic.route.name.to_string() };
        for index in &topic.slots {
            let Some(slot) = self.slots.get_mut(*index) else { continue };
            let given_up = slot.abandon(&error);
            slot.route.leader = None;
            self.finish(given_up, effects);
            self.vacant.push(*index);
        }
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
