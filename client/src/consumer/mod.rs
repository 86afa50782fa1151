//! Reads partitions that the application names, in order, from where it says, skipping nothing.
//!
//! ```text
//! one task per broker: subscribe, grant credit ─► pushes ─► checksum, order ─► events (bounded by the credit)
//! next_record / next_batch / Stream ◄── position moves, credit goes back ◄──────┘
//! ```

mod builder;
pub(crate) mod group;
mod peek;
mod pushes;
mod received;
mod run;
mod session;
mod state;

pub use builder::ConsumerBuilder;
pub(crate) use builder::no_offset;
pub(crate) use peek::first_timestamps;
pub use run::{ConsumedRecord, RecordRun};

use crate::{
    ConsumeError, OutOfRange, StartAt,
    client::{Core, Handle},
};
use futures_core::Stream;
use parking_lot::Mutex;
use state::{Assigned, Event, State};
use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A stream of the records of the assigned partitions. It ends only when the client is closed.
///
/// An `Err` concerns one partition, names it and stops it until a [`seek`](Self::seek); the others go on.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    _client: Arc<Handle>,
    /// By partition: the offset of the next record to be given out.
    positions: Vec<i64>,
    /// What `next_record` takes from.
    current: Option<RecordRun>,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// What the consumer and its tasks share.
#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    state: Mutex<State>,
    lanes: Mutex<session::Lanes>,
    /// A partition was added.
    installed: Notify,
    stop: CancellationToken,
}

impl Shared {
    fn new(core: Arc<Core>, partitions: Vec<Assigned>, buffer_bytes: usize, policy: OutOfRange) -> Self {
        Self {
            state: Mutex::new(State::new(partitions, buffer_bytes, policy)),
            lanes: Mutex::new(session::Lanes::new()),
            installed: Notify::new(),
            stop: core.stop.child_token(),
            core,
        }
    }

    fn notify(&self, broker: u32) {
        if let Some(changed) = self.lanes.lock().get(&broker) {
            changed.notify_one();
        }
    }

    fn notify_all(&self) {
        self.lanes.lock().values().for_each(|changed| changed.notify_one());
    }

    fn end(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.closed = true;
            state.waker.take()
        };
        waker.into_iter().for_each(std::task::Waker::wake);
        self.stop.cancel();
    }
}

impl Consumer {
    /// The next record; `None` once the client is closed. Cancel-safe.
    pub async fn next_record(&mut self) -> Option<Result<ConsumedRecord, ConsumeError>> {
        poll_fn(|context| self.poll_record(context)).await
    }

    /// The next records of one partition, as many as arrived together: the cheap way to read much. Cancel-safe.
    /// The position is then behind all of them. `None` once the client is closed.
    pub async fn next_batch(&mut self) -> Option<Result<RecordRun, ConsumeError>> {
        if let Some(run) = self.current.take() {
            self.moved(run.index, run.next_offset());
            return Some(Ok(run));
        }
        let run = poll_fn(|context| self.poll_run(context)).await?;
        Some(run.inspect(|run| self.moved(run.index, run.next_offset())))
    }

