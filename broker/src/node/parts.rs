//! How each component is built from the configuration. Plain wiring: what goes where, and on which thread.

use super::{StartError, broker_settings};
use crate::{
    clock::SharedClock,
    config::Config,
    coordinator::{Coordinator, CoordinatorParts, GroupOptions, Worker},
    disk::{DataDirectory, LastShutdown, SharedDisk},
    ids::{BrokerId, DirectoryId, LogId},
    listener::{ConnectionLimits, grpc::GrpcOptions, kafka::KafkaOptions},
    metadata::{Handle, MetadataOptions, MetadataSetup},
    replication::{
        CommitDriver, Lanes, RecoveryReport, Replicas, ReplicasOptions, ReplicasSetup, StoreOptions,
    },
    service::{
        Admission, AppliedImages, Broker, BrokerParts, DirectoryFacts, Limits, Maintenance,
        MaintenanceThread, Readiness,
    },
    storage::{CompactorOptions, JournalOptions},
    telemetry::metrics::Metrics,
};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// What recovery gave.
pub(super) struct Opened {
    pub(super) metadata: Handle,
    pub(super) replicas: Replicas,
    pub(super) suspect_logs: Vec<LogId>,
    pub(super) boot_id: Option<String>,
    /// For people.
    pub(super) problems: Vec<String>,
}

/// Runs what may wait for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StartError::Process(error.to_string()))?
}

/// Locks the directory, and takes what the broker before this one left.
pub(super) async fn open_directory(
    disk: SharedDisk,
    config: Arc<Config>,
) -> Result<(DataDirectory, LastShutdown), StartError> {
    blocking(move || {
        let path = &config.data_dir;
        let identity = DirectoryId(Uuid::new_v4());
        let refused = |error| StartError::directory(path.clone(), error);
        let directory = DataDirectory::open_or_create(disk, path, BrokerId(config.broker_id), identity)
            .map_err(refused)?;
        let last = directory.take_last_shutdown().map_err(refused)?;
        if let LastShutdown::Damaged(error) = &last {
            tracing::warn!("treated as an unclean shutdown: {error}");
        }
        Ok((directory, last))
    })
    .await
}

/// Recovers both stores, at the same time: neither needs the other.
pub(super) async fn open_stores(
    disk: SharedDisk,
    config: Arc<Config>,
    clock: SharedClock,
    directory: &DataDirectory,
) -> Result<Opened, StartError> {
    let boot_id = disk.boot_id();
    let metadata = MetadataSetup {
        disk: Arc::clone(&disk),
        path: directory.path().join("metadata"),
        options: MetadataOptions::default(),
        clock: Arc::clone(&clock),
        driver: CommitDriver::Thread,
    };
    let replicas = ReplicasSetup {
        disk,
        path: directory.path().join("data"),
        broker: directory.meta().broker,
        options: replicas_options(&config),
        clock,
        driver: CommitDriver::Thread,
        lanes: Lanes::Threads(config.append_lanes),
    };
    let metadata = blocking(move || Ok(Handle::open(metadata)?));
    // Both are waited for, also when one fails: nothing is being opened any more when the directory's lock goes.
    let (metadata, replicas) = tokio::join!(metadata, open_replicas(replicas));
    let (metadata, (replicas, report)) = (metadata?, replicas?);
    let (suspect_logs, problems) = (report.suspect_logs, report.problems);
    Ok(Opened { metadata, replicas, suspect_logs, boot_id, problems })
}

async fn open_replicas(setup: ReplicasSetup) -> Result<(Replicas, RecoveryReport), StartError> {
    blocking(move || {
        let (replicas, report) = Replicas::open(setup)?;
        if let Some(torn) = &report.torn_tail {
            tracing::info!(
                "the journal was cut behind its last whole frame, nothing acknowledged is missing: {torn}"
            );
        }
        for problem in &report.problems {
            tracing::warn!("recovery: {problem}");
        }
        tracing::info!(
            logs = report.logs,
            frames = report.frames_replayed,
            journal_bytes = report.journal_bytes_read,
            "the data directory is recovered"
        );
        Ok((replicas, report))
    })
    .await
}

fn replicas_options(config: &Config) -> ReplicasOptions {
    ReplicasOptions {
        store: StoreOptions {
            journal: JournalOptions {
                ring_bytes_max: config.journal_ring_bytes_max,
                file_bytes_max: config.journal_file_bytes_max,
                group_bytes_max: config.journal_group_bytes_max,
                queue_bytes_max: config.journal_queue_bytes_max,
                ..JournalOptions::default()
            },
            checkpoint_after_bytes: config.checkpoint_after_bytes,
            index_interval_bytes: config.index_interval_bytes,
            open_segments_max: config.segment_open_max,
            reserve_bytes: config.reserve_bytes,
            compaction: CompactorOptions {
                memory_bytes: config.compaction_memory_bytes,
                bytes_per_second: config.compaction_bytes_per_second,
                interval: Duration::from_millis(config.compaction_interval_ms),
            },
            producer_expiry_ms: config.producer_expiry_ms,
            ..StoreOptions::default()
        },
        ..ReplicasOptions::default()
    }
}

