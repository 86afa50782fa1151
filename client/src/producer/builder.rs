//! The options of a producer, and which of them contradict each other.

use crate::{Acks, Compression, ProduceError, Producer};
use std::time::Duration;

/// Options of a [`Producer`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before build"]
pub struct ProducerBuilder;

impl ProducerBuilder {
    /// What must have happened before a send is acknowledged. Default [`Acks::All`]. The others exclude
    /// idempotence: switch that off too.
    pub fn acks(self, _acks: Acks) -> Self {
        unimplemented!()
    }

    /// Whether retries are recognised by the broker, so that each record is appended once and in order. Default true.
    pub fn idempotent(self, _idempotent: bool) -> Self {
        unimplemented!()
    }

    /// How long a record waits for others to share its batch. Unless set, a record is sent at once while nothing of
    /// its partition is unanswered, and otherwise waits at most 5 ms.
    pub fn linger(self, _linger: Duration) -> Self {
        unimplemented!()
    }

    /// The size at which a batch is closed, before compression, in bytes. Default 256 KiB; a topic's
    /// `max.message.bytes` bounds it.
    pub fn batch_bytes(self, _batch_bytes: usize) -> Self {
        unimplemented!()
    }

    /// How batches are compressed. Default [`Compression::None`].
    pub fn compression(self, _compression: Compression) -> Self {
        unimplemented!()
    }

    /// Bytes of records that may be unanswered before a send waits. Default 64 MiB.
    pub fn buffer_bytes(self, _buffer_bytes: usize) -> Self {
        unimplemented!()
    }

    /// From a record's send to its last possible answer. Default 2 minutes.
    pub fn delivery_timeout(self, _timeout: Duration) -> Self {
        unimplemented!()
    }

    /// Makes the producer; an idempotent one asks a broker for its producer id.
    ///
    /// # Errors
    /// The options contradict each other, or no broker could be asked within the request timeout.
    pub async fn build(self) -> Result<Producer, ProduceError> {
        unimplemented!()
    }
}
