//! What brokers push: batches that continue a partition, and refusals that say how it goes on.

use super::{Event, State};
use crate::{
    ConsumeError, OutOfRange,
    consumer::received::{Received, check_run},
    retry::code_of,
};
use cairn_proto::{
    record::Batch,
    v1::{ErrorCode, FetchResponse},
};
use std::time::Instant;

impl State {
    /// Takes a message of a broker, whose batches have been parsed and their checksums checked already. Returns whether the
    /// leader may be elsewhere.
    pub(in crate::consumer) fn received(
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

    pub(in crate::consumer) fn fail(&mut self, index: usize, error: ConsumeError) {
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
}
