//! The options of a producer, and which of them contradict each other.

use super::{Producer, Shared, driver, identity};
use crate::{
    Acks, Compression, ProduceError,
    client::Handle,
    config::{BATCH_BYTES_DEFAULT, BUFFER_BYTES_DEFAULT, DELIVERY_TIMEOUT_DEFAULT, LINGER_DEFAULT},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// The choices, as the producer uses them.
#[derive(Clone, Debug)]
pub(crate) struct ProducerOptions {
    pub(crate) acks: Acks,
    pub(crate) idempotent: bool,
    /// `None`: at once while nothing of the partition is unanswered, else at most the default.
    pub(crate) linger: Option<Duration>,
    pub(crate) batch_bytes: usize,
    pub(crate) compression: Compression,
    pub(crate) buffer_bytes: usize,
    pub(crate) delivery_timeout: Duration,
}

impl ProducerOptions {
    /// The longest that a record waits for company.
    pub(crate) fn linger_max(&self) -> Duration {
        self.linger.unwrap_or(LINGER_DEFAULT)
    }
}

/// Options of a [`Producer`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before build"]
pub struct ProducerBuilder {
    client: Arc<Handle>,
    options: ProducerOptions,
}

impl ProducerBuilder {
    pub(crate) fn new(client: Arc<Handle>) -> Self {
        let options = ProducerOptions {
            acks: Acks::All,
            idempotent: true,
            linger: None,
            batch_bytes: BATCH_BYTES_DEFAULT,
            compression: Compression::None,
            buffer_bytes: BUFFER_BYTES_DEFAULT,
            delivery_timeout: DELIVERY_TIMEOUT_DEFAULT,
        };
        Self { client, options }
    }

    /// What must have happened before a send is acknowledged. Default [`Acks::All`]. The others exclude
    /// idempotence: switch that off too.
    pub fn acks(mut self, acks: Acks) -> Self {
        self.options.acks = acks;
        self
    }

    /// Whether retries are recognised by the broker, so that each record is appended once and in order. Default true.
    /// Without it a retry may append a record twice, and behind its successors.
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.options.idempotent = idempotent;
        self
    }

    /// How long a record waits for others to share its batch. Unless set, a record is sent at once while nothing of
    /// its partition is unanswered, and otherwise waits at most 5 ms.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.options.linger = Some(linger);
        self
    }

    /// The size at which a batch is closed, before compression, in bytes. Default 256 KiB; a topic's
    /// `max.message.bytes` bounds it.
    pub fn batch_bytes(mut self, batch_bytes: usize) -> Self {
        self.options.batch_bytes = batch_bytes;
        self
    }

    /// How batches are compressed. Default [`Compression::None`].
    pub fn compression(mut self, compression: Compression) -> Self {
        self.options.compression = compression;
        self
    }

    /// Bytes of records that may be unanswered before a send waits. Default 64 MiB.
    pub fn buffer_bytes(mut self, buffer_bytes: usize) -> Self {
        self.options.buffer_bytes = buffer_bytes;
        self
    }

    /// From a record's send to its last possible answer. Default 2 minutes.
    pub fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.options.delivery_timeout = timeout;
        self
    }

    /// Makes the producer; an idempotent one asks a broker for its producer id.
    ///
    /// # Errors
    /// The options contradict each other, or no broker could be asked within the request timeout.
    pub async fn build(self) -> Result<Producer, ProduceError> {
        let Self { client, options } = self;
        check(&options)?;
        let core = Arc::clone(&client.core);
        let identity = if options.idempotent { Some(identity::first(&core).await?) } else { None };
        let shared = Arc::new(Shared::new(core, options, identity));
        let core = &shared.core;
        core.tasks.spawn(driver::run(Arc::clone(&shared)));
        Ok(Producer::new(shared, client))
    }
}

fn check(options: &ProducerOptions) -> Result<(), ProduceError> {
    let problem = |text: String| Err(ProduceError::InvalidOptions(text));
    if options.idempotent && options.acks != Acks::All {
        return problem(format!(
            "acks {:?} excludes idempotence: use Acks::All, or switch it off with idempotent(false) and accept that \
             a retry may append a record twice",
            options.acks
        ));
    }
    if options.batch_bytes == 0 {
        return problem("batch_bytes is 0: give at least 1".to_owned());
    }
    let buffer_bytes_max = Semaphore::MAX_PERMITS.min(usize::try_from(u32::MAX).unwrap_or(usize::MAX));
    if options.buffer_bytes == 0 || options.buffer_bytes > buffer_bytes_max {
        return problem(format!("buffer_bytes is {}: give 1 to {buffer_bytes_max}", options.buffer_bytes));
    }
    if options.delivery_timeout <= options.linger_max() {
        return problem(format!(
            "delivery_timeout {:?} is not longer than linger {:?}: no record could be delivered",
            options.delivery_timeout,
            options.linger_max()
        ));
    }
    Ok(())
}
