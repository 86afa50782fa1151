//! One broker, put together. The node builds components, hands out their handles, and orders start and shutdown; it
//! decides nothing.
//!
//! Start: the directory is locked and the clean-shutdown file taken; sockets are bound; the stores recover; the metadata
//! gives the broker its epoch, which is durable before anything acts on it; the partitions follow the image; then
//! clients are served. Shutdown goes the other way, and the clean-shutdown file is the last thing written.

mod broker_settings;
mod error;
mod parts;
mod registration;
mod sockets;

pub use error::{ShutdownError, StartError};

use crate::{
    clock::SystemClock,
    config::Config,
    disk::{CleanShutdown, DataDirectory, OsDisk, SharedDisk},
    http::{self, HttpState},
    ids::BrokerEpoch,
    listener::{grpc, kafka},
    metadata::Handle,
    replication::Replicas,
    service::{Applier, Broker, MaintenanceThread, Phase},
    telemetry::metrics::Metrics,
};
use parts::Opened;
use registration::Registered;
use sockets::Sockets;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// After calls were given their time, the sockets get this much to close.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// A running broker. Dropping it is a crash: nothing is closed, what was acknowledged is safe.
pub struct Node {
    broker: Broker,
    metadata: Handle,
    replicas: Replicas,
    directory: DataDirectory,
    disk: SharedDisk,
    epoch: BrokerEpoch,
    addresses: Addresses,
    maintenance: MaintenanceThread,
    /// Ends what serves clients.
    stop: CancellationToken,
    listeners: JoinSet<Result<(), String>>,
    /// Ends what follows the metadata and the groups: only after the last change was answered.
    follow: CancellationToken,
    followers: JoinSet<()>,
    shutdown_timeout: Duration,
}

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    grpc: Option<SocketAddr>,
    kafka: Option<SocketAddr>,
    http: Option<SocketAddr>,
}

