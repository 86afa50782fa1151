//! Batches from producers, admitted one by one: a batch goes on only once its bytes fit into the memory of its stream and
//! of the whole broker, and that memory is given back when the reply is there.
//!
//! What always holds: whatever was handed to a partition is answered exactly once, also when the stream is gone; a client
//! that does not read its replies stops only itself.

use super::{AppliedImages, Broker, Context, MemoryPermit, Refusal, admission::take};
use crate::replication::{ProduceError, ProduceRequest, Produced};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A place among the unanswered requests of a stream: held until the reply is written.
#[derive(Debug)]
pub struct ReplyPlace {
    _place: OwnedSemaphorePermit,
}

/// One producer's stream.
#[derive(Debug)]
pub struct ProduceSession {
    broker: Broker,
    bytes: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Broker {
    /// Opens a stream.
    ///
    /// # Errors
    /// The broker is shutting down.
    pub fn produce(&self, context: &Context) -> Result<ProduceSession, Refusal> {
        self.admission().admit(context)?;
        let limits = self.limits();
        Ok(ProduceSession {
            broker: self.clone(),
            bytes: Arc::new(Semaphore::new(limits.produce_stream_bytes_max)),
            places: Arc::new(Semaphore::new(limits.produce_stream_requests_max)),
        })
    }
}

impl Broker {
    /// Hands a client's batch to its partition. `done` is called exactly once.
    pub(super) fn append(
        &self,
        request: ProduceRequest,
        done: impl FnOnce(Result<Produced, ProduceError>) + Send + 'static,
    ) {
        let is_internal = |images: &AppliedImages| {
            images.borrow().topic(request.partition.topic).is_some_and(|topic| topic.internal)
        };
        if is_internal(&self.inner.parts.images) {
            return done(Err(ProduceError::InternalTopic));
        }
        self.replicas().produce(request, Box::new(done));
    }
}

impl ProduceSession {
    /// Waits for a place for one more reply; `None` never happens while the session lives.
    pub async fn place(&self) -> Option<ReplyPlace> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(ReplyPlace { _place: place })
    }

    /// Waits for memory, then hands the batch to its partition. `done` is called exactly once, perhaps before this
    /// returns, on whatever thread knows the outcome; it must not block.
    ///
    /// # Errors
    /// Nothing was appended and `done` is not called: it is given back.
    pub async fn send<D>(&self, request: ProduceRequest, done: D) -> Result<(), (Refusal, D)>
    where
        D: FnOnce(Result<Produced, ProduceError>) + Send + 'static,
    {
        let permits = match self.permits(request.batch.len()).await {
            Ok(permits) => permits,
            Err(refusal) => return Err((refusal, done)),
        };
        let broker = self.broker.clone();
        let admitted = broker.clock().now();
        broker.metrics().produce_requests.inc();
        broker.metrics().produce_bytes.inc_by(u64::try_from(request.batch.len()).unwrap_or(u64::MAX));
        let complete = move |outcome: Result<Produced, ProduceError>| {
            drop(permits);
            if let Some(histogram) = &broker.metrics().produce_seconds {
                histogram.observe(broker.clock().now().since(admitted).as_secs_f64());
            }
            broker.maintenance().wake();
            done(outcome);
        };
        self.broker.append(request, complete);
        Ok(())
    }

    /// First the stream's own memory, then the broker's: a stream that waits for itself holds nothing that others need.
    async fn permits(&self, bytes: usize) -> Result<(OwnedSemaphorePermit, MemoryPermit), Refusal> {
        let max = self.broker.limits().produce_stream_bytes_max;
        let draining = self.broker.admission().draining();
        let own = tokio::select! {
            biased;
            own = take(&self.bytes, bytes, max) => own?,
            () = draining.cancelled() => return Err(Refusal::ShuttingDown),
        };
        Ok((own, self.broker.admission().request_memory(bytes).await?))
    }
}
