//! Who leads which partition, as the cluster pushes it: a table that is replaced whole with each piece of news, and the
//! one task that listens for it.
//!
//! What always holds: a table that covers a wish (a topic's name, or a refresh) comes from a watch that was opened after
//! the wish, so that "no such topic" is never an old answer.

use crate::{
    client::Core,
    connection::{cluster_client, describe},
    retry::Backoff,
};
use bytes::Bytes;
use cairn_proto::v1::{TopicRouting, WatchRequest, WatchResponse};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// Watches are not opened more often than this, however many refreshes are asked for.
const REOPEN_INTERVAL: Duration = Duration::from_millis(20);

/// The partitions of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicRoute {
    pub(crate) name: Arc<str>,
    pub(crate) topic_id: Bytes,
    pub(crate) partitions: Vec<PartitionRoute>,
    /// The topic's `max.message.bytes`.
    pub(crate) message_bytes_max: usize,
}

impl TopicRoute {
    pub(crate) fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn partition(&self, partition: u32) -> Option<PartitionRoute> {
        self.partitions.get(usize::try_from(partition).ok()?).copied()
    }
}

/// Where one partition is led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartitionRoute {
    pub(crate) leader: Option<u32>,
    pub(crate) leader_epoch: i32,
}

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoutingTable {
    /// Wishes up to this one are answered.
    covers: u64,
    pub(crate) metadata_index: u64,
    brokers: BTreeMap<u32, Arc<str>>,
    topics: HashMap<Arc<str>, Arc<TopicRoute>>,
    missing: BTreeSet<String>,
    /// Why there is no news at the moment.
    trouble: Option<String>,
}

impl RoutingTable {
    pub(crate) fn topic(&self, name: &str) -> Option<&Arc<TopicRoute>> {
        self.topics.get(name)
    }

    pub(crate) fn is_missing(&self, name: &str) -> bool {
        self.missing.contains(name)
    }

    pub(crate) fn address(&self, broker: u32) -> Option<&Arc<str>> {
        self.brokers.get(&broker)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Arc<str>> {
        self.brokers.values()
    }

    /// Takes in a message of a watch; with `covers` it is the first one, a whole image.
    fn apply(&mut self, response: WatchResponse, covers: Option<u64>) {
        if let Some(covers) = covers {
            *self = Self { covers, ..Self::default() };
        }
        self.metadata_index = response.metadata_index;
        self.trouble = None;
        for broker in response.brokers {
            self.brokers.insert(broker.broker_id, broker.grpc_address.into());
        }
        for name in response.missing {
            self.topics.remove(name.as_str());
            self.missing.insert(name);
        }
        for topic in response.topics {
            self.missing.remove(&topic.name);
            let route = Arc::new(route(topic));
            self.topics.insert(Arc::clone(&route.name), route);
        }
    }
}

fn route(topic: TopicRouting) -> TopicRoute {
    // Numbers beyond the count would be gaps; they get no room by claiming it.
    let mut partitions = vec![PartitionRoute { leader: None, leader_epoch: -1 }; topic.partitions.len()];
    for partition in topic.partitions {
        let index = usize::try_from(partition.partition).unwrap_or(usize::MAX);
        if let Some(route) = partitions.get_mut(index) {
            *route = PartitionRoute {
                leader: u32::try_from(partition.leader).ok(),
                leader_epoch: partition.leader_epoch,
            };
        }
    }
    TopicRoute {
        name: topic.name.into(),
        topic_id: topic.topic_id,
        partitions,
        // A broker that does not say has its say when it sees the batch.
        message_bytes_max: match topic.max_message_bytes {
            0 => usize::MAX,
            bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
        },
    }
}

/// Why there is no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteError {
    Missing,
    Unreachable(String),
    Closed,
}

/// The table and what it should cover.
#[derive(Debug)]
pub(crate) struct Routing {
    table: watch::Sender<Arc<RoutingTable>>,
    wishes: Mutex<Wishes>,
    wished: Notify,
}

#[derive(Debug, Default)]
struct Wishes {
    names: BTreeSet<String>,
    version: u64,
}

impl Routing {
    pub(crate) fn new() -> Self {
        Self {
            table: watch::Sender::new(Arc::new(RoutingTable::default())),
            wishes: Mutex::new(Wishes::default()),
            wished: Notify::new(),
        }
    }

    pub(crate) fn table(&self) -> Arc<RoutingTable> {
        Arc::clone(&self.table.borrow())
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<RoutingTable>> {
        self.table.subscribe()
    }

    /// Asks for news that is newer than this call, of everything wanted so far and of `name`.
    pub(crate) fn refresh(&self, name: Option<&str>) -> u64 {
        let version = {
            let mut wishes = self.wishes.lock();
            wishes.names.extend(name.map(str::to_owned));
            wishes.version += 1;
            wishes.version
        };
        self.wished.notify_one();
        version
    }

    /// Finds a topic's partitions; waits for news of it at most `timeout`.
    pub(crate) async fn topic(&self, name: &str, timeout: Duration) -> Result<Arc<TopicRoute>, RouteError> {
        let mut tables = self.subscribe();
        if let Some(route) = tables.borrow().topic(name) {
            return Ok(Arc::clone(route));
        }
        let version = self.refresh(Some(name));
        let answered = tokio::time::timeout(timeout, tables.wait_for(|table| table.covers >= version)).await;
        match answered {
            Ok(Ok(table)) => table.topic(name).cloned().ok_or(RouteError::Missing),
            Ok(Err(_)) => Err(RouteError::Closed),
            Err(_) => {
                let trouble = self.table().trouble.clone();
                let trouble = trouble.unwrap_or_else(|| "no broker answered".to_owned());
                Err(RouteError::Unreachable(format!(
                    "no routing of topic {name:?} within {timeout:?}: {trouble}"
                )))
            }
        }
    }

    fn wishes(&self) -> (Vec<String>, u64) {
        let wishes = self.wishes.lock();
        (wishes.names.iter().cloned().collect(), wishes.version)
    }

    fn publish(&self, change: impl FnOnce(&mut RoutingTable)) {
        self.table.send_modify(|table| change(Arc::make_mut(table)));
    }
}

/// Listens for news until the client is closed: one watch at a time, on any broker that answers.
pub(crate) async fn run(core: Arc<Core>) {
    let stop = core.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = listen(&core) => {}
    }
}