    fn poll_record(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<ConsumedRecord, ConsumeError>>> {
        loop {
            let Some(run) = &mut self.current else {
                match self.poll_run(context) {
                    Poll::Ready(Some(Ok(run))) => self.current = Some(run),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
                continue;
            };
            let next = run.next();
            let (index, position, end) = (run.index, run.next_position(), run.next_offset());
            match &next {
                Some(Ok(_)) => {
                    self.moved(index, position);
                    return Poll::Ready(next);
                }
                Some(Err(_)) => {
                    // The position stays in front of what cannot be read.
                    self.current = None;
                    self.shared.state.lock().stop(index);
                    self.shared.notify_all();
                    return Poll::Ready(next);
                }
                None => {
                    self.moved(index, end);
                    self.current = None;
                }
            }
        }
    }

    fn poll_run(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordRun, ConsumeError>>> {
        loop {
            let mut state = self.shared.state.lock();
            if state.closed {
                return Poll::Ready(None);
            }
            let Some((event, credit)) = state.pop() else {
                state.waker = Some(context.waker().clone());
                return Poll::Pending;
            };
            let named =
                |index: usize| state.partitions.get(index).map(|one| (Arc::clone(&one.topic), one.partition));
            match event {
                Event::Moved { index, offset } => {
                    drop(state);
                    self.moved(index, offset);
                }
                Event::Failed { error, .. } => return Poll::Ready(Some(Err(error))),
                Event::Records { index, batches, offsets, .. } => {
                    let Some((topic, partition)) = named(index) else { continue };
                    drop(state);
                    credit.into_iter().for_each(|broker| self.shared.notify(broker));
                    return Poll::Ready(Some(Ok(RecordRun::new(topic, partition, index, batches, offsets))));
                }
            }
        }
    }

    fn moved(&mut self, index: usize, offset: i64) {
        if let Some(position) = self.positions.get_mut(index) {
            *position = offset;
        }
    }

    fn find(&self, topic: &str, partition: u32) -> Option<usize> {
        let state = self.shared.state.lock();
        let is_meant = |one: &Assigned| !one.removed && &*one.topic == topic && one.partition == partition;
        state.partitions.iter().position(is_meant)
    }

    /// Begins to read these partitions, each from its own place.
    fn start(
        client: Arc<Handle>,
        partitions: Vec<Assigned>,
        buffer_bytes: usize,
        policy: OutOfRange,
    ) -> Self {
        let core = &client.core;
        // Where the application begins, not where the session will be when somebody looks.
        let positions = partitions.iter().map(Assigned::fetch_offset).collect();
        let shared = Arc::new(Shared::new(Arc::clone(core), partitions, buffer_bytes, policy));
        core.tasks.spawn(session::run(Arc::clone(&shared)));
        Self { shared, _client: client, positions, current: None }
    }

    /// One more partition.
    fn install(&mut self, assigned: Assigned) {
        let position = assigned.fetch_offset();
        let index = self.shared.state.lock().install(assigned);
        self.positions.resize(self.positions.len().max(index + 1), 0);
        self.moved(index, position);
        self.shared.installed.notify_one();
    }

    /// Stops a partition until a seek, and tells the application why.
    fn refuse(&mut self, topic: &str, partition: u32, error: ConsumeError) {
        if let Some(index) = self.find(topic, partition) {
            self.shared.state.lock().fail(index, error);
        }
    }

    /// One partition less: nothing of it is given out afterwards. Its position, if it was there.
    fn uninstall(&mut self, topic: &str, partition: u32) -> Option<i64> {
        let index = self.find(topic, partition)?;
        self.leave(index);
        self.shared.state.lock().remove(index);
        self.shared.notify_all();
        self.positions.get(index).copied()
    }

    fn assigned(&self, topic: &str, partition: u32) -> Result<usize, ConsumeError> {
        self.find(topic, partition).ok_or_else(|| {
            ConsumeError::InvalidOptions(format!("{topic}/{partition} is not assigned to this consumer"))
        })
    }

    /// Drops what is left of the current run if it is of this partition.
    fn leave(&mut self, index: usize) {
        if self.current.as_ref().is_some_and(|run| run.index == index) {
            self.current = None;
        }
    }

    /// Goes on elsewhere in one partition; nothing of the old place is given out afterwards.
    ///
    /// # Errors
    /// The partition is not assigned, or no broker could say where that is.
    pub async fn seek(&mut self, topic: &str, partition: u32, at: StartAt) -> Result<(), ConsumeError> {
        let index = self.assigned(topic, partition)?;
        let places = builder::resolve(&self.shared.core, topic, &[partition], at).await?;
        let Some((offset, high_watermark)) = places.first().copied() else { return Ok(()) };
        self.leave(index);
        self.moved(index, offset);
        {
            let mut state = self.shared.state.lock();
            state.seek(index, offset);
            if let Some(one) = state.partitions.get_mut(index) {
                one.high_watermark = high_watermark;
            }
        }
        self.shared.notify_all();
        Ok(())
    }

    /// Gives out nothing of this partition until [`resume`](Self::resume). The position stays.
    ///
    /// # Errors
    /// The partition is not assigned.
    pub fn pause(&mut self, topic: &str, partition: u32) -> Result<(), ConsumeError> {
        let index = self.assigned(topic, partition)?;
        self.leave(index);
        let position = self.positions.get(index).copied().unwrap_or(0);
        self.shared.state.lock().pause(index, position);
        self.shared.notify_all();
        Ok(())
    }

    /// Ends a [`pause`](Self::pause).
    ///
    /// # Errors
    /// The partition is not assigned.
    pub fn resume(&mut self, topic: &str, partition: u32) -> Result<(), ConsumeError> {
        let index = self.assigned(topic, partition)?;
        self.shared.state.lock().resume(index);
        self.shared.notify_all();
        Ok(())
    }

    /// The offset of the next record to be given out; `None` for a partition that is not assigned.
    #[must_use]
    pub fn position(&self, topic: &str, partition: u32) -> Option<i64> {
        self.positions.get(self.find(topic, partition)?).copied()
    }

    /// The end of what can be read, as last heard of: at `build` and with every push. `None` for a partition that is
    /// not assigned.
    #[must_use]
    pub fn high_watermark(&self, topic: &str, partition: u32) -> Option<i64> {
        let index = self.find(topic, partition)?;
        self.shared.state.lock().partitions.get(index).map(|one| one.high_watermark)
    }

    /// All assigned partitions, by topic and number.
    #[must_use]
    pub fn assignment(&self) -> Vec<(Arc<str>, u32)> {
        let state = self.shared.state.lock();
        let present = state.partitions.iter().filter(|one| !one.removed);
        present.map(|one| (Arc::clone(&one.topic), one.partition)).collect()
    }
}

impl Stream for Consumer {
    type Item = Result<ConsumedRecord, ConsumeError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_record(context)
    }
}
