//! A consumer's session: subscriptions, credit, and what is ready to be read. The listener drives it: it applies what the
//! client says and sends what [`FetchSession::next`] returns.
//!
//! What always holds: a subscription is in exactly one of four places: waiting for its partition, in the ready queue,
//! being read from disk, or held back for lack of credit (then it stays in the queue). Its offset only moves over what was
//! handed out, so nothing is skipped and nothing comes twice. Credit is spent on bytes of batches; it falls below zero by
//! at most one batch.

use super::{Broker, Refusal, admission::Context, ready_queue::ReadyQueue};
use crate::{
    ids::{Offset, TopicPartition},
    replication::{FetchError, FetchWaker, Read, ReadRequest, Residency},
};
use std::{collections::HashMap, sync::Arc};
use tokio::task::JoinSet;

/// What a client wants to read.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The client's name for it.
    pub id: u32,
    /// Bytes of batches in one response; 0 for the broker's default.
    pub bytes_wanted: usize,
    /// From where and under which guards; `offset` moves on as batches are handed out. Its `bytes_max` is set here.
    pub request: ReadRequest,
}

/// Something to send to the client.
#[derive(Debug)]
pub struct Push {
    /// For which subscription.
    pub subscription: u32,
    /// What was read; an error has ended the subscription.
    pub outcome: Result<Read, FetchError>,
}

/// See the module.
pub struct FetchSession {
    broker: Broker,
    ready: Arc<ReadyQueue>,
    waker: Arc<dyn FetchWaker>,
    subscriptions: HashMap<u64, Active>,
    tokens: HashMap<u32, u64>,
    next_token: u64,
    credit_bytes: i64,
    cold: JoinSet<ColdRead>,
}

struct Active {
    subscription: Subscription,
    /// The first answer is sent even if it is empty: it tells the client where the partition stands.
    answered: bool,
}

struct ColdRead {
    token: u64,
    reserved_bytes: i64,
    outcome: Result<Read, FetchError>,
}

impl FetchSession {
    pub(super) fn new(broker: Broker) -> Self {
        let ready = Arc::new(ReadyQueue::default());
        let waker: Arc<dyn FetchWaker> = ready.clone();
        Self {
            broker,
            ready,
            waker,
            subscriptions: HashMap::new(),
            tokens: HashMap::new(),
            next_token: 0,
            credit_bytes: 0,
            cold: JoinSet::new(),
        }
    }

    /// Adds a subscription; one of the same id is replaced.
    ///
    /// # Errors
    /// There are too many.
    pub fn subscribe(&mut self, subscription: Subscription) -> Result<(), Refusal> {
        let max = self.broker.limits().subscriptions_per_stream_max;
        self.unsubscribe(subscription.id);
        if self.subscriptions.len() >= max {
            let (what, limit) = ("subscriptions", "subscriptions-per-stream-max");
            return Err(Refusal::TooMuch { what, given: self.subscriptions.len() + 1, max, limit });
        }
        let token = self.next_token;
        self.next_token += 1;
        self.tokens.insert(subscription.id, token);
        self.subscriptions.insert(token, Active { subscription, answered: false });
        self.ready.push(token);
        Ok(())
    }

    /// Ends a subscription; an unknown one is none.
    pub fn unsubscribe(&mut self, id: u32) {
        if let Some(token) = self.tokens.remove(&id) {
            self.remove(token);
        }
    }

