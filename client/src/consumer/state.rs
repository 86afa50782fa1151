//! The assigned partitions of one consumer and what has arrived for them, behind one short lock. Pure: messages and times
//! in, requests and events out.
//!
//! What always holds: events of one partition come in the order of its offsets, without a gap that the log does not have;
//! what arrives for a place that was left (by a seek, a pause, a new subscription) is dropped; what was pushed and not yet
//! taken, and what may still be pushed, is together at most the buffer, but for one batch per partition.

use super::received::{Received, check_run};
use crate::{
    ConsumeError, OutOfRange,
    retry::{Backoff, code_name, code_of},
    routing::{PartitionRoute, RoutingTable, TopicRoute},
};
use bytes::Bytes;
use cairn_proto::{
    record::Batch,
    v1::{ErrorCode, FetchRequest, FetchResponse, Subscribe},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    task::Waker,
    time::Instant,
};

/// One partition.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) topic: Arc<str>,
    topic_id: Bytes,
    pub(super) partition: u32,
    route: PartitionRoute,
    /// Behind everything that has arrived.
    fetch_offset: i64,
    /// The leader epoch of the record before it, -1 unknown.
    last_epoch: i32,
    pub(super) high_watermark: i64,
    /// The subscription that serves it now; 0 for none.
    subscription: u32,
    paused: bool,
    /// The application was told of an error and has to seek.
    stopped: bool,
    retry_at: Option<Instant>,
    backoff: Backoff,
}

impl Assigned {
    pub(super) fn new(route: &TopicRoute, partition: u32, offset: i64, high_watermark: i64) -> Self {
        Self {
            topic: Arc::clone(&route.name),
            topic_id: route.topic_id.clone(),
            partition,
            route: route.partition(partition).unwrap_or(PartitionRoute { leader: None, leader_epoch: -1 }),
            fetch_offset: offset,
            last_epoch: -1,
            high_watermark,
            subscription: 0,
            paused: false,
            stopped: false,
            retry_at: None,
            backoff: Backoff::retrying(),
        }
    }

    pub(super) fn fetch_offset(&self) -> i64 {
        self.fetch_offset
    }

    fn wants(&self, broker: u32, now: Instant) -> bool {
        !self.paused
            && !self.stopped
            && self.route.leader == Some(broker)
            && self.subscription == 0
            && self.retry_at.is_none_or(|at| at <= now)
    }

    fn error(&self, code: ErrorCode, response: &FetchResponse) -> ConsumeError {
        let (topic, partition, offset) = (self.topic.to_string(), self.partition, self.fetch_offset);
        let reason = response.message.clone();
        match code {
            ErrorCode::OffsetOutOfRange => ConsumeError::OffsetOutOfRange {
                topic,
                partition,
                offset,
                log_start: response.log_start_offset,
                high_watermark: response.high_watermark,
            },
            ErrorCode::Damaged => ConsumeError::Damaged {
                topic,
                partition,
                damaged_from: response.damaged_from,
                damaged_to: response.damaged_to,
                reason,
            },
            ErrorCode::LogTruncated => ConsumeError::LogTruncated { topic, partition, offset, reason },
            code => ConsumeError::Refused { topic, partition, code: code_name(code), reason },
        }
    }
}

/// What the application gets next.
#[derive(Debug)]
pub(super) enum Event {
    /// By partition: batches, the first wanted offset and the one behind, and the broker whose credit it took.
    Records {
        index: usize,
        batches: Vec<Batch>,
        offsets: (i64, i64),
        broker: u32,
    },
    /// The policy for offsets out of range moved the partition here.
    Moved {
        index: usize,
        offset: i64,
    },
    Failed {
        index: usize,
        error: ConsumeError,
    },
}

impl Event {
    fn index(&self) -> usize {
        match self {
            Self::Records { index, .. } | Self::Moved { index, .. } | Self::Failed { index, .. } => *index,
        }
    }
}

/// One broker's connection.
#[derive(Debug, Default)]
struct Lane {
    /// Subscriptions on the connection that is open now, with their partitions.
    subscriptions: HashMap<u32, usize>,
    /// Bytes granted and not yet pushed.
    credit_bytes: usize,
    /// Bytes pushed and not yet taken by the application.
    buffered_bytes: usize,
    /// Something may have to be subscribed or ended.
    stale: bool,
}

