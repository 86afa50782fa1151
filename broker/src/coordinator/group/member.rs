//! One member of a group.

use super::{Assignor, JoinRequest, Waiter};
use crate::clock::Monotonic;
use bytes::Bytes;
use std::time::Duration;

/// What a group remembers of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name across restarts, if it is a static member (KIP-345).
    pub instance_id: Option<String>,
    /// As the client calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// Silence for so long ends its membership.
    pub session_timeout: Duration,
    /// It needs at most so long to join again.
    pub rebalance_timeout: Duration,
    /// What it can take part in, the best first.
    pub assignors: Vec<Assignor>,
    /// Its share, as its leader encoded it.
    pub assignment: Bytes,
    /// Its join request that waits for the others.
    pub(super) joining: Option<Waiter>,
    /// Its sync request that waits for the leader's.
    pub(super) syncing: Option<Waiter>,
    /// It sent its sync request in this generation.
    pub(super) has_synced: bool,
    /// When its session ends.
    pub(super) expires: Monotonic,
}

impl Member {
    pub(super) fn new(request: &JoinRequest, expires: Monotonic) -> Self {
        Self {
            instance_id: request.instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            session_timeout: request.session_timeout,
            rebalance_timeout: request.rebalance_timeout,
            assignors: request.assignors.clone(),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            has_synced: false,
            expires,
        }
    }

    /// One that was written: who it is, its session and rebalance timeouts, its assignors and its share.
    pub fn restored(
        (instance_id, client_id, client_host): (Option<String>, String, String),
        (session_timeout, rebalance_timeout): (Duration, Duration),
        (assignors, assignment): (Vec<Assignor>, Bytes),
        expires: Monotonic,
    ) -> Self {
        Self {
            instance_id,
            client_id,
            client_host,
            session_timeout,
            rebalance_timeout,
            assignors,
            assignment,
            joining: None,
            syncing: None,
            has_synced: true,
            expires,
        }
    }

    /// Takes over what a later join request says.
    pub(super) fn update(&mut self, request: &JoinRequest) {
        self.client_id.clone_from(&request.client_id);
        self.client_host.clone_from(&request.client_host);
        (self.session_timeout, self.rebalance_timeout) = (request.session_timeout, request.rebalance_timeout);
        self.assignors.clone_from(&request.assignors);
    }

    /// Its session begins anew.
    pub(super) fn refresh(&mut self, now: Monotonic) {
        self.expires = Monotonic(now.0 + self.session_timeout);
    }

    /// A member that waits for an answer of ours cannot be called silent.
    pub(super) fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    pub(super) fn supports(&self, name: &str) -> bool {
        self.assignors.iter().any(|assignor| assignor.name == name)
    }

    /// What it told the leader, for the chosen assignor.
    pub fn metadata(&self, name: &str) -> Bytes {
        let found = self.assignors.iter().find(|assignor| assignor.name == name);
        found.map(|assignor| assignor.metadata.clone()).unwrap_or_default()
    }
}
