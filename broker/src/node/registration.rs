//! A process life begins: the cluster gets its identity at the first start, the broker its epoch at every start. The epoch
//! is durable on disk before the broker acts on it.

use super::{StartError, parts::Opened};
use crate::{
    disk::{DataDirectory, DirectoryError, LastShutdown},
    ids::{BrokerEpoch, ClusterId, IncarnationId},
    metadata::{ClusterState, Command, Endpoints, Outcome, Registration},
};
use std::sync::Arc;
use uuid::Uuid;

/// The broker is registered and may lead.
pub(super) struct Registered {
    pub(super) directory: DataDirectory,
    pub(super) epoch: BrokerEpoch,
    /// The image that says so.
    pub(super) image: Arc<ClusterState>,
}

/// Forms the cluster if need be, registers, makes the epoch durable, and leaves the fence.
pub(super) async fn register(
    opened: &Opened,
    mut directory: DataDirectory,
    last: LastShutdown,
    endpoints: Endpoints,
) -> Result<Registered, StartError> {
    let broker = directory.meta().broker;
    let disk_epoch = directory.broker_epoch().map_err(StartError::Directory)?;
    let registration = Registration {
        broker,
        incarnation: IncarnationId(Uuid::new_v4()),
        endpoints,
        rack: None,
        directories: vec![directory.meta().directory],
        clean_epoch: match last {
            LastShutdown::Clean(clean) => Some(clean.broker_epoch),
            LastShutdown::Unclean | LastShutdown::Damaged(_) => None,
        },
        disk_epoch,
        boot_id: opened.boot_id.clone(),
        suspect_logs: opened.suspect_logs.clone(),
    };
    let register = opened.metadata.propose(Command::RegisterBroker(registration));
    let (cluster, committed) = match opened.metadata.image().cluster {
        Some(cluster) => (cluster, register.await?),
        None => {
            let cluster = new_cluster(&directory)?;
            let form = opened.metadata.propose(Command::FormCluster { cluster });
            // In this order, and without waiting in between: they share a sync.
            let (formed, registered) = tokio::join!(biased; form, register);
            formed?;
            (cluster, registered?)
        }
    };
    let Outcome::Registered { epoch } = committed.outcome else {
        return Err(StartError::Process(format!("a registration was answered with {:?}", committed.outcome)));
    };
    let replicas = opened.replicas.clone();
    let durable = tokio::task::spawn_blocking(move || {
        let written = replicas.with_reserve(|| match directory.write_registration(cluster, epoch) {
            Err(DirectoryError::Disk(error)) => Err(error),
            other => Ok(other),
        });
        written.map_err(DirectoryError::Disk)??;
        Ok(directory)
    });
    let directory = durable
        .await
        .map_err(|error| StartError::Process(error.to_string()))?
        .map_err(StartError::Directory)?;
    opened.metadata.propose(Command::UnfenceBroker { broker, epoch }).await?;
    Ok(Registered { directory, epoch, image: opened.metadata.image() })
}

/// A directory that knows a cluster must not quietly begin another one: its metadata is gone.
fn new_cluster(directory: &DataDirectory) -> Result<ClusterId, StartError> {
    if let Some(known) = directory.meta().cluster {
        return Err(StartError::Process(format!(
            "{} belongs to cluster {known}, but its metadata is empty: restore its directory \"metadata\" from a copy, or start \
             with another --data-dir",
            directory.path().display()
        )));
    }
    Ok(ClusterId(Uuid::new_v4()))
}