/// See the top of the file.
#[derive(Debug)]
pub(super) struct State {
    pub(super) partitions: Vec<Assigned>,
    events: VecDeque<Event>,
    lanes: HashMap<u32, Lane>,
    /// The buffer is shared among as many brokers.
    leader_count: usize,
    /// Some partition may wait to be subscribed again.
    retrying: bool,
    next_subscription: u32,
    buffer_bytes: usize,
    policy: OutOfRange,
    pub(super) waker: Option<Waker>,
    pub(super) closed: bool,
}

impl State {
    pub(super) fn new(partitions: Vec<Assigned>, buffer_bytes: usize, policy: OutOfRange) -> Self {
        let mut state = Self {
            partitions,
            events: VecDeque::new(),
            lanes: HashMap::new(),
            leader_count: 1,
            retrying: false,
            next_subscription: 1,
            buffer_bytes,
            policy,
            waker: None,
            closed: false,
        };
        state.leader_count = state.leaders().len().max(1);
        state
    }

    /// The brokers that lead something of the assignment.
    pub(super) fn leaders(&self) -> Vec<u32> {
        let mut leaders: Vec<u32> = self.partitions.iter().filter_map(|one| one.route.leader).collect();
        leaders.sort_unstable();
        leaders.dedup();
        leaders
    }

    /// Whether a connection to this broker would have anything to do.
    pub(super) fn is_wanted(&self, broker: u32) -> bool {
        self.partitions.iter().any(|one| one.route.leader == Some(broker) && !one.paused && !one.stopped)
    }

    /// A new connection to this broker: nothing is subscribed there, and no credit granted.
    pub(super) fn begin_session(&mut self, broker: u32) {
        let lane = self.lanes.entry(broker).or_default();
        lane.credit_bytes = 0;
        lane.stale = true;
        for (subscription, index) in lane.subscriptions.drain() {
            if let Some(one) = self.partitions.get_mut(index)
                && one.subscription == subscription
            {
                one.subscription = 0;
            }
        }
    }

    /// What to tell the broker now, if anything.
    pub(super) fn plan(&mut self, broker: u32, now: Instant) -> Option<FetchRequest> {
        let share_bytes = self.buffer_bytes / self.leader_count;
        let lane = self.lanes.entry(broker).or_default();
        let mut request = FetchRequest::default();
        if std::mem::take(&mut lane.stale) {
            let partitions = &self.partitions;
            lane.subscriptions.retain(|subscription, index| {
                let serves = partitions.get(*index).is_some_and(|one| one.subscription == *subscription);
                if !serves {
                    request.unsubscribe.push(*subscription);
                }
                serves
            });
            for (index, one) in self.partitions.iter_mut().enumerate() {
                if one.wants(broker, now) {
                    one.subscription = self.next_subscription;
                    one.retry_at = None;
                    self.next_subscription = self.next_subscription.checked_add(1).unwrap_or(1);
                    lane.subscriptions.insert(one.subscription, index);
                    request.subscribe.push(Subscribe {
                        subscription_id: one.subscription,
                        topic_id: one.topic_id.clone(),
                        partition: one.partition,
                        offset: one.fetch_offset,
                        leader_epoch: one.route.leader_epoch,
                        last_epoch: one.last_epoch,
                        ..Subscribe::default()
                    });
                }
            }
        }
        let missing_bytes = share_bytes.saturating_sub(lane.credit_bytes).saturating_sub(lane.buffered_bytes);
        // Small grants are saved up: each is a message.
        if missing_bytes > 0 && missing_bytes >= share_bytes / 4 {
            lane.credit_bytes += missing_bytes;
            request.add_credit_bytes = u64::try_from(missing_bytes).unwrap_or(u64::MAX);
        }
        let silent =
            request.subscribe.is_empty() && request.unsubscribe.is_empty() && request.add_credit_bytes == 0;
        (!silent).then_some(request)
    }

