//! The options of a consumer in a group, and how it joins.

use super::{GroupConsumer, Options, session};
use crate::{ConsumeError, GroupError, OffsetReset, client::Handle};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

const SESSION_TIMEOUT_DEFAULT: Duration = Duration::from_secs(45);
const REBALANCE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);
const AUTO_COMMIT_INTERVAL_DEFAULT: Duration = Duration::from_secs(5);

/// Options of a [`GroupConsumer`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before build"]
pub struct GroupConsumerBuilder {
    client: Arc<Handle>,
    group: String,
    buffer_bytes: usize,
    options: Options,
}

impl GroupConsumerBuilder {
    pub(crate) fn new(client: Arc<Handle>, group: String, buffer_bytes: usize) -> Self {
        let options = Options {
            topics: BTreeSet::new(),
            instance_id: None,
            session_timeout: SESSION_TIMEOUT_DEFAULT,
            rebalance_timeout: REBALANCE_TIMEOUT_DEFAULT,
            auto_commit: Some(AUTO_COMMIT_INTERVAL_DEFAULT),
            reset: OffsetReset::default(),
        };
        Self { client, group, buffer_bytes, options }
    }

    /// The topics to read. One that does not exist yet is read from when it does.
    pub fn topics<T: Into<String>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.options.topics.extend(topics.into_iter().map(Into::into));
        self
    }

    /// Makes this a static member: when its process is started anew within the session timeout, it has the same partitions as
    /// before, and nothing moves meanwhile. Two processes must not share an id: the later one takes the place of the other.
    pub fn instance_id(mut self, instance_id: impl Into<String>) -> Self {
        self.options.instance_id = Some(instance_id.into());
        self
    }

    /// When nothing was heard of this member for so long, its partitions go to the others. Default 45 s; the broker allows 6 s
    /// to 30 min unless it is configured otherwise.
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.options.session_timeout = timeout;
        self
    }

    /// How long the application may take to come back for the next record when partitions are to be given up; longer, and the
    /// group goes on without this member. Default 5 min, at least the session timeout.
    pub fn rebalance_timeout(mut self, timeout: Duration) -> Self {
        self.options.rebalance_timeout = timeout;
        self
    }

    /// Commits by itself, every so often, before partitions are given up, and at [`close`](GroupConsumer::close): what the
    /// application was handed *and came back from*, by asking for the next record. Default every 5 s.
    pub fn auto_commit(mut self, interval: Duration) -> Self {
        self.options.auto_commit = Some(interval);
        self
    }

    /// Commits only what [`commit`](GroupConsumer::commit) says.
    pub fn manual_commit(mut self) -> Self {
        self.options.auto_commit = None;
        self
    }

    /// Where to begin in a partition for which the group has committed nothing. Default [`OffsetReset::Earliest`].
    pub fn offset_reset(mut self, reset: OffsetReset) -> Self {
        self.options.reset = reset;
        self
    }

    /// Bytes that brokers may push ahead of the application. Default 16 MiB.
    pub fn buffer_bytes(mut self, buffer_bytes: usize) -> Self {
        self.buffer_bytes = buffer_bytes;
        self
    }

    /// Joins the group. Partitions come as [`GroupEvent::Assigned`](super::GroupEvent::Assigned).
    ///
    /// # Errors
    /// The options contradict each other, the group refuses this member, or no coordinator answered within the request
    /// timeout.
    pub async fn build(self) -> Result<GroupConsumer, ConsumeError> {
        let invalid = |text: &str| Err(GroupError::InvalidOptions(text.to_owned()).into());
        if self.options.topics.is_empty() {
            return invalid("no topic is chosen: use topics");
        }
        if self.buffer_bytes == 0 {
            return invalid("buffer_bytes is 0: give at least 1");
        }
        if self.options.auto_commit.is_some_and(|interval| interval.is_zero()) {
            return invalid("the interval of automatic commits is 0: give more, or use manual_commit");
        }
        session::join(self.client, self.group, self.buffer_bytes, self.options).await
    }
}