impl Node {
    /// Starts a broker on the machine's disk.
    ///
    /// # Errors
    /// See [`StartError`]; everything that was opened is closed again.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_on(OsDisk::shared(), config).await
    }

    /// Starts a broker on a given disk.
    ///
    /// # Errors
    /// See [`StartError`]; everything that was opened is closed again.
    pub async fn start_on(disk: SharedDisk, config: Config) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let sockets = Sockets::of(&config).await?;
        let (directory, last) = parts::open_directory(Arc::clone(&disk), Arc::clone(&config)).await?;
        let bound = sockets.bind().await?;
        let addresses = bound.addresses();
        let stop = CancellationToken::new();
        let state = HttpState::default();
        let mut listeners = JoinSet::new();
        if let Some(listener) = bound.http {
            listeners.spawn(http::serve(listener, state.clone(), stop.clone()));
        }
        let clock = SystemClock::shared();
        state.readiness.set(Phase::Starting("recovering the data directory"));
        let opened =
            parts::open_stores(Arc::clone(&disk), Arc::clone(&config), Arc::clone(&clock), &directory)
                .await?;
        state.readiness.set(Phase::Starting("registering the broker"));
        let endpoints = bound.endpoints;
        let registered = registration::register(&opened, directory, last, endpoints).await?;
        let Opened { metadata, replicas, problems, .. } = opened;
        let Registered { directory, epoch, image } = registered;
        let (applier, images) = Applier::start(metadata.clone(), replicas.clone(), image).await;
        let mut followers = JoinSet::new();
        let follow = CancellationToken::new();
        followers.spawn(applier.run(follow.clone()));
        let (broker, maintenance, groups) = parts::broker(parts::Foundation {
            config: &config,
            clock,
            disk: Arc::clone(&disk),
            directory: &directory,
            metadata: metadata.clone(),
            replicas: replicas.clone(),
            images,
            readiness: state.readiness.clone(),
            metrics: Metrics::new(),
            start_problems: problems,
        })?;
        followers.spawn(groups.run(stop.clone(), follow.clone()));
        serve_clients(&mut listeners, (bound.grpc, bound.kafka), &broker, &config, &stop);
        // Nobody else sets it.
        let _ = state.broker.set(broker.clone());
        state.readiness.set(Phase::Serving);
        Ok(Self {
            broker,
            metadata,
            replicas,
            directory,
            disk,
            epoch,
            addresses,
            maintenance,
            stop,
            listeners,
            follow,
            followers,
            shutdown_timeout: Duration::from_millis(config.shutdown_timeout_ms),
        })
    }

    /// Where gRPC clients connect; `None` when that listener is off.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.addresses.grpc
    }

    /// Where Kafka clients connect; `None` when that listener is off.
    pub fn kafka_address(&self) -> Option<SocketAddr> {
        self.addresses.kafka
    }

    /// Where health and metrics are; `None` when that listener is off.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.addresses.http
    }

    /// Where everything durable lives.
    pub fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    /// The broker, for calls within the process.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Returns when the broker cannot go on, with the reason.
    pub async fn failed(&mut self) -> NodeFailure {
        let mut fatal = self.metadata.fatal();
        tokio::select! {
            failure = fatal.wait_for(Option::is_some) => {
                let reason = failure.ok().and_then(|failure| failure.clone()).map(|failure| failure.to_string());
                NodeFailure::Metadata(reason.unwrap_or_else(|| "the metadata ended".into()))
            }
            Some(ended) = self.listeners.join_next() => {
                NodeFailure::Listener(match ended {
                    Ok(Err(problem)) => problem,
                    Ok(Ok(())) => "a listener ended by itself".into(),
                    Err(error) => format!("a listener failed: {error}"),
                })
            }
        }
    }

    /// Stops: new work is refused, what is in flight finishes within its time, everything is synced, and the clean-shutdown
    /// file is written.
    ///
    /// # Errors
    /// It was not a clean shutdown; the next start recovers.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        let Self { broker, metadata, replicas, directory, disk, mut listeners, mut followers, .. } = self;
        broker.readiness().set(Phase::ShuttingDown);
        replicas.begin_shutdown();
        broker.admission().close();
        self.stop.cancel();
        let served = tokio::time::timeout(self.shutdown_timeout, drain(&mut listeners)).await;
        if served.is_err() {
            tracing::warn!(
                "some clients did not finish in {:?} (shutdown-timeout-ms)",
                self.shutdown_timeout
            );
            listeners.abort_all();
            let _ = tokio::time::timeout(CLOSE_WITHIN, drain(&mut listeners)).await;
        }
        self.follow.cancel();
        while followers.join_next().await.is_some() {}
        let clean = CleanShutdown { broker_epoch: self.epoch, boot_id: disk.boot_id() };
        let maintenance = self.maintenance;
        let closing = tokio::task::spawn_blocking(move || {
            // A failure here is told by the close below.
            let _ = replicas.finish_appends();
            maintenance.stop();
            let decided = metadata.close();
            // Also when the metadata failed: what the partitions hold is made durable all the same.
            replicas.close().map_err(ShutdownError::Replicas)?;
            decided.map_err(ShutdownError::Metadata)?;
            replicas.with_reserve(|| directory.write_clean_shutdown(&clean)).map_err(ShutdownError::CleanFile)
        });
        closing.await.unwrap_or_else(|error| Err(ShutdownError::Cut(error.to_string())))
    }
}

/// Starts the listeners for clients that are on.
fn serve_clients(
    listeners: &mut JoinSet<Result<(), String>>,
    (grpc, kafka): (Option<TcpListener>, Vec<TcpListener>),
    broker: &Broker,
    config: &Config,
    stop: &CancellationToken,
) {
    if let Some(listener) = grpc {
        let options = parts::grpc_options(config);
        listeners.spawn(grpc::serve(listener, broker.clone(), options, stop.clone()));
    }
    if !kafka.is_empty() {
        let options = parts::kafka_options(config);
        listeners.spawn(kafka::serve(kafka, broker.clone(), options, stop.clone()));
    }
}

async fn drain(listeners: &mut JoinSet<Result<(), String>>) {
    while listeners.join_next().await.is_some() {}
}

/// Why a broker cannot go on.
#[derive(Clone, Debug)]
pub enum NodeFailure {
    /// The metadata journal failed: nothing can be decided any more.
    Metadata(String),
    /// A listener ended.
    Listener(String),
}

#[cfg(test)]
mod tests;