/// What a [`Broker`] stands on.
pub(super) struct Foundation<'a> {
    pub(super) config: &'a Config,
    pub(super) clock: SharedClock,
    pub(super) disk: SharedDisk,
    pub(super) directory: &'a DataDirectory,
    pub(super) metadata: Handle,
    pub(super) replicas: Replicas,
    pub(super) images: AppliedImages,
    pub(super) readiness: Readiness,
    pub(super) metrics: Metrics,
    pub(super) start_problems: Vec<String>,
}

/// The broker, its background thread, and the task of its consumer groups.
pub(super) fn broker(foundation: Foundation<'_>) -> Result<(Broker, MaintenanceThread, Worker), StartError> {
    let meta = foundation.directory.meta();
    let maintenance = Maintenance::default();
    let (coordinator, worker) = coordinator(&foundation, &maintenance);
    let replicas = foundation.replicas.clone();
    let thread = maintenance
        .start(move || replicas.maintain())
        .map_err(|error| StartError::Process(format!("cannot start the maintenance thread: {error}")))?;
    let broker = Broker::new(BrokerParts {
        id: meta.broker,
        admission: Admission::new(limits(foundation.config), Arc::clone(&foundation.clock)),
        clock: foundation.clock,
        metadata: foundation.metadata,
        images: foundation.images,
        coordinator,
        replicas: foundation.replicas,
        maintenance,
        readiness: foundation.readiness,
        metrics: foundation.metrics,
        directory: DirectoryFacts {
            id: meta.directory,
            path: foundation.directory.path().to_path_buf(),
            disk: foundation.disk,
        },
        settings: broker_settings::of(foundation.config),
        start_problems: foundation.start_problems,
    });
    Ok((broker, thread, worker))
}

/// The coordinator of consumer groups, and its task.
fn coordinator(foundation: &Foundation<'_>, maintenance: &Maintenance) -> (Coordinator, Worker) {
    let config = foundation.config;
    let maintenance = maintenance.clone();
    let groups = GroupOptions {
        session_timeout_min: Duration::from_millis(config.group_session_timeout_min_ms),
        session_timeout_max: Duration::from_millis(config.group_session_timeout_max_ms),
        initial_rebalance_delay: Duration::from_millis(config.group_initial_rebalance_delay_ms),
        members_max: config.group_members_max,
    };
    Coordinator::new(CoordinatorParts {
        broker: foundation.directory.meta().broker,
        replicas: foundation.replicas.clone(),
        clock: Arc::clone(&foundation.clock),
        images: foundation.images.clone(),
        on_written: Arc::new(move || maintenance.wake()),
        groups,
        retention: Duration::from_millis(config.offsets_retention_ms),
    })
}

fn limits(config: &Config) -> Limits {
    Limits {
        request_memory_bytes_max: config.request_memory_bytes_max,
        produce_stream_bytes_max: config.produce_stream_bytes_max,
        produce_stream_requests_max: config.produce_stream_requests_max,
        subscriptions_per_stream_max: config.subscriptions_per_stream_max,
        fetch_response_bytes: config.fetch_response_bytes,
        fetch_response_bytes_max: config.fetch_response_bytes_max,
        offset_queries_max: config.offset_queries_max,
        watch_topics_max: config.watch_topics_max,
        cold_reads_max: config.cold_reads_max,
        default_partitions: config.default_partitions,
        default_replication_factor: config.default_replication_factor,
        offsets_topic_partitions: config.offsets_topic_partitions,
        partitions_per_topic_max: config.partitions_per_topic_max,
        partitions_max: config.partitions_max,
        request_timeout: Duration::from_millis(config.request_timeout_ms),
    }
}

/// Those of each listener for clients.
fn connection_limits(config: &Config) -> ConnectionLimits {
    ConnectionLimits {
        connections_max: config.connections_max,
        handshake_timeout: Duration::from_millis(config.handshake_timeout_ms),
    }
}

/// The Kafka listener's.
pub(super) fn kafka_options(config: &Config) -> KafkaOptions {
    KafkaOptions {
        connections: connection_limits(config),
        request_bytes_max: config.request_bytes_max,
        request_timeout: Duration::from_millis(config.request_timeout_ms),
        idle_timeout: Duration::from_millis(config.kafka_idle_timeout_ms),
        auto_create_topics: config.auto_create_topics,
    }
}

/// The gRPC listener's.
pub(super) fn grpc_options(config: &Config) -> GrpcOptions {
    GrpcOptions {
        connections: connection_limits(config),
        streams_per_connection_max: config.streams_per_connection_max,
        request_bytes_max: config.request_bytes_max,
        stream_window_bytes: config.stream_window_bytes,
        connection_window_bytes: config.connection_window_bytes,
        keepalive_interval: Duration::from_millis(config.keepalive_interval_ms),
        keepalive_timeout: Duration::from_millis(config.keepalive_timeout_ms),
    }
}
