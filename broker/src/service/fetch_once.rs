//! One answer to one question about many partitions: what there is, or a wait until there is enough of it. Partitions
//! with nothing more to read are waited for in their own lists; a question that waits costs one timer, and no task.
//!
//! What always holds: nothing is skipped and nothing comes twice, since every partition is read from the offset that was
//! asked for; at least one batch is returned where there is one; all waiting is taken back when the answer is made.

use super::{Broker, Context, Refusal, ready_queue::ReadyQueue};
use crate::replication::{FetchError, FetchWaker, Read, ReadRequest, Residency};
use std::{sync::Arc, time::Duration};

/// The question.
#[derive(Clone, Debug)]
pub struct FetchOnce {
    /// Where to read, in the order of their claim to the bytes; `bytes_max` is a partition's own limit.
    pub partitions: Vec<ReadRequest>,
    /// Bytes of all batches together, one batch excepted.
    pub bytes_max: usize,
    /// So many are waited for.
    pub bytes_min: usize,
    /// So long.
    pub wait_max: Duration,
}

impl Broker {
    /// Answers for every partition, in their order.
    ///
    /// # Errors
    /// The broker is shutting down. A partition's own error is that answer's; it is not waited with.
    pub async fn fetch_once(
        &self,
        context: &Context,
        wanted: FetchOnce,
    ) -> Result<Vec<Result<Read, FetchError>>, Refusal> {
        self.admission().admit(context)?;
        let mut fetch = Fetch::new(self, wanted);
        fetch.read_all().await;
        if !fetch.is_enough() && !fetch.wait_max.is_zero() {
            fetch.wait().await;
        }
        Ok(fetch.answer())
    }
}

struct Fetch<'a> {
    broker: &'a Broker,
    ready: Arc<ReadyQueue>,
    waker: Arc<dyn FetchWaker>,
    places: Vec<Place>,
    bytes_max: usize,
    bytes_min: usize,
    wait_max: Duration,
}

struct Place {
    request: ReadRequest,
    outcome: Result<Read, FetchError>,
    parked: bool,
}

impl Place {
    fn bytes(&self) -> usize {
        self.outcome.as_ref().map_or(0, |read| read.batches.len())
    }

    /// Everything that there is has been read: only news can add to it.
    fn is_at_end(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|read| read.next_offset >= read.high_watermark)
    }
}

impl<'a> Fetch<'a> {
    fn new(broker: &'a Broker, wanted: FetchOnce) -> Self {
        let ready = Arc::new(ReadyQueue::default());
        let waker: Arc<dyn FetchWaker> = ready.clone();
        let FetchOnce { partitions, bytes_max, bytes_min, wait_max } = wanted;
        let place = |request| Place { request, outcome: Err(FetchError::WouldBlock), parked: false };
        let places = partitions.into_iter().map(place).collect();
        let bytes_max = bytes_max.min(broker.limits().fetch_response_bytes_max);
        Self { broker, ready, waker, places, bytes_max, bytes_min, wait_max }
    }

    async fn read_all(&mut self) {
        let mut bytes = 0;
        for index in 0..self.places.len() {
            bytes += self.read(index, bytes).await;
        }
    }

    /// Reads one partition, `others` bytes of the limit being used; the bytes of it.
    async fn read(&mut self, index: usize, others: usize) -> usize {
        let Some(place) = self.places.get_mut(index) else { return 0 };
        let mut request = place.request;
        // The first batch comes whatever its size.
        let left = if others == 0 { self.bytes_max.max(1) } else { self.bytes_max.saturating_sub(others) };
        request.bytes_max = request.bytes_max.max(1).min(left);
        place.outcome = match self.broker.replicas().read(&request, Residency::Required) {
            Err(FetchError::WouldBlock) => self.broker.read_blocking(request).await,
            outcome => outcome,
        };
        place.bytes()
    }

    fn bytes(&self) -> usize {
        self.places.iter().map(Place::bytes).sum()
    }

    /// Whether waiting would be wrong, or of no use.
    fn is_enough(&self) -> bool {
        let refused = self.places.iter().any(|place| place.outcome.is_err());
        refused || self.bytes() >= self.bytes_min || !self.places.iter().any(Place::is_at_end)
    }

    async fn wait(&mut self) {
        let draining = self.broker.admission().draining().clone();
        let end = tokio::time::sleep(self.wait_max);
        tokio::pin!(end);
        (0..self.places.len()).for_each(|index| self.park(index));
        while !self.is_enough() {
            let ready = Arc::clone(&self.ready);
            tokio::select! {
                biased;
                () = ready.pushed() => {}
                () = &mut end => return,
                () = draining.cancelled() => return,
            }
            while let Some(index) = self.ready.pop().and_then(|token| usize::try_from(token).ok()) {
                let Some(place) = self.places.get_mut(index) else { continue };
                place.parked = false;
                let others = self.bytes().saturating_sub(self.places.get(index).map_or(0, Place::bytes));
                self.read(index, others).await;
                self.park(index);
            }
        }
    }

    /// Waits for news of a partition that has been read to its end; what is there already is news.
    fn park(&mut self, index: usize) {
        let Some(place) = self.places.get_mut(index).filter(|place| place.is_at_end()) else { return };
        let Ok(read) = &place.outcome else { return };
        let (partition, offset) = (place.request.partition, read.next_offset);
        let token = u64::try_from(index).unwrap_or(u64::MAX);
        place.parked = self.broker.replicas().wait_readable(partition, offset, &self.waker, token);
        if !place.parked {
            self.ready.push(token);
        }
    }

    fn answer(mut self) -> Vec<Result<Read, FetchError>> {
        self.leave();
        std::mem::take(&mut self.places).into_iter().map(|place| place.outcome).collect()
    }

    fn leave(&mut self) {
        for (token, place) in (0..).zip(&mut self.places) {
            if std::mem::take(&mut place.parked) {
                self.broker.replicas().cancel_wait(place.request.partition, &self.waker, token);
            }
        }
    }
}

impl Drop for Fetch<'_> {
    /// The client may be gone in the middle of a wait.
    fn drop(&mut self) {
        self.leave();
    }
}