    /// When a partition of this broker waits to be subscribed again.
    pub(super) fn next_retry(&mut self, broker: u32) -> Option<Instant> {
        if !self.retrying {
            return None;
        }
        self.retrying = self.partitions.iter().any(|one| one.retry_at.is_some());
        let mine = self.partitions.iter().filter(|one| one.route.leader == Some(broker));
        mine.filter_map(|one| one.retry_at).min()
    }

    /// A time of [`next_retry`](Self::next_retry) has come.
    pub(super) fn retry(&mut self, broker: u32) {
        self.lanes.entry(broker).or_default().stale = true;
    }

    /// Takes a message of a broker, whose batches have been parsed and their checksums checked already. Returns whether the
    /// leader may be elsewhere.
    pub(super) fn received(
        &mut self,
        broker: u32,
        response: &FetchResponse,
        received: Received,
        now: Instant,
    ) -> bool {
        let bytes = response.batches.len();
        let lane = self.lanes.entry(broker).or_default();
        lane.credit_bytes = lane.credit_bytes.saturating_sub(bytes);
        let Some(index) = lane.subscriptions.get(&response.subscription_id).copied() else { return false };
        let Some(one) = self.partitions.get_mut(index) else { return false };
        if one.subscription != response.subscription_id {
            return false;
        }
        if response.high_watermark >= 0 {
            one.high_watermark = response.high_watermark;
        }
        match code_of(response.error) {
            ErrorCode::None => {
                self.take_batches(index, broker, received);
                false
            }
            _ => self.refused(index, broker, response, now),
        }
    }

    fn take_batches(&mut self, index: usize, broker: u32, received: Received) {
        let Some(one) = self.partitions.get_mut(index) else { return };
        let checked =
            received.and_then(|batches| check_run(&batches, one.fetch_offset).map(|end| (batches, end)));
        match checked {
            Ok((batches, _)) if batches.is_empty() => one.backoff.reset(),
            Ok((batches, (next_offset, last_epoch))) => {
                let offsets = (one.fetch_offset, next_offset);
                one.fetch_offset = next_offset;
                one.last_epoch = last_epoch;
                one.backoff.reset();
                let bytes: usize = batches.iter().map(Batch::total_bytes).sum();
                self.lanes.entry(broker).or_default().buffered_bytes += bytes;
                self.push(Event::Records { index, batches, offsets, broker });
            }
            Err(reason) => {
                let error = ConsumeError::Corrupt {
                    topic: one.topic.to_string(),
                    partition: one.partition,
                    offset: one.fetch_offset,
                    reason,
                };
                self.fail(index, error);
            }
        }
    }

    fn refused(&mut self, index: usize, broker: u32, response: &FetchResponse, now: Instant) -> bool {
        let code = code_of(response.error);
        let lane = self.lanes.entry(broker).or_default();
        lane.subscriptions.remove(&response.subscription_id);
        lane.stale = true;
        let Some(one) = self.partitions.get_mut(index) else { return false };
        one.subscription = 0;
        match code {
            ErrorCode::OffsetOutOfRange => {
                let target = match self.policy {
                    OutOfRange::Error => -1,
                    OutOfRange::Earliest => response.log_start_offset,
                    OutOfRange::Latest => response.high_watermark,
                };
                if target < 0 {
                    let error = one.error(code, response);
                    self.fail(index, error);
                } else {
                    one.fetch_offset = target;
                    one.last_epoch = -1;
                    self.retrying = true;
                    one.retry_at = Some(now + one.backoff.wait(rand::random()));
                    self.push(Event::Moved { index, offset: target });
                }
                false
            }
            ErrorCode::NotLeader
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::StorageFailed
            | ErrorCode::ShuttingDown
            | ErrorCode::Throttled
            | ErrorCode::TimedOut
            | ErrorCode::Unknown => {
                self.retrying = true;
                one.retry_at = Some(now + one.backoff.wait(rand::random()));
                true
            }
            code => {
                let error = one.error(code, response);
                self.fail(index, error);
                false
            }
        }
    }

