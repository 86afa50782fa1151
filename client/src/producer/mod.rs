//! Sends records: order kept, each once, memory bounded.
//!
//! ```text
//! send ─► buffer permit ─► batcher (open, closed) ─► window (sequence, ≤ 5 in flight) ─► queue of the leader
//!                          one per partition, behind one lock                              │ taken by the transport
//! delivery ◄─ outcome of the batch ◄─ window ◄─ answers ◄─ one task per broker ◄───────────┘
//! ```
//!
//! What always holds: a batch that was handed over resolves exactly once, at the latest one tick after the delivery
//! timeout, on a drop or a close; the bytes it reserved are given back then.

mod builder;
mod delivery;
mod driver;
mod encode;
mod identity;
mod session;
mod slot;
mod state;
mod window;

pub use builder::ProducerBuilder;
pub(crate) use builder::ProducerOptions;
pub(crate) use delivery::{Appended, BatchOutcome};
pub use delivery::{Delivered, Delivery};

use crate::{
    Acks, ProduceError, Record,
    client::{Core, Handle},
    clock,
    config::RECORD_OVERHEAD_BYTES,
    routing::RouteError,
};
use parking_lot::Mutex;
use state::{Effects, State};
use std::{sync::Arc, task::Waker, time::Duration};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use window::Identity;

/// Sends records. Cheap to clone; clones share one buffer and one order.
///
/// A drop of the last clone never blocks: what is pending resolves as
/// [`OutcomeUnknown`](ProduceError::OutcomeUnknown) if it may have been sent, else as
/// [`Closed`](ProduceError::Closed). Call [`close`](Self::close) to wait for it instead.
#[derive(Clone, Debug)]
pub struct Producer {
    guard: Arc<Guard>,
}

/// Ends the producer with its last handle; no task holds it.
#[derive(Debug)]
struct Guard {
    shared: Arc<Shared>,
    _client: Arc<Handle>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// What handles and tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    core: Arc<Core>,
    options: ProducerOptions,
    /// One permit for each byte of the buffer.
    buffer: Semaphore,
    state: Mutex<State>,
    driver: Notify,
    /// The tasks that carry batches to brokers.
    sessions: TaskTracker,
    stop: CancellationToken,
}

impl Shared {
    fn new(core: Arc<Core>, options: ProducerOptions, identity: Option<Identity>) -> Self {
        Self {
            buffer: Semaphore::new(options.buffer_bytes),
            state: Mutex::new(State::new(options.clone(), identity)),
            driver: Notify::new(),
            sessions: TaskTracker::new(),
            stop: core.stop.child_token(),
            core,
            options,
        }
    }

    /// Changes the state under its lock, then does what follows from it.
    fn change<T>(&self, change: impl FnOnce(&mut State, &mut Effects) -> T) -> T {
        let mut effects = Effects::default();
        let result = change(&mut self.state.lock(), &mut effects);
        self.run(effects);
        result
    }

    fn run(&self, effects: Effects) {
        let freed: usize = effects.finished.iter().map(|finished| finished.reserved_bytes).sum();
        if freed > 0 {
            self.buffer.add_permits(freed);
        }
        for finished in effects.finished {
            finished.outcome.resolve(finished.result);
        }
        effects.wake.into_iter().for_each(Waker::wake);
        if effects.driver {
            self.driver.notify_one();
        }
        if effects.reroute {
            self.core.routing.refresh(None);
        }
    }

    /// Ends everything at once.
    fn end(&self) {
        self.buffer.close();
        self.change(State::abandon);
        self.stop.cancel();
    }
}

impl Producer {
    fn new(shared: Arc<Shared>, client: Arc<Handle>) -> Self {
        Self { guard: Arc::new(Guard { shared, _client: client }) }
    }

