//! The options of a consumer.

use crate::{ConsumeError, Consumer, OutOfRange, StartAt};

/// Options of a [`Consumer`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before build"]
pub struct ConsumerBuilder;

impl ConsumerBuilder {
    pub(crate) fn new(_client: std::sync::Arc<crate::client::Handle>) -> Self {
        unimplemented!()
    }
}

impl ConsumerBuilder {
    /// Adds partitions of a topic.
    pub fn assign(self, _topic: impl Into<String>, _partitions: impl IntoIterator<Item = u32>) -> Self {
        unimplemented!()
    }

    /// Adds all partitions that the topic has when `build` is called.
    pub fn assign_all(self, _topic: impl Into<String>) -> Self {
        unimplemented!()
    }

    /// Where to begin in every partition. Default [`StartAt::End`].
    pub fn from(self, _start: StartAt) -> Self {
        unimplemented!()
    }

    /// What to do when an offset is not in the log. Default [`OutOfRange::Error`].
    pub fn out_of_range(self, _policy: OutOfRange) -> Self {
        unimplemented!()
    }

    /// Bytes that brokers may push ahead of the application. Default 16 MiB.
    pub fn buffer_bytes(self, _buffer_bytes: usize) -> Self {
        unimplemented!()
    }

    /// Finds the partitions and where to begin in them.
    ///
    /// # Errors
    /// A topic or partition does not exist, or no broker could be asked within the request timeout.
    pub async fn build(self) -> Result<Consumer, ConsumeError> {
        unimplemented!()
    }
}
