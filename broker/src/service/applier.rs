//! Lets the replicas follow the cluster's image: each new one is applied on a thread that may block, and only then shown
//! to everybody else. Whoever sees an image here can rely on this broker acting on it. What the replicas have done is told
//! to the metadata, so that a log that vanishes later is missed.

use crate::{
    metadata::{ClusterState, Command, Handle},
    replication::Replicas,
};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The images that this broker acts on.
pub type AppliedImages = watch::Receiver<Arc<ClusterState>>;

/// Follows the metadata until that ends.
pub struct Applier {
    metadata: Handle,
    replicas: Replicas,
    applied: watch::Sender<Arc<ClusterState>>,
}

impl Applier {
    /// Applies the first image: one in which the broker is registered.
    pub async fn start(
        metadata: Handle,
        replicas: Replicas,
        first: Arc<ClusterState>,
    ) -> (Self, AppliedImages) {
        let (applied, images) = watch::channel(Arc::clone(&first));
        let applier = Self { metadata, replicas, applied };
        applier.apply(first).await;
        (applier, images)
    }

    /// Runs until it is stopped, or the metadata is closed; what is being applied is finished first. What arrives while
    /// one image is applied is skipped for the newest.
    pub async fn run(self, stop: CancellationToken) {
        let mut news = self.metadata.watch();
        // What changed between the first image and this call counts as news.
        news.mark_changed();
        while let Some(Ok(())) = stop.run_until_cancelled(news.changed()).await {
            let image = news.borrow_and_update().clone();
            if image.index > self.applied.borrow().index {
                self.apply(image).await;
            }
        }
    }

    /// Until the metadata has nothing more to be told: a topic's log takes records once the metadata knows that it exists,
    /// and only then is the image shown.
    async fn apply(&self, mut image: Arc<ClusterState>) {
        loop {
            let (replicas, next) = (self.replicas.clone(), Arc::clone(&image));
            let Ok(news) = tokio::task::spawn_blocking(move || replicas.apply_image(&next)).await else {
                // Only when the process ends.
                return;
            };
            let mut told = !news.is_empty();
            for command in news {
                told &= self.tell(command).await;
            }
            if !told {
                self.applied.send_replace(image);
                return;
            }
            image = self.metadata.image();
        }
    }

    async fn tell(&self, command: Command) -> bool {
        match self.metadata.propose(command.clone()).await {
            Ok(_) => true,
            Err(error) => {
                // The next image brings the same command again.
                tracing::warn!("the metadata does not take {command:?}: {error}");
                false
            }
        }
    }
}