    fn fail(&mut self, index: usize, error: ConsumeError) {
        if let Some(one) = self.partitions.get_mut(index) {
            one.stopped = true;
            one.subscription = 0;
            one.retry_at = None;
            self.touch(index);
        }
        self.push(Event::Failed { index, error });
    }

    fn push(&mut self, event: Event) {
        self.events.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The next event, if there is one; the broker whose credit it gives back.
    pub(super) fn pop(&mut self) -> Option<(Event, Option<u32>)> {
        let event = self.events.pop_front()?;
        let Event::Records { batches, broker, .. } = &event else { return Some((event, None)) };
        let broker = *broker;
        let bytes: usize = batches.iter().map(Batch::total_bytes).sum();
        self.give_back(broker, bytes);
        Some((event, Some(broker)))
    }

    fn give_back(&mut self, broker: u32, bytes: usize) {
        let lane = self.lanes.entry(broker).or_default();
        lane.buffered_bytes = lane.buffered_bytes.saturating_sub(bytes);
    }

    /// Forgets what has arrived for a partition and goes on at `offset`.
    pub(super) fn seek(&mut self, index: usize, offset: i64) {
        self.discard(index, true);
        if let Some(one) = self.partitions.get_mut(index) {
            one.fetch_offset = offset;
            one.last_epoch = -1;
            one.stopped = false;
            one.retry_at = None;
            one.subscription = 0;
        }
        self.touch(index);
    }

    /// Stops pushing; what has arrived and was not given out will be asked for again.
    pub(super) fn pause(&mut self, index: usize, position: i64) {
        self.discard(index, false);
        if let Some(one) = self.partitions.get_mut(index) {
            if one.fetch_offset != position {
                one.last_epoch = -1;
            }
            one.fetch_offset = position;
            one.paused = true;
            one.subscription = 0;
            one.retry_at = None;
        }
        self.touch(index);
    }

    /// Ends a pause.
    pub(super) fn resume(&mut self, index: usize) {
        if let Some(one) = self.partitions.get_mut(index) {
            one.paused = false;
        }
        self.touch(index);
    }

    /// A run of this partition turned out malformed while it was read.
    pub(super) fn stop(&mut self, index: usize) {
        self.discard(index, false);
        if let Some(one) = self.partitions.get_mut(index) {
            one.stopped = true;
            one.subscription = 0;
            one.retry_at = None;
        }
        self.touch(index);
    }

    /// Drops what has arrived for a partition; with `errors` also those that were not given out yet.
    fn discard(&mut self, index: usize, errors: bool) {
        let mut freed = Vec::new();
        self.events.retain(|event| {
            if event.index() != index || (!errors && matches!(event, Event::Failed { .. })) {
                return true;
            }
            if let Event::Records { batches, broker, .. } = event {
                freed.push((*broker, batches.iter().map(Batch::total_bytes).sum()));
            }
            false
        });
        freed.into_iter().for_each(|(broker, bytes)| self.give_back(broker, bytes));
    }

    fn touch(&mut self, index: usize) {
        for (broker, lane) in &mut self.lanes {
            let serves = self.partitions.get(index).is_some_and(|one| one.route.leader == Some(*broker));
            lane.stale |= serves || lane.subscriptions.values().any(|served| *served == index);
        }
    }

    /// Takes news of leaders and topics.
    pub(super) fn reroute(&mut self, table: &RoutingTable) {
        for index in 0..self.partitions.len() {
            let Some(one) = self.partitions.get_mut(index) else { continue };
            let gone = match table.topic(&one.topic) {
                Some(topic) if topic.topic_id != one.topic_id => true,
                Some(topic) => {
                    let route = topic.partition(one.partition);
                    if let Some(route) = route
                        && route != one.route
                    {
                        if route.leader != one.route.leader {
                            one.subscription = 0;
                        }
                        one.route = route;
                        one.retry_at = None;
                        self.touch(index);
                    }
                    false
                }
                None => table.is_missing(&one.topic),
            };
            if gone
                && let Some(one) = self.partitions.get(index)
                && !one.stopped
            {
                let error = ConsumeError::UnknownTopic { topic: one.topic.to_string() };
                self.fail(index, error);
            }
        }
        self.leader_count = self.leaders().len().max(1);
    }
}
