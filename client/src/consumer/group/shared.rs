//! What the consumer of a group and its tasks share: the membership, what the session has for the application, and what the
//! application has for the session.

use super::{
    commits::Offsets,
    membership::{Membership, Place, Stay},
};
use crate::{
    GroupError, OffsetReset, OutOfRange,
    client::Core,
    consumer::{Consumer, state::Assigned},
    coordinator::Coordinator,
};
use cairn_proto::v1::GroupHeartbeatRequest;
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, atomic::AtomicBool},
    task::Waker,
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What was chosen.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) topics: BTreeSet<String>,
    pub(super) instance_id: Option<String>,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) auto_commit: Option<Duration>,
    pub(super) reset: OffsetReset,
}

impl OffsetReset {
    pub(super) fn when_out_of_range(self) -> OutOfRange {
        match self {
            Self::Earliest => OutOfRange::Earliest,
            Self::Latest => OutOfRange::Latest,
            Self::None => OutOfRange::Error,
        }
    }
}

/// A partition of which it is known where to begin.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) place: Place,
    pub(super) stay: Stay,
    pub(super) assigned: Assigned,
    /// It begins where the group stopped.
    pub(super) is_committed: bool,
    /// Nothing is committed, and that is to be an error.
    pub(super) is_refused: bool,
}

/// What the session has for the application.
#[derive(Debug)]
pub(super) enum Inbound {
    Assigned(Vec<Ready>),
    Revoked(Vec<Place>, Stay),
    Lost(Vec<Place>),
    Failed(GroupError),
}

#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) membership: Membership,
    pub(super) inbox: VecDeque<Inbound>,
    /// What was revoked is not read any more; these offsets of it are to be committed.
    pub(super) given_up: Option<(Offsets, Stay)>,
    pub(super) waker: Option<Waker>,
}

/// What the consumer and its tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) coordinator: Coordinator,
    pub(super) options: Options,
    pub(super) state: Mutex<GroupState>,
    /// There is something to say to the coordinator.
    pub(super) changed: Notify,
    /// The coordinator was told that the member leaves, as far as it could be.
    pub(super) left: Notify,
    pub(super) commit_is_due: AtomicBool,
    /// An automatic commit failed: what it said is still to be committed.
    pub(super) commit_again: AtomicBool,
    pub(super) stop: CancellationToken,
}

pub(super) fn new_member_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl Shared {
    pub(super) fn new(coordinator: Coordinator, options: Options, consumer: &Consumer) -> Self {
        let state = GroupState {
            membership: Membership::new(new_member_id(), options.session_timeout),
            inbox: VecDeque::new(),
            given_up: None,
            waker: None,
        };
        Self {
            coordinator,
            options,
            state: Mutex::new(state),
            changed: Notify::new(),
            left: Notify::new(),
            commit_is_due: AtomicBool::new(false),
            commit_again: AtomicBool::new(false),
            stop: consumer.shared.stop.child_token(),
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.coordinator.core
    }

    pub(super) fn push(&self, inbound: Inbound) {
        self.state.lock().inbox.push_back(inbound);
        self.wake();
    }

    pub(super) fn wake(&self) {
        let waker = self.state.lock().waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// What there is to say.
    pub(super) fn heartbeat(&self) -> GroupHeartbeatRequest {
        let milliseconds = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        let state = self.state.lock();
        let (member_epoch, known_epoch) = state.membership.epochs();
        GroupHeartbeatRequest {
            group: self.coordinator.group.clone(),
            member_id: state.membership.member_id().to_owned(),
            member_epoch,
            known_epoch,
            instance_id: self.options.instance_id.clone().unwrap_or_default(),
            session_timeout_ms: milliseconds(self.options.session_timeout),
            rebalance_timeout_ms: milliseconds(self.options.rebalance_timeout),
            topics: self.options.topics.iter().cloned().collect(),
            wait_ms: milliseconds(self.options.session_timeout / 3),
        }
    }
}