async fn listen(core: &Core) {
    let mut backoff = Backoff::connecting();
    let mut turn = 0_usize;
    loop {
        while core.routing.wishes().0.is_empty() {
            core.routing.wished.notified().await;
        }
        let addresses = core.addresses();
        let Some(address) = addresses.get(turn % addresses.len().max(1)) else { return };
        // As long as this broker answers there is no reason to ask another.
        if let Err(trouble) = watch_broker(core, address, &mut backoff).await {
            tracing::debug!(%trouble, "the routing watch ended");
            core.routing.publish(|table| table.trouble = Some(trouble));
            tokio::time::sleep(backoff.wait(rand::random())).await;
            turn = turn.wrapping_add(1);
        }
    }
}

/// Watches through one broker. Ok: a new wish asks for a new watch. Err: why it ended.
async fn watch_broker(core: &Core, address: &str, backoff: &mut Backoff) -> Result<(), String> {
    let (topics, version) = core.routing.wishes();
    let channel = core.connections.channel(address).map_err(|error| error.to_string())?;
    let mut client = cluster_client(channel);
    let timeout = core.options.request_timeout;
    let opening = tokio::time::timeout(timeout, async {
        let mut stream = client.watch(WatchRequest { topics }).await?.into_inner();
        let image = stream.message().await?;
        Ok((stream, image))
    });
    let (mut stream, image) = match opening.await {
        Ok(Ok(opened)) => opened,
        Ok(Err(status)) => return Err(describe(address, &status)),
        Err(_) => return Err(format!("{address} did not answer within {timeout:?}")),
    };
    let ended = || format!("{address} ended the watch");
    core.routing.publish_image(image.ok_or_else(ended)?, version);
    backoff.reset();
    let pause = tokio::time::sleep(REOPEN_INTERVAL);
    tokio::pin!(pause);
    let mut may_reopen = false;
    loop {
        tokio::select! {
            message = stream.message() => match message {
                Ok(Some(news)) => core.routing.publish(|table| table.apply(news, None)),
                Ok(None) => return Err(ended()),
                Err(status) => return Err(describe(address, &status)),
            },
            () = &mut pause, if !may_reopen => may_reopen = true,
            () = core.routing.newer_wish(version), if may_reopen => return Ok(()),
        }
    }
}

impl Routing {
    fn publish_image(&self, image: WatchResponse, version: u64) {
        self.publish(|table| table.apply(image, Some(version)));
    }

    async fn newer_wish(&self, version: u64) {
        while self.wishes.lock().version <= version {
            self.wished.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_proto::v1::{BrokerEndpoint, PartitionRouting};

    fn topic(name: &str, leaders: &[i32]) -> TopicRouting {
        let partitions = leaders.iter().enumerate().map(|(partition, leader)| PartitionRouting {
            partition: u32::try_from(partition).unwrap(),
            leader: *leader,
            leader_epoch: 4,
        });
        TopicRouting { name: name.to_owned(), partitions: partitions.collect(), ..TopicRouting::default() }
    }

    fn broker(broker_id: u32, address: &str) -> BrokerEndpoint {
        BrokerEndpoint { broker_id, grpc_address: address.to_owned(), ..BrokerEndpoint::default() }
    }

    #[test]
    fn an_image_replaces_everything_and_news_adds_to_it() {
        let mut table = RoutingTable::default();
        let image = WatchResponse {
            brokers: vec![broker(1, "a:1")],
            topics: vec![topic("t", &[1, -1])],
            missing: vec!["u".to_owned()],
            ..WatchResponse::default()
        };
        table.apply(image, Some(3));
        assert_eq!(table.covers, 3);
        assert_eq!(table.topic("t").unwrap().partition(0).unwrap().leader, Some(1));
        assert_eq!(table.topic("t").unwrap().partition(1).unwrap().leader, None);
        assert!(table.topic("t").unwrap().partition(2).is_none());
        assert!(table.is_missing("u"));

        let news = WatchResponse {
            brokers: vec![broker(2, "b:1")],
            topics: vec![topic("u", &[2])],
            missing: vec!["t".to_owned()],
            ..WatchResponse::default()
        };
        table.apply(news, None);
        assert!(table.topic("t").is_none() && table.is_missing("t") && !table.is_missing("u"));
        assert_eq!(table.addresses().map(|address| &**address).collect::<Vec<_>>(), ["a:1", "b:1"]);

        table.apply(WatchResponse { topics: vec![topic("v", &[])], ..WatchResponse::default() }, Some(4));
        assert!(table.topic("u").is_none() && table.address(1).is_none());
    }

    #[test]
    fn a_claimed_partition_number_gets_no_room() {
        let mut routing = topic("t", &[1, 1]);
        routing.partitions[1].partition = u32::MAX;
        let route = route(routing);
        assert_eq!(route.partition_count(), 2);
        assert_eq!(route.partition(1).unwrap().leader, None);
        assert_eq!(route.message_bytes_max, usize::MAX);
    }
}
