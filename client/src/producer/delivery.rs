//! What becomes of one record: a share in its batch's one outcome, without an allocation of its own.
//!
//! What always holds: an outcome is set once; everybody who waits then is woken.

use crate::ProduceError;
use parking_lot::Mutex;
use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Where a record went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// The record's offset; -1 under [`Acks::None`](crate::Acks::None), where nobody says.
    pub offset: i64,
    /// The record's timestamp in the log, in ms since the epoch; the broker's time where the topic says so.
    pub timestamp_ms: i64,
}

/// What the broker said about a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Of the first record; -1 where nobody says.
    pub(crate) base_offset: i64,
    /// Where the broker stamps it.
    pub(crate) append_time_ms: Option<i64>,
}

/// The outcome of one batch, shared by the deliveries of its records and by those who flush.
#[derive(Debug)]
pub(crate) struct BatchOutcome {
    topic: Arc<str>,
    partition: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Pending(Vec<Waiter>),
    Resolved(Result<Appended, ProduceError>),
}

/// A task that waits.
#[derive(Debug)]
struct Waiter {
    waker: Waker,
    /// Several deliveries count on this waker: none of them may replace it.
    shared: bool,
}

impl BatchOutcome {
    pub(crate) fn new(topic: Arc<str>, partition: u32) -> Self {
        Self { topic, partition, state: Mutex::new(State::Pending(Vec::new())) }
    }

    /// Sets the outcome and wakes everybody. A second outcome is ignored.
    pub(crate) fn resolve(&self, result: Result<Appended, ProduceError>) {
        let wakers = {
            let mut state = self.state.lock();
            match &mut *state {
                State::Resolved(_) => return,
                State::Pending(wakers) => {
                    let wakers = mem::take(wakers);
                    *state = State::Resolved(result);
                    wakers
                }
            }
        };
        wakers.into_iter().for_each(|waiter| waiter.waker.wake());
    }

    /// `slot` is where the caller's waker stands, so that polling again replaces it.
    fn poll<T>(
        &self,
        slot: &mut Option<usize>,
        context: &Context<'_>,
        then: impl FnOnce(&Result<Appended, ProduceError>) -> T,
    ) -> Poll<T> {
        let mut state = self.state.lock();
        match &mut *state {
            State::Resolved(result) => Poll::Ready(then(result)),
            State::Pending(wakers) => {
                let waker = context.waker();
                match slot.and_then(|slot| wakers.get_mut(slot)) {
                    Some(waiter) if waiter.waker.will_wake(waker) => return Poll::Pending,
                    Some(waiter) if !waiter.shared => {
                        waiter.waker.clone_from(waker);
                        return Poll::Pending;
                    }
                    _ => {}
                }
                match wakers.last_mut() {
                    // A task that waits for many records of the batch in turn is noted once.
                    Some(last) if last.waker.will_wake(waker) => last.shared = true,
                    _ => {
                        *slot = Some(wakers.len());
                        wakers.push(Waiter { waker: waker.clone(), shared: false });
                    }
                }
                Poll::Pending
            }
        }
    }

    /// Waits until the outcome is set, whatever it is.
    pub(crate) async fn wait(&self) {
        let mut slot = None;
        std::future::poll_fn(|context| self.poll(&mut slot, context, |_| ())).await;
    }
}

/// Resolves when the record is acknowledged, or certainly will not be, or when nobody can know any more: at the
/// latest when the delivery timeout has passed. Dropping it changes nothing about the record.
#[derive(Debug)]
#[must_use = "the record's outcome is here; drop it explicitly if it does not matter"]
pub struct Delivery {
    outcome: Arc<BatchOutcome>,
    /// Of the record in its batch.
    index: i32,
    timestamp_ms: i64,
    waker_slot: Option<usize>,
}

impl Delivery {
    pub(crate) fn new(outcome: Arc<BatchOutcome>, index: i32, timestamp_ms: i64) -> Self {
        Self { outcome, index, timestamp_ms, waker_slot: None }
    }
}

impl Future for Delivery {
    type Output = Result<Delivered, ProduceError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let outcome = &this.outcome;
        outcome.poll(&mut this.waker_slot, context, |result| {
            result.as_ref().map_err(Clone::clone).map(|appended| Delivered {
                topic: Arc::clone(&outcome.topic),
                partition: outcome.partition,
                offset: match appended.base_offset {
                    -1 => -1,
                    base => base.saturating_add(i64::from(this.index)),
                },
                timestamp_ms: appended.append_time_ms.unwrap_or(this.timestamp_ms),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Arc<BatchOutcome> {
        Arc::new(BatchOutcome::new("t".into(), 3))
    }

    #[tokio::test]
    async fn every_record_of_a_batch_learns_its_own_offset() {
        let outcome = outcome();
        let deliveries: Vec<_> =
            (0..3).map(|index| Delivery::new(Arc::clone(&outcome), index, 100 + i64::from(index))).collect();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let mut offsets = Vec::new();
            for delivery in deliveries {
                let delivered = delivery.await.unwrap();
                offsets.push((delivered.partition, delivered.offset, delivered.timestamp_ms));
            }
            offsets
        });
        tokio::task::yield_now().await;
        outcome.resolve(Ok(Appended { base_offset: 40, append_time_ms: None }));
        outcome.resolve(Err(ProduceError::Closed));
        assert_eq!(tasks.join_next().await.unwrap().unwrap(), [(3, 40, 100), (3, 41, 101), (3, 42, 102)]);
    }

    #[test]
    fn a_delivery_that_moves_takes_no_waker_away_from_others() {
        struct Count(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let counts = [0, 1].map(|_| Arc::new(Count(std::sync::atomic::AtomicUsize::new(0))));
        let wakers = counts.clone().map(Waker::from);
        let outcome = outcome();
        let mut deliveries = [0, 1].map(|index| Delivery::new(Arc::clone(&outcome), index, 0));
        let mut poll = |delivery: usize, task: usize| {
            Pin::new(&mut deliveries[delivery]).poll(&mut Context::from_waker(&wakers[task])).is_ready()
        };
        // Both wait in task 0, then the first moves to task 1.
        assert!(!poll(0, 0) && !poll(1, 0) && !poll(0, 1));
        outcome.resolve(Err(ProduceError::Closed));
        assert!(counts.iter().all(|count| count.0.load(std::sync::atomic::Ordering::Relaxed) == 1));
    }

    #[tokio::test]
    async fn a_moved_delivery_wakes_its_new_owner() {
        let outcome = outcome();
        let mut delivery = Delivery::new(Arc::clone(&outcome), 0, 1);
        let first = tokio::time::timeout(std::time::Duration::from_millis(5), &mut delivery).await;
        assert!(first.is_err());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(delivery);
        tokio::task::yield_now().await;
        outcome.resolve(Ok(Appended { base_offset: -1, append_time_ms: Some(9) }));
        let delivered = tasks.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!((delivered.offset, delivered.timestamp_ms), (-1, 9));
    }
}
