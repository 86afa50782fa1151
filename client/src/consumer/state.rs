//! The assigned partitions of one consumer and what has arrived for them, behind one short lock. Pure: messages and times
//! in, requests and events out.
//!
//! What always holds: events of one partition come in the order of its offsets, without a gap that the log does not have;
//! what arrives for a place that was left (by a seek, a pause, a new subscription) is dropped; what was pushed and not yet
//! taken, and what may still be pushed, is together at most the buffer, but for one batch per partition.

mod arrived;
mod assigned;
mod control;

pub(super) use assigned::Assigned;

use crate::{ConsumeError, OutOfRange, routing::RoutingTable};
use cairn_proto::{
    record::Batch,
    v1::{FetchRequest, Subscribe},
};
use std::{
    collections::{HashMap, VecDeque},
    task::Waker,
    time::Instant,
};

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

    /// Takes news of leaders and topics.
    pub(super) fn reroute(&mut self, table: &RoutingTable) {
        for index in 0..self.partitions.len() {
            let Some(one) = self.partitions.get_mut(index).filter(|one| !one.removed) else { continue };
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
