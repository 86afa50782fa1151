//! One partition of a producer: what is collected, what is on its way, and what each answer means for it. Pure: answers
//! and times in, results out.

use super::{
    Appended, BatchOutcome,
    encode::{InFlight, Prepared, Stamp, Work},
    window::{Entry, Identity, OutOfOrder, Window},
};
use crate::{
    ProduceError,
    batcher::{BatchLimits, Batcher, PendingBatch},
    config::IN_FLIGHT_BATCHES_MAX,
    retry::{Backoff, Verdict, code_name, code_of, verdict},
    routing::{PartitionRoute, TopicRoute},
};
use bytes::Bytes;
use cairn_proto::v1::{ErrorCode, ProduceResponse};
use std::{sync::Arc, time::Duration, time::Instant};

/// A batch that is over and done with.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) outcome: Arc<BatchOutcome>,
    pub(crate) reserved_bytes: usize,
    pub(crate) result: Result<Appended, ProduceError>,
}

/// What the partition can do for a connection.
#[derive(Debug)]
pub(crate) enum Step {
    Send(Bytes),
    /// Of the batch with this number.
    Work(u64, Work),
    Nothing,
}

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) topic_id: Bytes,
    pub(crate) partition: u32,
    pub(crate) route: PartitionRoute,
    pub(crate) limits: BatchLimits,
    pub(crate) batcher: Batcher,
    pub(crate) window: Window<InFlight>,
    /// The connection on which batches are on their way.
    pub(crate) session: u64,
    /// Stands in its leader's queue.
    pub(crate) queued: bool,
    /// Waits before it repeats something.
    pub(crate) waiting: bool,
    pub(crate) backoff: Backoff,
    /// What stands in the way, for the error that the application may get in the end.
    trouble: String,
}

impl Slot {
    pub(crate) fn new(
        topic: &TopicRoute,
        partition: u32,
        limits: BatchLimits,
        identity: Option<Identity>,
    ) -> Self {
        let route = topic.partition(partition).unwrap_or(PartitionRoute { leader: None, leader_epoch: -1 });
        Self {
            topic_id: topic.topic_id.clone(),
            partition,
            route,
            limits,
            batcher: Batcher::new(Arc::clone(&topic.name), partition),
            window: Window::new(IN_FLIGHT_BATCHES_MAX, identity),
            session: 0,
            queued: false,
            waiting: false,
            backoff: Backoff::retrying(),
            trouble: String::new(),
        }
    }

    /// Whether a connection to the leader would find something to do.
    pub(crate) fn is_ready(&mut self) -> bool {
        !self.waiting
            && ((self.window.has_room() && self.batcher.is_due()) || self.window.next_to_send().is_some())
    }

    /// The next thing to do on this connection. After `Send` the caller must call [`sent`](Self::sent).
    pub(crate) fn step(&mut self, session: u64) -> Step {
        // What is on its way elsewhere has to be answered or lost first: two connections keep no order.
        if self.waiting || (self.session != session && self.window.is_sending()) {
            return Step::Nothing;
        }
        if self.window.has_room()
            && let Some(batch) = self.batcher.take()
        {
            let records = batch.builder.record_count();
            self.window.admit(InFlight::new(batch), records);
        }
        let identity = self.window.identity();
        let Some(entry) = self.window.next_to_send() else { return Step::Nothing };
        let stamp = Stamp { identity, sequence: entry.sequence };
        match entry.batch.prepare(stamp) {
            Prepared::Bytes(bytes) => Step::Send(bytes),
            Prepared::Work(work) => Step::Work(entry.batch.number, work),
            Prepared::Busy => Step::Nothing,
        }
    }

    /// The batch of the last step went out as `request`.
    pub(crate) fn sent(&mut self, session: u64, request: u64) {
        self.window.sent(request);
        self.session = session;
    }

    /// Without acknowledgements a batch is done when it went out.
    pub(crate) fn assume_appended(&mut self, request: u64) -> Option<Finished> {
        let entry = self.window.acknowledged(request)?;
        Some(finished(entry, Ok(Appended { base_offset: -1, append_time_ms: None })))
    }

    /// The work on batch `number` is done.
    pub(crate) fn worked(
        &mut self,
        number: u64,
        result: Result<(Bytes, Stamp), cairn_proto::record::BatchError>,
    ) -> Option<Finished> {
        match result {
            Ok((bytes, stamp)) => {
                if let Some(batch) = self.window.find(|batch| batch.number == number) {
                    batch.prepared(bytes, stamp);
                }
                None
            }
            Err(error) => {
                let mut failed = self.window.give_up(|entry| entry.batch.number == number);
                let entry = failed.pop()?;
                let result = unsent(&entry, ProduceError::InvalidRecord { reason: error.to_string() });
                Some(finished(entry, Err(result)))
            }
        }
    }