    /// Lets the broker push so many more bytes of batches.
    pub fn add_credit(&mut self, bytes: u64) {
        self.credit_bytes = self.credit_bytes.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Whether batches may still be pushed, or are about to be.
    pub fn has_credit(&self) -> bool {
        self.credit_bytes > 0 || !self.cold.is_empty()
    }

    /// Waits for something to send. Cancel-safe: what is being read when this is dropped comes with a later call.
    pub async fn next(&mut self) -> Push {
        loop {
            if let Some(push) = self.next_hot() {
                return push;
            }
            let push = tokio::select! {
                biased;
                Some(done) = self.cold.join_next(), if !self.cold.is_empty() => {
                    // A read that panicked has aborted the process; one that was cancelled has no session.
                    done.ok().and_then(|cold| self.finish_cold(cold))
                }
                () = self.ready.pushed(), if self.credit_bytes > 0 => None,
                // Without credit and without a read, only `add_credit` can go on: the caller drops this future to call it.
                () = std::future::pending(), if self.cold.is_empty() && self.credit_bytes <= 0 => None,
            };
            if let Some(push) = push {
                return push;
            }
        }
    }

    /// Reads what is ready and in memory.
    fn next_hot(&mut self) -> Option<Push> {
        while self.credit_bytes > 0 {
            let token = self.ready.pop()?;
            if let Some(push) = self.read_hot(token) {
                return Some(push);
            }
        }
        None
    }

    fn read_hot(&mut self, token: u64) -> Option<Push> {
        let bytes_max = self.bytes_max(token)?;
        let active = self.subscriptions.get_mut(&token)?;
        active.subscription.request.bytes_max = bytes_max;
        match self.broker.replicas().read(&active.subscription.request, Residency::Required) {
            Err(FetchError::WouldBlock) => {
                let request = active.subscription.request;
                self.read_cold(token, request);
                None
            }
            outcome => self.hand_out(token, outcome),
        }
    }

    /// How much one response may hold: what the client asked for, within the broker's limit and the credit left.
    fn bytes_max(&self, token: u64) -> Option<usize> {
        let limits = self.broker.limits();
        let wanted = self.subscriptions.get(&token)?.subscription.bytes_wanted;
        let wanted = if wanted == 0 { limits.fetch_response_bytes } else { wanted };
        let credit = usize::try_from(self.credit_bytes).unwrap_or(0).max(1);
        Some(wanted.min(limits.fetch_response_bytes_max).min(credit))
    }

    /// The credit that the read may need is set aside, so that several reads together do not overdraw it.
    fn read_cold(&mut self, token: u64, request: ReadRequest) {
        let reserved_bytes = i64::try_from(request.bytes_max).unwrap_or(i64::MAX);
        self.credit_bytes = self.credit_bytes.saturating_sub(reserved_bytes);
        let broker = self.broker.clone();
        self.cold.spawn(async move {
            let outcome = broker.read_blocking(request).await;
            ColdRead { token, reserved_bytes, outcome }
        });
    }

    fn finish_cold(&mut self, cold: ColdRead) -> Option<Push> {
        self.credit_bytes = self.credit_bytes.saturating_add(cold.reserved_bytes);
        if !self.subscriptions.contains_key(&cold.token) {
            return None;
        }
        self.hand_out(cold.token, cold.outcome)
    }

    /// Moves the subscription over what was read and puts it where it belongs next.
    fn hand_out(&mut self, token: u64, outcome: Result<Read, FetchError>) -> Option<Push> {
        let active = self.subscriptions.get_mut(&token)?;
        let subscription = active.subscription.id;
        let read = match outcome {
            Ok(read) => read,
            Err(error) => {
                self.tokens.remove(&subscription);
                self.remove(token);
                return Some(Push { subscription, outcome: Err(error) });
            }
        };
        let request = &mut active.subscription.request;
        request.offset = read.next_offset;
        if !read.batches.is_empty() {
            // Continuing from what this very log gave out: the guard of the first read has done its work.
            request.last_epoch = None;
        }
        let (partition, offset) = (request.partition, request.offset);
        let first = !std::mem::replace(&mut active.answered, true);
        self.credit_bytes =
            self.credit_bytes.saturating_sub(i64::try_from(read.batches.len()).unwrap_or(i64::MAX));
        self.wait_or_queue(partition, offset, token);
        (first || !read.batches.is_empty()).then_some(Push { subscription, outcome: Ok(read) })
    }

    fn wait_or_queue(&self, partition: TopicPartition, offset: Offset, token: u64) {
        if !self.broker.replicas().wait_readable(partition, offset, &self.waker, token) {
            self.ready.push(token);
        }
    }

    fn remove(&mut self, token: u64) {
        if let Some(active) = self.subscriptions.remove(&token) {
            self.broker.replicas().cancel_wait(active.subscription.request.partition, &self.waker, token);
        }
    }
}

impl Drop for FetchSession {
    fn drop(&mut self) {
        let tokens: Vec<u64> = self.subscriptions.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.remove(token));
    }
}

impl Broker {
    /// Opens a session without subscriptions and without credit.
    ///
    /// # Errors
    /// The broker is shutting down.
    pub fn fetch(&self, context: &Context) -> Result<FetchSession, Refusal> {
        self.admission().admit(context)?;
        Ok(FetchSession::new(self.clone()))
    }

    /// Reads on a thread that may wait for the disk, of which there are few.
    pub(super) async fn read_blocking(&self, request: ReadRequest) -> Result<Read, FetchError> {
        let permit = self.admission().cold_read().await;
        self.metrics().cold_reads.inc();
        let replicas = self.replicas().clone();
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            replicas.read(&request, Residency::MayBlock)
        });
        read.await.unwrap_or_else(|_cancelled| Err(FetchError::Storage("the broker is shutting down".into())))
    }
}
