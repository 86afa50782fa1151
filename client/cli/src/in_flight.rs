//! Outcomes that are still to come, settled in the order in which they were begun while other work goes on. No task and no
//! allocation for each: the front of a queue is polled.

use std::{
    collections::VecDeque,
    future::poll_fn,
    ops::ControlFlow,
    pin::{Pin, pin},
    task::{Context, Poll},
};

/// Futures in order, each with what is to be known when it resolves.
#[derive(Debug)]
pub(crate) struct InFlight<Tag, Outcome> {
    queue: VecDeque<(Tag, Outcome)>,
}

impl<Tag, Outcome: Future + Unpin> InFlight<Tag, Outcome> {
    /// Nothing in flight.
    pub(crate) fn new() -> Self {
        Self { queue: VecDeque::new() }
    }

    /// Adds one at the back.
    pub(crate) fn push(&mut self, tag: Tag, outcome: Outcome) {
        self.queue.push_back((tag, outcome));
    }

    /// Settles from the front until one is not ready, which then wakes the caller.
    pub(crate) fn poll_settle(
        &mut self,
        context: &mut Context<'_>,
        mut settled: impl FnMut(Tag, Outcome::Output),
    ) -> Poll<()> {
        while let Some((_, outcome)) = self.queue.front_mut() {
            let Poll::Ready(output) = Pin::new(outcome).poll(context) else { return Poll::Pending };
            if let Some((tag, _)) = self.queue.pop_front() {
                settled(tag, output);
            }
        }
        Poll::Ready(())
    }

    /// Does `work` and settles meanwhile, from the front, what becomes ready.
    pub(crate) async fn meanwhile<Work: Future>(
        &mut self,
        work: Work,
        mut settled: impl FnMut(Tag, Outcome::Output),
    ) -> Work::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            let done = work.as_mut().poll(context);
            if done.is_pending() {
                // Whether all is settled does not matter: the work wakes us.
                let _ = self.poll_settle(context, &mut settled);
            }
            done
        })
        .await
    }

    /// [`meanwhile`](Self::meanwhile), given up as soon as a settled outcome says so.
    pub(crate) async fn meanwhile_unless<Work: Future>(
        &mut self,
        work: Work,
        mut settled: impl FnMut(Tag, Outcome::Output) -> ControlFlow<()>,
    ) -> ControlFlow<(), Work::Output> {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(ControlFlow::Continue(output));
            }
            let mut verdict = ControlFlow::Continue(());
            let _ = self.poll_settle(context, |tag, output| {
                if settled(tag, output).is_break() {
                    verdict = ControlFlow::Break(());
                }
            });
            if verdict.is_break() { Poll::Ready(ControlFlow::Break(())) } else { Poll::Pending }
        })
        .await
    }

    /// Settles what is ready at the front, without waiting.
    pub(crate) async fn settle_ready(&mut self, mut settled: impl FnMut(Tag, Outcome::Output)) {
        poll_fn(|context| {
            let _ = self.poll_settle(context, &mut settled);
            Poll::Ready(())
        })
        .await;
    }

    /// Waits until at most `count` are in flight.
    pub(crate) async fn settle_down_to(
        &mut self,
        count: usize,
        mut settled: impl FnMut(Tag, Outcome::Output),
    ) {
        poll_fn(|context| match self.poll_settle(context, &mut settled) {
            Poll::Pending if self.queue.len() > count => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn outcomes_settle_in_order_while_work_goes_on() {
        let mut in_flight = InFlight::new();
        let (first, outcome) = oneshot::channel();
        in_flight.push(1, outcome);
        let (second, outcome) = oneshot::channel();
        in_flight.push(2, outcome);
        let mut seen = Vec::new();
        second.send("b").unwrap();
        in_flight.settle_ready(|tag, output| seen.push((tag, output.unwrap()))).await;
        assert_eq!(seen, [], "the second waits for the first");
        let work = async {
            tokio::task::yield_now().await;
            first.send("a").unwrap();
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(in_flight.meanwhile(work, |tag, output| seen.push((tag, output.unwrap()))).await, 7);
        assert_eq!(seen, [(1, "a"), (2, "b")]);
        assert_eq!(in_flight.queue.len(), 0);
    }

    #[tokio::test]
    async fn a_bad_outcome_ends_the_wait_for_work() {
        let mut in_flight = InFlight::new();
        let (sender, outcome) = oneshot::channel();
        in_flight.push((), outcome);
        sender.send("bad").unwrap();
        let given_up = in_flight.meanwhile_unless(std::future::pending::<()>(), |(), output| {
            if output == Ok("bad") { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(given_up.await, ControlFlow::Break(()));
        let done = in_flight.meanwhile_unless(async { 7 }, |(), _| ControlFlow::Break(()));
        assert_eq!(done.await, ControlFlow::Continue(7));
    }

    #[tokio::test]
    async fn settling_down_waits_for_as_many_as_asked() {
        let mut in_flight = InFlight::new();
        let mut senders = Vec::new();
        for tag in 0..3 {
            let (sender, outcome) = oneshot::channel();
            in_flight.push(tag, outcome);
            senders.push(sender);
        }
        in_flight.settle_down_to(3, |_, _: Result<(), _>| panic!("nothing is ready")).await;
        for sender in senders.drain(..2) {
            sender.send(()).unwrap();
        }
        let mut count = 0;
        in_flight.settle_down_to(1, |_, _| count += 1).await;
        assert_eq!((count, in_flight.queue.len()), (2, 1));
        drop(senders);
        in_flight.settle_down_to(0, |tag, output| assert!(tag == 2 && output.is_err())).await;
        assert_eq!(in_flight.queue.len(), 0);
    }
}
