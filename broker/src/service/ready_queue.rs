//! Which subscriptions of one fetch session have something to read. Woken from journal and lane threads, emptied by the
//! session's task; a wake is a push and a notify, nothing else.

use crate::replication::FetchWaker;
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// First in, first out; a token stands in it at most as often as it was waited for.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    tokens: Mutex<VecDeque<u64>>,
    pushed: Notify,
}

impl ReadyQueue {
    /// The token whose turn it is.
    pub(super) fn pop(&self) -> Option<u64> {
        self.tokens.lock().pop_front()
    }

    /// Behind all others.
    pub(super) fn push(&self, token: u64) {
        self.tokens.lock().push_back(token);
        self.pushed.notify_one();
    }

    /// Returns when something was pushed since it was last waited for. Cancel-safe.
    pub(super) async fn pushed(&self) {
        self.pushed.notified().await;
    }
}

impl FetchWaker for ReadyQueue {
    fn wake(&self, token: u64) {
        self.push(token);
    }
}
