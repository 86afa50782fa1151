//! What the broker can be asked, whoever asks: the one type that listeners call. Every call takes a [`Context`] and passes
//! [`Admission`] before it does anything; nothing in here knows a wire format.

mod admission;
mod applier;
mod broker_configs;
mod config_changes;
mod configs;
mod fetch;
mod fetch_once;
mod groups;
mod maintenance;
mod offsets;
mod offsets_topic;
mod partitions;
mod produce;
mod produce_once;
mod producer_ids;
mod readiness;
mod ready_queue;
mod status;
mod topics;
mod watch;

pub use admission::{Admission, Context, Limits, ListenerKind, MemoryFor, MemoryPermit, Principal, Refusal};
pub use applier::{AppliedImages, Applier};
pub use broker_configs::{BrokerConfigError, BrokerSetting, KAFKA_NAMES};
pub use config_changes::{ConfigChange, ConfigChangeError, ConfigChanges};
pub use configs::{ConfigSource, ConfigSynonym, ConfigType, DescribedConfig, topic_configs};
pub use fetch::{FetchSession, Push, Subscription};
pub use fetch_once::FetchOnce;
pub use groups::GroupCallError;
pub use maintenance::{Maintenance, MaintenanceThread};
pub use offsets::{EpochEnd, EpochRequest, ListOffsetsError, OffsetRequest};
pub use partitions::{DeleteError, Deletion, DirectorySize};
pub use produce::{ProduceSession, ReplyPlace};
pub use produce_once::PendingBatches;
pub use producer_ids::{InitProducerError, ProducerIdentity};
pub use readiness::{Phase, Readiness};
pub use status::{ClusterStatus, DirectoryFacts};
pub use topics::{CreatedTopic, DescribedTopic, NewTopic, TopicChange, TopicError};
pub use watch::{News, WatchSession};

use crate::{
    clock::{Monotonic, SharedClock},
    coordinator::Coordinator,
    ids::BrokerId,
    metadata::Handle,
    replication::Replicas,
    telemetry::metrics::Metrics,
};
use producer_ids::ProducerIds;
use std::{fmt, future::Future, sync::Arc, time::Duration};
use tokio::sync::RwLock;

/// What a broker is put together from.
pub struct BrokerParts {
    /// Its number.
    pub id: BrokerId,
    /// What time it is.
    pub clock: SharedClock,
    /// What the cluster has agreed on.
    pub metadata: Handle,
    /// The images that this broker acts on.
    pub images: AppliedImages,
    /// The consumer groups.
    pub coordinator: Coordinator,
    /// The partitions.
    pub replicas: Replicas,
    /// Limits, and the door.
    pub admission: Admission,
    /// To be woken when something was written.
    pub maintenance: Maintenance,
    /// Where the broker is in its life.
    pub readiness: Readiness,
    /// Counters.
    pub metrics: Metrics,
    /// The data directory, for people.
    pub directory: DirectoryFacts,
    /// What it runs with, for people.
    pub settings: Vec<BrokerSetting>,
    /// Problems found at the start.
    pub start_problems: Vec<String>,
}

/// The broker. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

struct Inner {
    parts: BrokerParts,
    started: Monotonic,
    producer_ids: ProducerIds,
    /// Changes of topics share it; one that builds on what is set now has it alone.
    config_changes: RwLock<()>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("id", &self.inner.parts.id).finish_non_exhaustive()
    }
}

impl Broker {
    /// Puts it together.
    pub fn new(parts: BrokerParts) -> Self {
        let started = parts.clock.now();
        let (producer_ids, config_changes) = (ProducerIds::default(), RwLock::new(()));
        Self { inner: Arc::new(Inner { parts, started, producer_ids, config_changes }) }
    }

    /// Its number.
    pub fn id(&self) -> BrokerId {
        self.inner.parts.id
    }

    /// What time it is.
    pub fn clock(&self) -> &SharedClock {
        &self.inner.parts.clock
    }

    /// Limits, and the door.
    pub fn admission(&self) -> &Admission {
        &self.inner.parts.admission
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        self.admission().limits()
    }

    /// Where the broker is in its life.
    pub fn readiness(&self) -> &Readiness {
        &self.inner.parts.readiness
    }

    /// Counters.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.parts.metrics
    }

    fn metadata(&self) -> &Handle {
        &self.inner.parts.metadata
    }

    fn images(&self) -> AppliedImages {
        self.inner.parts.images.clone()
    }

    fn replicas(&self) -> &Replicas {
        &self.inner.parts.replicas
    }

    fn coordinator(&self) -> &Coordinator {
        &self.inner.parts.coordinator
    }

    fn maintenance(&self) -> &Maintenance {
        &self.inner.parts.maintenance
    }

    fn directory(&self) -> &DirectoryFacts {
        &self.inner.parts.directory
    }

    fn settings(&self) -> &[BrokerSetting] {
        &self.inner.parts.settings
    }

    fn config_changes(&self) -> &RwLock<()> {
        &self.inner.config_changes
    }

    fn producer_ids(&self) -> &ProducerIds {
        &self.inner.producer_ids
    }
}

/// The future's output, if it comes in time.
async fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(patience, future).await.ok()
}
