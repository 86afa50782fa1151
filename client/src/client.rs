//! The handle from which everything begins. It owns every task and every connection: none outlives `close` or the
//! last handle.

use crate::{
    Addresses, Admin, ConnectError, ConsumerBuilder, ProducerBuilder, clock,
    config::REQUEST_TIMEOUT_DEFAULT,
    connection::{CallError, Connections, call, check_address, cluster_client},
    retry::Backoff,
    routing::{self, RouteError, Routing, TopicRoute},
};
use cairn_proto::v1::StatusRequest;
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Response, Status, transport::Channel};

/// A connection to a cluster. Cheap to clone; clones share it, and so do the producers, consumers and administrations
/// made from it. The last of them ends it.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
}

/// What all handles share, and no task holds: its end is the tasks' end.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.stop.cancel();
        self.core.tasks.close();
        self.core.connections.clear();
    }
}

/// What the tasks share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) options: ClientOptions,
    pub(crate) connections: Connections,
    pub(crate) routing: Routing,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the client is closed or the last handle is dropped.
    pub(crate) stop: CancellationToken,
}

/// What was chosen for a client.
#[derive(Clone, Debug)]
pub(crate) struct ClientOptions {
    pub(crate) addresses: Vec<String>,
    pub(crate) request_timeout: Duration,
}

impl Core {
    /// Addresses to ask, those given first, then those that the cluster told.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let mut addresses = self.options.addresses.clone();
        for address in self.routing.table().addresses() {
            if !addresses.iter().any(|known| **known == **address) {
                addresses.push(address.to_string());
            }
        }
        addresses
    }

    /// A topic's partitions.
    pub(crate) async fn route(&self, topic: &str) -> Result<Arc<TopicRoute>, RouteError> {
        tokio::select! {
            () = self.stop.cancelled() => Err(RouteError::Closed),
            route = self.routing.topic(topic, self.options.request_timeout) => route,
        }
    }

    /// Asks any broker: the next one where one cannot be reached, and with `repeatable` also where one does not answer.
    pub(crate) async fn ask_any<T, F>(
        &self,
        repeatable: bool,
        mut request: impl FnMut(Channel) -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut failures = Vec::new();
        for address in self.addresses() {
            let channel = match self.connections.channel(&address) {
                Ok(channel) => channel,
                Err(error) => {
                    failures.push(error.to_string());
                    continue;
                }
            };
            match call(&address, self.options.request_timeout, request(channel)).await {
                Err(CallError::NotSent(reason)) => failures.push(reason),
                Err(CallError::Lost(reason)) if repeatable => failures.push(reason),
                decided => return decided,
            }
        }
        Err(CallError::NotSent(format!("no broker reachable: {}", failures.join("; "))))
    }
}

/// Options of a [`Client`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before build"]
pub struct ClientBuilder {
    addresses: Addresses,
    client_id: String,
    request_timeout: Duration,
    wait: Duration,
}

impl Client {
    /// Connects to the first of these addresses that answers.
    ///
    /// # Errors
    /// None of them does.
    pub async fn connect(addresses: impl Into<Addresses>) -> Result<Self, ConnectError> {
        Self::builder(addresses).build().await
    }

    /// To choose more than addresses.
    pub fn builder(addresses: impl Into<Addresses>) -> ClientBuilder {
        ClientBuilder {
            addresses: addresses.into(),
            client_id: concat!("cairn-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            request_timeout: REQUEST_TIMEOUT_DEFAULT,
            wait: Duration::ZERO,
        }
    }

    /// A producer's options.
    pub fn producer(&self) -> ProducerBuilder {
        ProducerBuilder::new(Arc::clone(&self.handle))
    }

    /// A consumer's options.
    pub fn consumer(&self) -> ConsumerBuilder {
        ConsumerBuilder::new(Arc::clone(&self.handle))
    }

    /// Topics, offsets and the cluster's state.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::new(Arc::clone(&self.handle))
    }

    /// Ends every task and connection of this client and waits for them. Its producers answer what is pending as
    /// [`OutcomeUnknown`](crate::ProduceError::OutcomeUnknown) or [`Closed`](crate::ProduceError::Closed): close
    /// them first.
    pub async fn close(&self) {
        let core = &self.handle.core;
        core.stop.cancel();
        core.tasks.close();
        core.tasks.wait().await;
        core.connections.clear();
    }
}

impl ClientBuilder {
    /// What the broker's logs call this client.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// How long one unary call may take. Default 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long `build` goes on trying while no broker answers. Default: one round through the addresses.
    pub fn wait_for_broker(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// None of them does.
    pub async fn build(self) -> Result<Client, ConnectError> {
        let addresses = self.addresses.0;
        if addresses.is_empty() {
            return Err(ConnectError::NoAddress);
        }
        addresses.iter().try_for_each(|address| check_address(address))?;
        let core = Arc::new(Core {
            options: ClientOptions { addresses, request_timeout: self.request_timeout },
            connections: Connections::new(self.client_id),
            routing: Routing::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        let handle = Arc::new(Handle { core: Arc::clone(&core) });
        let give_up = clock::now() + self.wait;
        let mut backoff = Backoff::connecting();
        let ask = |channel| async move { cluster_client(channel).status(StatusRequest {}).await };
        while let Err(error) = core.ask_any(true, ask).await {
            let wait = backoff.wait(rand::random());
            if matches!(error, CallError::TurnedAway(_)) || clock::now() + wait >= give_up {
                let attempts = error.reason();
                let attempts = attempts.strip_prefix("no broker reachable: ").unwrap_or(attempts).to_owned();
                return Err(ConnectError::Unreachable { attempts });
            }
            tokio::time::sleep(wait).await;
        }
        core.tasks.spawn(routing::run(Arc::clone(&core)));
        Ok(Client { handle })
    }
}
