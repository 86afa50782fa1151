//! Lets the replicas follow the cluster's image: each new one is applied on a thread that may block, and only then shown
//! to everybody else. Whoever sees an image here can rely on this broker acting on it. What the replicas have done is told
//! to the metadata, so that a log that vanishes later is missed.

use super::offsets_topic;
use crate::{
    metadata::{ClusterState, Command, Handle},
    replication::Replicas,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What the metadata did not take is offered again after this long.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The images that this broker acts on.
pub type AppliedImages = watch::Receiver<Arc<ClusterState>>;

/// Follows the metadata until that ends.
pub struct Applier {
    metadata: Handle,
    replicas: Replicas,
    applied: watch::Sender<Arc<ClusterState>>,
    /// The metadata did not take all that it was told: it is told again after a while.
    untold: bool,
}

impl Applier {
    /// Applies the first image: one in which the broker is registered.
    pub async fn start(
        metadata: Handle,
        replicas: Replicas,
        first: Arc<ClusterState>,
    ) -> (Self, AppliedImages) {
        let (applied, images) = watch::channel(Arc::clone(&first));
        let mut applier = Self { metadata, replicas, applied, untold: false };
        applier.apply(first).await;
        (applier, images)
    }

    /// Runs until it is stopped, or the metadata is closed; what is being applied is finished first. What arrives while
    /// one image is applied is skipped for the newest.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut news = self.metadata.watch();
        // What changed between the first image and this call counts as news.
        news.mark_changed();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = news.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(TELL_AGAIN_AFTER), if self.untold => {}
            }
            let image = news.borrow_and_update().clone();
            let newer = image.index > self.applied.borrow().index;
            if newer || self.untold {
                self.apply(image).await;
            }
        }
    }

    /// Until the metadata has nothing more to be told: a topic's log takes records once the metadata knows that it exists,
    /// and only then is the image shown. What the metadata does not take is offered again later.
    async fn apply(&mut self, mut image: Arc<ClusterState>) {
        loop {
            let (replicas, next) = (self.replicas.clone(), Arc::clone(&image));
            let Ok(mut news) = tokio::task::spawn_blocking(move || replicas.apply_image(&next)).await else {
                // Only when the process ends.
                return;
            };
            news.extend(offsets_topic::correction(&image));
            let something = !news.is_empty();
            self.untold = !self.tell(news).await;
            if self.untold || !something {
                self.applied.send_replace(image);
                return;
            }
            image = self.metadata.image();
        }
    }

    /// In their order; `false` at the first that is not taken.
    async fn tell(&self, news: Vec<Command>) -> bool {
        for command in news {
            if let Err(error) = self.metadata.propose(command).await {
                tracing::warn!("the metadata does not take what this broker has done, trying again: {error}");
                return false;
            }
        }
        true
    }
}