    /// Takes an answer. Says which batch it finished, if one, and whether the leader may be elsewhere.
    pub(crate) fn answered(&mut self, response: ProduceResponse) -> (Option<Finished>, bool) {
        let code = code_of(response.error);
        let request = response.request_id;
        let verdict = verdict(code);
        if verdict != Verdict::Appended {
            self.trouble = format!("{}: {}", code_name(code), response.message);
        }
        match verdict {
            Verdict::Appended => {
                let entry = self.window.acknowledged(request);
                if entry.is_some() {
                    self.backoff.reset();
                }
                let append_time_ms = (response.append_time_ms >= 0).then_some(response.append_time_ms);
                let appended = Appended { base_offset: response.base_offset, append_time_ms };
                (entry.map(|entry| finished(entry, Ok(appended))), false)
            }
            Verdict::NotNow { reroute } => (None, self.window.repeat(request, false) && reroute),
            Verdict::Unclear => {
                self.window.repeat(request, true);
                (None, false)
            }
            Verdict::OutOfOrder => {
                if self.window.out_of_order(request) == OutOfOrder::Forgotten {
                    tracing::debug!(partition = self.partition, "the broker lost this producer's sequences");
                }
                (None, false)
            }
            Verdict::Fenced => {
                self.window.fenced(request);
                (None, false)
            }
            Verdict::Never => {
                let entry = self.window.refused(request);
                let finish = |entry: Entry<InFlight>| {
                    let error = if entry.ambiguous {
                        ProduceError::OutcomeUnknown { reason: self.trouble.clone() }
                    } else {
                        refusal(code, &response.message)
                    };
                    finished(entry, Err(error))
                };
                (entry.map(finish), false)
            }
        }
    }

    /// Everything that was sent or collected before `limit` has waited too long.
    pub(crate) fn expire(&mut self, limit: Instant, timeout: Duration) -> Vec<Finished> {
        let reason = match (&self.trouble, self.route.leader) {
            (trouble, _) if !trouble.is_empty() => trouble.clone(),
            (_, None) => "the partition has no leader".to_owned(),
            _ => "the broker did not answer in time".to_owned(),
        };
        let late = ProduceError::TimedOut { timeout, reason };
        let sent = self.window.give_up(|entry| entry.batch.opened_at <= limit);
        let sent = sent.into_iter().map(|entry| {
            let error = unsent(&entry, late.clone());
            finished(entry, Err(error))
        });
        let mut all: Vec<Finished> = sent.collect();
        let collected = self.batcher.take_older(limit);
        all.extend(collected.into_iter().map(|batch| never_sent(batch, late.clone())));
        all
    }

    /// Gives everything up: what was certainly not appended ends with `error`.
    pub(crate) fn abandon(&mut self, error: &ProduceError) -> Vec<Finished> {
        let sent = self.window.give_up(|_| true).into_iter().map(|entry| {
            let error = unsent(&entry, error.clone());
            finished(entry, Err(error))
        });
        let mut all: Vec<Finished> = sent.collect();
        all.extend(self.batcher.take_all().into_iter().map(|batch| never_sent(batch, error.clone())));
        all
    }

    /// Numbers what is left anew, if that is due. See [`Window::renew`].
    pub(crate) fn renew(&mut self, identity: Identity) -> Vec<Finished> {
        let ambiguous = self.window.renew(identity).unwrap_or_default();
        let reason = format!("an earlier batch was given up ({})", self.trouble);
        let finish = |entry| finished(entry, Err(ProduceError::OutcomeUnknown { reason: reason.clone() }));
        ambiguous.into_iter().map(finish).collect()
    }

    /// The connection is lost.
    pub(crate) fn disconnected(&mut self, reason: &str) {
        self.window.disconnected();
        reason.clone_into(&mut self.trouble);
    }

    /// The outcomes of all that is not answered.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &Arc<BatchOutcome>> {
        self.window.entries().map(|entry| &entry.batch.outcome).chain(self.batcher.outcomes())
    }
}

fn finished(entry: Entry<InFlight>, result: Result<Appended, ProduceError>) -> Finished {
    let InFlight { outcome, reserved_bytes, .. } = entry.batch;
    Finished { outcome, reserved_bytes, result }
}

fn never_sent(batch: PendingBatch, error: ProduceError) -> Finished {
    Finished { outcome: batch.outcome, reserved_bytes: batch.reserved_bytes, result: Err(error) }
}

/// `error`, unless the batch may be in the log all the same.
fn unsent(entry: &Entry<InFlight>, error: ProduceError) -> ProduceError {
    if !entry.may_be_appended() {
        return error;
    }
    let reason = match error {
        ProduceError::Closed => "the producer was closed before the answer".to_owned(),
        ProduceError::TimedOut { timeout, reason } => format!("no answer within {timeout:?} ({reason})"),
        error => error.to_string(),
    };
    ProduceError::OutcomeUnknown { reason }
}

fn refusal(code: ErrorCode, message: &str) -> ProduceError {
    match code {
        ErrorCode::InvalidRecord | ErrorCode::InvalidTimestamp => {
            ProduceError::InvalidRecord { reason: message.to_owned() }
        }
        code => ProduceError::Refused { code: code_name(code), reason: message.to_owned(), retryable: false },
    }
}
