//! What the application asks for: seek, pause, resume; and what a group gives and takes. What has arrived for a place that is left is dropped.

use super::{Assigned, Event, State};
use cairn_proto::record::Batch;

impl State {
    /// One more partition; its number.
    pub(in crate::consumer) fn install(&mut self, assigned: Assigned) -> usize {
        let index = match self.partitions.iter_mut().enumerate().find(|(_, one)| one.removed) {
            Some((index, place)) => {
                *place = assigned;
                index
            }
            None => {
                self.partitions.push(assigned);
                self.partitions.len() - 1
            }
        };
        self.touch(index);
        index
    }

    /// This partition is not read any more; nothing of it is given out afterwards.
    pub(in crate::consumer) fn remove(&mut self, index: usize) {
        self.discard(index, true);
        self.touch(index);
        if let Some(one) = self.partitions.get_mut(index) {
            (one.removed, one.stopped) = (true, true);
            one.subscription = 0;
            one.retry_at = None;
            one.route.leader = None;
        }
    }

    /// Forgets what has arrived for a partition and goes on at `offset`.
    pub(in crate::consumer) fn seek(&mut self, index: usize, offset: i64) {
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
    pub(in crate::consumer) fn pause(&mut self, index: usize, position: i64) {
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
    pub(in crate::consumer) fn resume(&mut self, index: usize) {
        if let Some(one) = self.partitions.get_mut(index) {
            one.paused = false;
        }
        self.touch(index);
    }

    /// A run of this partition turned out malformed while it was read.
    pub(in crate::consumer) fn stop(&mut self, index: usize) {
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

    pub(super) fn touch(&mut self, index: usize) {
        for (broker, lane) in &mut self.lanes {
            let serves = self.partitions.get(index).is_some_and(|one| one.route.leader == Some(*broker));
            lane.stale |= serves || lane.subscriptions.values().any(|served| *served == index);
        }
    }
}
