//! The one point that every call passes before it does anything: named limits, and the door that closes at shutdown.
//! What is admitted holds a permit; the sum of the permits never exceeds the limit (I43).

use crate::clock::{Monotonic, SharedClock};
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio_util::sync::CancellationToken;

/// Who calls. Today everybody is anonymous; authentication will fill this in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody asked.
    Anonymous,
}

/// Where a call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// The gRPC listener for clients.
    Grpc,
    /// The listener for clients of the Kafka protocol.
    Kafka,
}

/// What is known about a call, whatever it asks for.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who calls.
    pub principal: Principal,
    /// What the client calls itself; only for people to read.
    pub client_id: Arc<str>,
    /// Where the call came in.
    pub listener: ListenerKind,
    /// When the caller stops waiting. `None` for a stream, which has no end.
    pub deadline: Option<Monotonic>,
}

/// Limits of the service layer; each has a configuration key of the same name, where its default and range stand.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table of keys documents each of them, once")]
pub struct Limits {
    pub request_memory_bytes_max: usize,
    pub produce_stream_bytes_max: usize,
    pub produce_stream_requests_max: usize,
    pub subscriptions_per_stream_max: usize,
    pub fetch_response_bytes: usize,
    pub fetch_response_bytes_max: usize,
    pub offset_queries_max: usize,
    pub watch_topics_max: usize,
    pub cold_reads_max: usize,
    pub default_partitions: u32,
    pub default_replication_factor: u32,
    pub offsets_topic_partitions: u32,
    pub partitions_per_topic_max: u32,
    pub partitions_max: u32,
    pub request_timeout: Duration,
}

/// Why a call was turned away before it did anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The broker stops.
    #[error("the broker is shutting down; nothing was done: reconnect and try again")]
    ShuttingDown,
    /// More than one request may hold.
    #[error("{what} of {given}, at most {max} are allowed ({limit})")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much the request has.
        given: usize,
        /// How much it may have.
        max: usize,
        /// The configuration key.
        limit: &'static str,
    },
}

impl Refusal {
    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::ShuttingDown)
    }
}

/// Bytes in flight; given back when dropped.
#[derive(Debug)]
pub struct MemoryPermit {
    _global: OwnedSemaphorePermit,
}

/// What a request's bytes are for. Each has the limit for itself, so that calls that wait keep no batch out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryFor {
    /// Batches to append.
    Batches,
    /// Anything else.
    Calls,
}

/// The door and its limits. Cheap to clone.
#[derive(Clone)]
pub struct Admission {
    limits: Arc<Limits>,
    clock: SharedClock,
    request_memory: Arc<Semaphore>,
    call_memory: Arc<Semaphore>,
    cold_reads: Arc<Semaphore>,
    draining: CancellationToken,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Admission {
    /// An open door.
    pub fn new(limits: Limits, clock: SharedClock) -> Self {
        Self {
            request_memory: Arc::new(Semaphore::new(limits.request_memory_bytes_max)),
            call_memory: Arc::new(Semaphore::new(limits.request_memory_bytes_max)),
            cold_reads: Arc::new(Semaphore::new(limits.cold_reads_max)),
            limits: Arc::new(limits),
            clock,
            draining: CancellationToken::new(),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Lets a call in, with the time it may take.
    ///
    /// # Errors
    /// The broker is shutting down.
    pub fn admit(&self, context: &Context) -> Result<Duration, Refusal> {
        if self.draining.is_cancelled() {
            return Err(Refusal::ShuttingDown);
        }
        Ok(context.deadline.map_or(self.limits.request_timeout, |deadline| deadline.since(self.clock.now())))
    }

    /// Waits until so many bytes of batches may be in flight.
    ///
    /// # Errors
    /// They never may, or the broker is shutting down.
    pub async fn request_memory(&self, bytes: usize) -> Result<MemoryPermit, Refusal> {
        self.memory(MemoryFor::Batches, bytes).await
    }

    /// Waits until so many bytes of requests of this kind may be in flight.
    ///
    /// # Errors
    /// They never may, or the broker is shutting down.
    pub async fn memory(&self, purpose: MemoryFor, bytes: usize) -> Result<MemoryPermit, Refusal> {
        let semaphore = match purpose {
            MemoryFor::Batches => &self.request_memory,
            MemoryFor::Calls => &self.call_memory,
        };
        let global = take(semaphore, bytes, self.limits.request_memory_bytes_max);
        // The permit first: where there is memory, nobody queues up for the door as well.
        tokio::select! {
            biased;
            permit = global => Ok(MemoryPermit { _global: permit? }),
            () = self.draining.cancelled() => Err(Refusal::ShuttingDown),
        }
    }

    /// Waits for one of the reads that may wait for the disk. `None` never happens while the broker lives.
    pub async fn cold_read(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.cold_reads).acquire_owned().await.ok()
    }

    /// Bytes of batches in flight now.
    pub fn request_memory_used(&self) -> usize {
        self.limits.request_memory_bytes_max.saturating_sub(self.request_memory.available_permits())
    }

    /// Closes the door: everything new is refused, streams end once their replies are out.
    pub fn close(&self) {
        self.draining.cancel();
    }

    /// Ends when the door closes.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }
}

/// Permits for `bytes` of a semaphore that has `max` in all. The fast path takes no place in the queue.
pub(super) async fn take(
    semaphore: &Arc<Semaphore>,
    bytes: usize,
    max: usize,
) -> Result<OwnedSemaphorePermit, Refusal> {
    let refusal =
        Refusal::TooMuch { what: "batch bytes", given: bytes, max, limit: "request-memory-bytes-max" };
    let wanted = u32::try_from(bytes).ok().filter(|_| bytes <= max).ok_or(refusal)?;
    match Arc::clone(semaphore).try_acquire_many_owned(wanted) {
        Ok(permit) => Ok(permit),
        Err(TryAcquireError::Closed) => Err(Refusal::ShuttingDown),
        Err(TryAcquireError::NoPermits) => match Arc::clone(semaphore).acquire_many_owned(wanted).await {
            Ok(permit) => Ok(permit),
            Err(_closed) => Err(Refusal::ShuttingDown),
        },
    }
}