    /// Hands a record over. Waits only for room in the buffer and, for a topic's first record, for its routing; the
    /// [`Delivery`] resolves when the record is acknowledged, and may be dropped.
    ///
    /// # Errors
    /// The record cannot be sent: see [`ProduceError`]. Nothing was appended.
    pub async fn send(&self, record: Record) -> Result<Delivery, ProduceError> {
        let shared = &*self.guard.shared;
        let bytes = shared.buffer_bytes(&record)?;
        let permit = match shared.buffer.try_acquire_many(bytes) {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => return Err(ProduceError::Closed),
            Err(TryAcquireError::NoPermits) => {
                // What is collected would otherwise wait for company that cannot come.
                shared.change(State::hurry);
                shared.buffer.acquire_many(bytes).await.or(Err(ProduceError::Closed))?
            }
        };
        loop {
            if let Some(delivery) = shared.append(&record, &permit)? {
                permit.forget();
                return Ok(delivery);
            }
            let route = shared.core.route(&record.topic).await.map_err(|error| match error {
                RouteError::Missing => ProduceError::UnknownTopic { topic: record.topic.to_string() },
                RouteError::Unreachable(reason) => ProduceError::Unreachable(reason),
                RouteError::Closed => ProduceError::Closed,
            })?;
            shared.state.lock().add_topic(&route);
        }
    }

    /// [`send`](Self::send) that refuses where that would wait.
    ///
    /// # Errors
    /// As for `send`; [`BufferFull`](ProduceError::BufferFull) and [`RoutingUnknown`](ProduceError::RoutingUnknown)
    /// where it would wait.
    pub fn try_send(&self, record: Record) -> Result<Delivery, ProduceError> {
        let shared = &*self.guard.shared;
        let bytes = shared.buffer_bytes(&record)?;
        let permit = match shared.buffer.try_acquire_many(bytes) {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => return Err(ProduceError::Closed),
            Err(TryAcquireError::NoPermits) => {
                shared.change(State::hurry);
                return Err(ProduceError::BufferFull { buffer_bytes: shared.options.buffer_bytes });
            }
        };
        let mut delivery = shared.append(&record, &permit)?;
        if delivery.is_none() {
            let table = shared.core.routing.table();
            let Some(route) = table.topic(&record.topic) else {
                shared.core.routing.refresh(Some(&record.topic));
                return Err(ProduceError::RoutingUnknown { topic: record.topic.to_string() });
            };
            shared.state.lock().add_topic(route);
            delivery = shared.append(&record, &permit)?;
        }
        permit.forget();
        delivery.ok_or(ProduceError::Closed)
    }

    /// Sends everything at once and waits until all that was handed over before this call is answered, one way or
    /// the other; the deliveries say which.
    pub async fn flush(&self) {
        let outcomes = self.guard.shared.change(|state, effects| {
            state.hurry(effects);
            state.outcomes()
        });
        for outcome in outcomes {
            outcome.wait().await;
        }
    }

    /// Refuses further records and flushes. What is not answered by the deadline resolves as it would on a drop.
    ///
    /// # Errors
    /// [`TimedOut`](ProduceError::TimedOut) when the deadline passed first.
    pub async fn close(&self, deadline: Duration) -> Result<(), ProduceError> {
        let shared = &self.guard.shared;
        shared.state.lock().close();
        shared.buffer.close();
        let flushed = tokio::time::timeout(deadline, async {
            self.flush().await;
            if shared.options.acks == Acks::None {
                // Nobody answers: the broker has everything when it ends its side of the streams.
                shared.change(State::abandon);
                shared.sessions.close();
                shared.sessions.wait().await;
            }
        })
        .await;
        shared.end();
        let reason = "not everything was answered; the deliveries say what was".to_owned();
        flushed.map_err(|_elapsed| ProduceError::TimedOut { timeout: deadline, reason })
    }
}

impl Shared {
    /// What the record takes of the buffer.
    fn buffer_bytes(&self, record: &Record) -> Result<u32, ProduceError> {
        let bytes = record.payload_bytes().saturating_add(RECORD_OVERHEAD_BYTES);
        match u32::try_from(bytes) {
            Ok(permits) if bytes <= self.options.buffer_bytes => Ok(permits),
            _ => Err(ProduceError::RecordTooLarge {
                batch_bytes: bytes,
                limit: "buffer_bytes",
                limit_bytes: self.options.buffer_bytes,
            }),
        }
    }

    fn append(
        &self,
        record: &Record,
        permit: &SemaphorePermit<'_>,
    ) -> Result<Option<Delivery>, ProduceError> {
        let timestamp_ms = record.timestamp_ms.unwrap_or_else(clock::wall_ms);
        self.change(|state, effects| state.append(record, timestamp_ms, permit.num_permits(), effects))
    }
}
