//! News of the cluster for clients that route by it: first everything they asked for, then what has changed, whenever it
//! changes. Built from the images that this broker acts on, so that nobody is sent here before there is something to find.
//! A slow client skips to the newest image; it never misses the last state.

use super::{Broker, Context, Refusal};
use crate::{
    ids::BrokerId,
    metadata::{BrokerRecord, ClusterState, Topic},
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::watch;

/// What is new.
#[derive(Clone, Debug)]
pub struct News {
    /// The image it comes from.
    pub image: Arc<ClusterState>,
    /// Brokers that are new or have changed.
    pub brokers: Vec<(BrokerId, BrokerRecord)>,
    /// Topics that are new or have changed, by name.
    pub topics: Vec<Arc<Topic>>,
    /// Names that were asked for, or shown before, and are no topic's (any more).
    pub missing: Vec<String>,
}

/// One client's watch.
pub struct WatchSession {
    images: watch::Receiver<Arc<ClusterState>>,
    /// `None`: all topics.
    names: Option<BTreeSet<String>>,
    seen: Option<Arc<ClusterState>>,
}

impl Broker {
    /// Begins a watch of the topics of these names; of all, if there are none.
    ///
    /// # Errors
    /// Too many names, or the broker is shutting down.
    pub fn watch(&self, context: &Context, names: Vec<String>) -> Result<WatchSession, Refusal> {
        self.admission().admit(context)?;
        let (given, max) = (names.len(), self.limits().watch_topics_max);
        if given > max {
            return Err(Refusal::TooMuch { what: "topic names", given, max, limit: "watch-topics-max" });
        }
        let names = (!names.is_empty()).then(|| names.into_iter().collect());
        Ok(WatchSession { images: self.images(), names, seen: None })
    }
}

impl WatchSession {
    /// The next news; `None` when the broker ends. Cancel-safe.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            if self.seen.is_some() {
                self.images.changed().await.ok()?;
            }
            let image = self.images.borrow_and_update().clone();
            let before = self.seen.replace(image.clone());
            if let Some(news) = news(before.as_deref(), image, self.names.as_ref()) {
                return Some(news);
            }
        }
    }
}

/// What `image` has that `before` had not. `None` when there is nothing to tell.
fn news(
    before: Option<&ClusterState>,
    image: Arc<ClusterState>,
    names: Option<&BTreeSet<String>>,
) -> Option<News> {
    let nothing = ClusterState::new();
    let old = before.unwrap_or(&nothing);
    let brokers = changed_brokers(old, &image);
    let (topics, missing) = match names {
        Some(names) => changed_named(before, &image, names),
        None => changed_of_all(old, &image),
    };
    let something = before.is_none_or(|before| before.index < image.index)
        && (before.is_none() || !(brokers.is_empty() && topics.is_empty() && missing.is_empty()));
    something.then_some(News { image, brokers, topics, missing })
}

fn changed_brokers(old: &ClusterState, image: &ClusterState) -> Vec<(BrokerId, BrokerRecord)> {
    let changed = image.brokers.iter().filter(|(id, record)| old.brokers.get(*id) != Some(*record));
    changed.map(|(id, record)| (*id, record.clone())).collect()
}

fn changed_named(
    before: Option<&ClusterState>,
    image: &ClusterState,
    names: &BTreeSet<String>,
) -> (Vec<Arc<Topic>>, Vec<String>) {
    let (mut topics, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        let old = before.and_then(|before| before.topic_by_name(name));
        match (old, image.topic_by_name(name)) {
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {}
            (_, Some(new)) => topics.push(new.clone()),
            (None, None) if before.is_some() => {}
            (_, None) => missing.push(name.clone()),
        }
    }
    (topics, missing)
}

/// Images share what did not change, so that only the difference is walked.
fn changed_of_all(old: &ClusterState, image: &ClusterState) -> (Vec<Arc<Topic>>, Vec<String>) {
    use imbl::ordmap::DiffItem;
    let (mut topics, mut missing) = (Vec::new(), Vec::new());
    for change in old.topics.diff(&image.topics) {
        match change {
            DiffItem::Add(_, topic) | DiffItem::Update { new: (_, topic), .. } => topics.push(topic.clone()),
            DiffItem::Remove(_, topic) if !image.names.contains_key(&topic.name) => {
                missing.push(topic.name.clone());
            }
            // Deleted and made again under the same name: the new one is told above.
            DiffItem::Remove(..) => {}
        }
    }
    topics.sort_by(|left, right| left.name.cmp(&right.name));
    (topics, missing)
}
