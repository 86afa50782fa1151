//! What becomes due: batches that wait for company, partitions that wait before they repeat, deliveries that take too long.

use super::{Effects, State};
use std::time::{Duration, Instant};

impl State {
    /// Decides how long the batch that was just opened waits for company.
    pub(super) fn opened(&mut self, index: usize, number: u64, now: Instant, effects: &mut Effects) {
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
    pub(super) fn arm(&mut self, at: Instant, effects: &mut Effects) {
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            effects.driver = true;
        }
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
}
