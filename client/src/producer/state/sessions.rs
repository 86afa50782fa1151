//! Between partitions and connections: the queue of each broker, what a connection does next, and what it brings back.

use super::{Effects, State};
use crate::{
    Acks,
    producer::{
        encode::{Stamp, Work},
        slot::Step,
    },
};
use bytes::Bytes;
use cairn_proto::{
    record::BatchError,
    v1::{ProduceRequest, ProduceResponse},
};
use std::{collections::VecDeque, task::Waker, time::Instant};

/// A request id names its partition in the bits above these.
const REQUEST_BITS: u32 = 40;

/// What a connection does next.
#[derive(Debug)]
pub(crate) enum Job {
    Send(ProduceRequest),
    /// Of a batch, by partition and number; the result goes to [`State::worked`].
    Work(usize, u64, Work),
}

/// What goes to one broker.
#[derive(Debug, Default)]
pub(super) struct Lane {
    ready: VecDeque<usize>,
    pub(super) waker: Option<Waker>,
    /// The connection that may take from it; 0 for none.
    session: u64,
    /// Whether a task looks after it.
    running: bool,
}

impl State {
    /// Puts a partition into its leader's queue if it has something to do and does not stand there already.
    pub(super) fn enqueue(&mut self, index: usize, effects: &mut Effects) {
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
}
