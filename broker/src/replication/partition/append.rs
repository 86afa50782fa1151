//! Appending: a batch is admitted, appended, and answered or parked, in the order of calls.

use super::{Partition, Role, unsynced};
use crate::{
    ids::LeaderEpoch,
    replication::{
        Acks, OnProduced, ProduceError, Produced,
        waiters::{Completion, Parked},
    },
    storage::{AppendError, Appended, Log},
};
use cairn_proto::record::Batch;
use std::sync::Arc;

impl Partition {
    /// Appends a batch that was validated, in the order of calls, and answers or parks it.
    pub(in crate::replication) fn append(
        &self,
        batch: &Batch,
        sent: Option<LeaderEpoch>,
        acks: Acks,
        done: OnProduced,
    ) {
        let _appending = self.appending.lock();
        match self.try_append(batch, sent, acks) {
            Ok((appended, epoch, log)) => self.answer(&appended, epoch, log, (acks, done)),
            Err(error) => done(Err(error)),
        }
    }

    fn try_append(
        &self,
        batch: &Batch,
        sent: Option<LeaderEpoch>,
        acks: Acks,
    ) -> Result<(Appended, LeaderEpoch, &Log), ProduceError> {
        let epoch = self.admit(sent, acks)?;
        let log = self.log.as_ref().ok_or(ProduceError::NotLeader)?;
        let appended = log.append(batch, epoch).map_err(produce_error)?;
        Ok((appended, epoch, log))
    }

    fn admit(&self, sent: Option<LeaderEpoch>, acks: Acks) -> Result<LeaderEpoch, ProduceError> {
        if let Some(failure) = self.failure.get() {
            return Err(ProduceError::StorageFailed(failure.to_string()));
        }
        match &self.state.lock().role {
            Role::Leader(leader) => leader.admit(sent, acks),
            Role::Idle => Err(ProduceError::NotLeader),
            Role::Offline(reason) => Err(ProduceError::Offline(reason.clone())),
            Role::Gone => Err(ProduceError::UnknownPartition),
        }
    }

    /// A duplicate waits like its original did: it is told the original offset, and not before that is committed (I25).
    fn answer(&self, appended: &Appended, epoch: LeaderEpoch, log: &Log, (acks, done): (Acks, OnProduced)) {
        let produced = Produced {
            base_offset: appended.base_offset,
            end_offset: appended.end_offset,
            append_time_ms: appended.append_time_ms,
            log_start: log.start(),
            leader_epoch: epoch,
        };
        let mut state = self.state.lock();
        let result = match &state.role {
            Role::Leader(leader) if leader.epoch() == epoch => match leader.covers(produced.end_offset, acks)
            {
                true if acks == Acks::All => leader.verdict().map(|()| produced),
                true => Ok(produced),
                // Looked at under the state's lock: a failure behind this look finds the parked batch.
                false if self.failure.get().is_some() => Err(unsynced(&self.failure)),
                false => {
                    state.acks.push(acks, Parked { produced, done });
                    return;
                }
            },
            _ => Err(ProduceError::OutcomeUnknown("the partition's leadership changed".into())),
        };
        // Behind what another thread has decided and not yet told.
        let outbox = Arc::clone(&state.outbox);
        outbox.push(Completion { done, result });
        drop(state);
        outbox.flush();
    }
}

fn produce_error(error: AppendError) -> ProduceError {
    match error {
        // The append was under way: its frame may have reached the disk.
        AppendError::Failed(failure) => ProduceError::OutcomeUnknown(failure.to_string()),
        AppendError::NoSpace(error) => ProduceError::StorageFull(error.to_string()),
        AppendError::TooLarge { bytes, bytes_max } => ProduceError::TooLarge { bytes, bytes_max },
        AppendError::BeyondJournal { bytes, bytes_max } => ProduceError::BeyondJournal { bytes, bytes_max },
        AppendError::OutOfOrderSequence { producer_id, producer_epoch, sequence, expected } => {
            ProduceError::OutOfOrderSequence { producer_id, producer_epoch, sequence, expected }
        }
        AppendError::ProducerFenced { producer_id, producer_epoch, current_epoch } => {
            ProduceError::ProducerFenced { producer_id, producer_epoch, current_epoch }
        }
        // The log stopped being usable between the look at the role and the append: the topic is being deleted.
        AppendError::Closed(_) => ProduceError::UnknownPartition,
        AppendError::NotContiguous { .. } => panic!("a leader's append gives the offset itself: {error}"),
    }
}
