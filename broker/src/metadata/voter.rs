//! The single voter: one thread that takes what was proposed, applies it to the state ahead, appends it, syncs once for
//! all, publishes the image and answers. What nobody was told yet may be ahead of the image, never behind it.

use super::{
    ClusterState, Command, Committed, MetadataFailure, MetadataOptions, ProposeError,
    command_log::{COMMAND_BYTES_MAX, CommandLog},
};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};
use tokio::sync::{oneshot, watch};

/// Proposals that share one sync at most.
const GROUP_MAX: usize = 256;

/// Background work waits so long for proposals that follow one another, those of a start first of all.
const MAINTAIN_AFTER: Duration = Duration::from_millis(100);

/// What a proposer sends.
pub(super) struct Proposal {
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<Result<Committed, ProposeError>>,
}

/// To the voter.
pub(super) enum Message {
    Propose(Box<Proposal>),
    /// Everything before this is answered, nothing behind it is taken.
    Close,
}

/// The thread's own.
pub(super) struct Voter {
    pub(super) log: CommandLog,
    /// With every command appended, durable or not.
    pub(super) ahead: ClusterState,
    pub(super) options: MetadataOptions,
    pub(super) images: watch::Sender<Arc<ClusterState>>,
    pub(super) failures: watch::Sender<Option<MetadataFailure>>,
    pub(super) commands_since_snapshot: u64,
}

type Answer = (oneshot::Sender<Result<Committed, ProposeError>>, Result<Committed, ProposeError>);

impl Voter {
    /// Until it is closed or everybody who could propose is gone.
    pub(super) fn run(mut self, inbox: &Receiver<Message>) {
        let mut due = Some(self.log.later(MAINTAIN_AFTER));
        loop {
            let message = match due {
                Some(due) => inbox.recv_timeout(self.log.until(due)),
                None => inbox.recv().or(Err(RecvTimeoutError::Disconnected)),
            };
            match message {
                Ok(Message::Propose(first)) => {
                    let closing = self.serve(first, inbox);
                    if closing {
                        break;
                    }
                    let due = *due.get_or_insert_with(|| self.log.later(MAINTAIN_AFTER));
                    if !self.log.until(due).is_zero() {
                        continue;
                    }
                }
                Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            due = self.log.maintain().map(|wait| self.log.later(wait));
        }
        if let Err(failure) = self.log.close() {
            self.fail(failure.into());
        }
    }

    /// Serves groups until nothing waits. `true`: a close was among it.
    fn serve(&mut self, first: Box<Proposal>, inbox: &Receiver<Message>) -> bool {
        let mut group = vec![*first];
        while !group.is_empty() {
            let mut closing = false;
            while group.len() < GROUP_MAX && !closing {
                match inbox.try_recv() {
                    Ok(Message::Propose(proposal)) => group.push(*proposal),
                    Ok(Message::Close) => closing = true,
                    Err(_) => break,
                }
            }
            // Nobody else prepares this journal's next file: sooner than an append has to make it and the queue of proposals
            // waits. The first ones, which a start waits for, fit the file that is there.
            if self.log.has_filled_some() {
                self.log.maintain();
            }
            self.commit(std::mem::take(&mut group));
            if closing {
                return true;
            }
            self.snapshot_if_due();
            if let Ok(message) = inbox.try_recv() {
                match message {
                    Message::Propose(proposal) => group.push(*proposal),
                    Message::Close => return true,
                }
            }
        }
        false
    }

    fn commit(&mut self, group: Vec<Proposal>) {
        let before = self.ahead.index;
        let mut answers: Vec<Answer> = group
            .into_iter()
            .map(|Proposal { command, answer }| {
                let result = self.append(&command);
                (answer, result)
            })
            .collect();
        if self.ahead.index != before {
            if let Err(failure) = self.log.sync() {
                let failure = MetadataFailure::from(failure);
                self.fail(failure.clone());
                for (_, result) in answers.iter_mut().filter(|(_, result)| result.is_ok()) {
                    *result = Err(ProposeError::OutcomeUnknown(failure.clone()));
                }
            } else {
                self.images.send_replace(Arc::new(self.ahead.clone()));
            }
        }
        for (answer, result) in answers {
            // Nobody listens any more when the proposer gave up.
            let _ = answer.send(result);
        }
    }

    fn append(&mut self, command: &Command) -> Result<Committed, ProposeError> {
        let failed = self.failures.borrow().clone();
        if let Some(failure) = failed {
            return Err(ProposeError::Failed(failure));
        }
        let bytes = command.encode();
        if bytes.len() > COMMAND_BYTES_MAX {
            return Err(ProposeError::TooLarge { bytes: bytes.len(), bytes_max: COMMAND_BYTES_MAX });
        }
        let index = self.ahead.index.next();
        let mut next = self.ahead.clone();
        let outcome = next.apply(index, command)?;
        if let Err(error) = self.log.append(index, &bytes) {
            if let ProposeError::OutcomeUnknown(failure) | ProposeError::Failed(failure) = &error {
                self.fail(failure.clone());
            }
            return Err(error);
        }
        self.ahead = next;
        self.commands_since_snapshot += 1;
        Ok(Committed { index, outcome })
    }

    fn snapshot_if_due(&mut self) {
        let due = self.commands_since_snapshot >= self.options.snapshot_after_commands
            || (self.commands_since_snapshot > 0
                && self.log.size_bytes() >= self.options.snapshot_after_bytes);
        if !due || self.failures.borrow().is_some() {
            return;
        }
        match self.log.snapshot(&self.ahead) {
            // Without space the next attempt is one more interval away.
            Ok(_) => self.commands_since_snapshot = 0,
            Err(failure) => self.fail(failure),
        }
    }

    /// The first failure stays: the process is about to end.
    fn fail(&self, failure: MetadataFailure) {
        self.failures.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                tracing::error!("{failure}");
                *known = Some(failure);
            }
            first
        });
    }
}
