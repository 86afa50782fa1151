//! The leader's part of a partition, pure: values in, values out. The high watermark moves here and nowhere else, through
//! its gate, and never falls within an epoch (I13).

use super::{Acks, ProduceError};
use crate::{
    ids::{LeaderEpoch, Offset, PartitionEpoch},
    metadata::{Durability, PartitionRecord},
};

/// What the cluster has agreed on for this leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) partition_epoch: PartitionEpoch,
    /// Members of the committed ISR, this leader among them.
    pub(super) in_sync: usize,
    pub(super) min_isr: u32,
    /// Whether what is synced counts, or what is written.
    pub(super) durability: Durability,
}

impl Terms {
    pub(super) fn of(record: &PartitionRecord) -> Self {
        let PartitionRecord { leader_epoch, partition_epoch, min_isr, durability, .. } = *record;
        Self { leader_epoch, partition_epoch, in_sync: record.isr.len(), min_isr, durability }
    }

    fn has_minimum(&self) -> bool {
        u32::try_from(self.in_sync).is_ok_and(|members| members >= self.min_isr)
    }
}

/// A leader of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeaderState {
    terms: Terms,
    /// The log end at the moment it became leader in this epoch.
    epoch_start: Offset,
    high_watermark: Offset,
    /// The offset of its own that counts.
    own: Offset,
}

/// What new terms meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// Not newer than the present ones.
    Ignored,
    /// The same epoch: the ISR, its minimum or the record changed.
    SameEpoch,
    /// A new epoch: what was parked belongs to the old one.
    NewEpoch,
}

impl LeaderState {
    /// A log is led for the first time in this process. `stored` is the high watermark as last checkpointed.
    pub(super) fn become_leader(terms: Terms, log_end: Offset, own: Offset, stored: Offset) -> Self {
        assert!(own <= log_end, "the counted offset {own:?} lies beyond the log end {log_end:?}");
        let high_watermark = stored.min(log_end);
        let mut state = Self { terms, epoch_start: log_end, high_watermark, own };
        state.advance(log_end);
        state
    }

    /// Terms as an image has them: ignored unless one of the epochs is newer. `own` is what counts under them; it may lie
    /// below what counted before only where the durability changed, and takes back nothing that is committed.
    pub(super) fn renew(&mut self, terms: Terms, own: Offset, log_end: Offset) -> Renewal {
        if terms.leader_epoch <= self.terms.leader_epoch
            && terms.partition_epoch <= self.terms.partition_epoch
        {
            return Renewal::Ignored;
        }
        assert!(
            terms.leader_epoch >= self.terms.leader_epoch
                && terms.partition_epoch > self.terms.partition_epoch,
            "I10: epochs fell or rose alone: {:?} to {terms:?}",
            self.terms
        );
        let renewal = match terms.leader_epoch > self.terms.leader_epoch {
            true => Renewal::NewEpoch,
            false => Renewal::SameEpoch,
        };
        if renewal == Renewal::NewEpoch {
            self.epoch_start = log_end;
        }
        assert!(own <= log_end, "the counted offset {own:?} lies beyond the log end {log_end:?}");
        self.own = if terms.durability == self.terms.durability { self.own.max(own) } else { own };
        self.terms = terms;
        self.advance(log_end);
        renewal
    }

    /// The leader's own counted offset moved. The new high watermark, if that moved with it.
    pub(super) fn on_own_offset(&mut self, own: Offset, log_end: Offset) -> Option<Offset> {
        assert!(own <= log_end, "the counted offset {own:?} lies beyond the log end {log_end:?}");
        self.own = self.own.max(own);
        self.advance(log_end)
    }

    /// The gate: enough members in sync, and every one of them (here: the leader alone) has it.
    fn advance(&mut self, log_end: Offset) -> Option<Offset> {
        if !self.terms.has_minimum() || self.own <= self.high_watermark {
            return None;
        }
        assert!(
            self.own <= log_end,
            "I13: the high watermark {:?} would pass the log end {log_end:?}",
            self.own
        );
        self.high_watermark = self.own;
        Some(self.own)
    }

    /// Whether a batch may be appended now; the epoch it is appended in.
    pub(super) fn admit(&self, sent: Option<LeaderEpoch>, acks: Acks) -> Result<LeaderEpoch, ProduceError> {
        let current = self.terms.leader_epoch;
        match sent {
            Some(sent) if sent < current => return Err(ProduceError::FencedLeaderEpoch { sent, current }),
            Some(sent) if sent > current => return Err(ProduceError::UnknownLeaderEpoch { sent, current }),
            _ => {}
        }
        if acks == Acks::All && !self.terms.has_minimum() {
            let Terms { in_sync, min_isr, .. } = self.terms;
            return Err(ProduceError::NotEnoughReplicas { in_sync, min_isr });
        }
        Ok(current)
    }

    /// Whether an acknowledgement that waits for `acks` up to `end` may go out.
    pub(super) fn covers(&self, end: Offset, acks: Acks) -> bool {
        match acks {
            Acks::All => self.acknowledged() >= end,
            Acks::Leader => self.own >= end,
            Acks::None => true,
        }
    }

    /// What acks=all may be answered up to: what is committed. Behind a switch to `fsync` that may not be synced yet; it is
    /// waited for then.
    pub(super) fn acknowledged(&self) -> Offset {
        self.high_watermark.min(self.own)
    }

    /// What the answer to a covered acks=all batch is (the second look at the minimum).
    pub(super) fn verdict(&self) -> Result<(), ProduceError> {
        match self.terms.has_minimum() {
            true => Ok(()),
            false => Err(ProduceError::NotEnoughReplicasAfterAppend),
        }
    }

    /// Whether what is written counts already.
    pub(super) fn counts_written(&self) -> bool {
        self.terms.durability == Durability::Async
    }

    pub(super) fn epoch(&self) -> LeaderEpoch {
        self.terms.leader_epoch
    }

    pub(super) fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The high watermark as it may be told: not before it has reached what the leader began with (I14).
    pub(super) fn told_high_watermark(&self) -> Option<Offset> {
        (self.high_watermark >= self.epoch_start).then_some(self.high_watermark)
    }

    pub(super) fn own(&self) -> Offset {
        self.own
    }
}

#[cfg(test)]
mod tests;
