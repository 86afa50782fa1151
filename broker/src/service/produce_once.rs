//! Batches whose memory was admitted before, handed to their partitions together: the answer is there when the last of
//! them has one. They are on their lanes when the call returns, so that calls one behind the other keep their order.
//!
//! What always holds: each batch is answered exactly once, also when nobody waits any more; the memory is given back with
//! the last answer, whoever still waits.

use super::{Broker, Context, MemoryPermit, Refusal};
use crate::{
    clock::Monotonic,
    replication::{ProduceError, ProduceRequest, Produced},
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

type Outcome = Result<Produced, ProduceError>;

/// Batches on their way.
#[derive(Debug)]
pub struct PendingBatches {
    shared: Arc<Mutex<Shared>>,
    complete: oneshot::Receiver<()>,
}

#[derive(Debug)]
struct Shared {
    outcomes: Vec<Option<Outcome>>,
    missing: usize,
    /// Both gone once nothing is missing.
    on_complete: Option<(MemoryPermit, oneshot::Sender<()>)>,
}

impl Broker {
    /// Hands the batches over, in their order. `memory` covers all of them.
    ///
    /// # Errors
    /// The broker is shutting down; nothing was appended.
    pub fn produce_batches(
        &self,
        context: &Context,
        memory: MemoryPermit,
        requests: Vec<ProduceRequest>,
    ) -> Result<PendingBatches, Refusal> {
        self.admission().admit(context)?;
        let admitted = self.clock().now();
        let (told, complete) = oneshot::channel();
        let missing = requests.len();
        let outcomes = (0..missing).map(|_| None).collect();
        let on_complete = (missing > 0).then_some((memory, told));
        let shared = Arc::new(Mutex::new(Shared { outcomes, missing, on_complete }));
        for (index, request) in requests.into_iter().enumerate() {
            let metrics = self.metrics();
            metrics.produce_requests.inc();
            metrics.produce_bytes.inc_by(u64::try_from(request.batch.len()).unwrap_or(u64::MAX));
            let (broker, shared) = (self.clone(), Arc::clone(&shared));
            let done = move |outcome| broker.note_outcome(&shared, (index, outcome), admitted);
            self.append(request, done);
        }
        Ok(PendingBatches { shared, complete })
    }

    fn note_outcome(&self, shared: &Mutex<Shared>, (index, outcome): (usize, Outcome), admitted: Monotonic) {
        if let Some(histogram) = &self.metrics().produce_seconds {
            histogram.observe(self.clock().now().since(admitted).as_secs_f64());
        }
        self.maintenance().wake();
        let mut shared = shared.lock();
        if let Some(place) = shared.outcomes.get_mut(index) {
            *place = Some(outcome);
        }
        shared.missing = shared.missing.saturating_sub(1);
        let finished = if shared.missing == 0 { shared.on_complete.take() } else { None };
        drop(shared);
        if let Some((memory, told)) = finished {
            drop(memory);
            // Nobody waits any more: the client is gone.
            let _ = told.send(());
        }
    }
}

impl PendingBatches {
    /// Waits until every batch has its answer, or so long. Cancel-safe.
    pub async fn wait(&mut self, patience: Duration) {
        if self.is_complete() {
            return;
        }
        // Without a sender there was nothing to wait for.
        let _ = tokio::time::timeout(patience, &mut self.complete).await;
    }

    /// Whether every batch has its answer.
    pub fn is_complete(&self) -> bool {
        self.shared.lock().missing == 0
    }

    /// The answers, in the order of the batches; `None` for those that have none yet.
    pub fn take(self) -> Vec<Option<Outcome>> {
        std::mem::take(&mut self.shared.lock().outcomes)
    }
}
