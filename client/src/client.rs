//! The handle from which everything begins. It owns every task and every connection: none outlives `close` or the
//! last handle.

use crate::{Addresses, Admin, ConnectError, ConsumerBuilder, ProducerBuilder};
use std::time::Duration;

/// A connection to a cluster. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Client;

/// Options of a [`Client`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before build"]
pub struct ClientBuilder;

impl Client {
    /// Connects to the first of these addresses that answers.
    ///
    /// # Errors
    /// None of them does.
    pub async fn connect(addresses: impl Into<Addresses>) -> Result<Self, ConnectError> {
        Self::builder(addresses).build().await
    }

    /// To choose more than addresses.
    pub fn builder(_addresses: impl Into<Addresses>) -> ClientBuilder {
        unimplemented!()
    }

    /// A producer's options.
    pub fn producer(&self) -> ProducerBuilder {
        unimplemented!()
    }

    /// A consumer's options.
    pub fn consumer(&self) -> ConsumerBuilder {
        unimplemented!()
    }

    /// Topics, offsets and the cluster's state.
    #[must_use]
    pub fn admin(&self) -> Admin {
        unimplemented!()
    }

    /// Ends every task and connection of this client. Its producers answer what is pending as
    /// [`OutcomeUnknown`](crate::ProduceError::OutcomeUnknown) or [`Closed`](crate::ProduceError::Closed): close
    /// them first.
    pub async fn close(&self) {
        unimplemented!()
    }
}

impl ClientBuilder {
    /// What the broker's logs call this client.
    pub fn client_id(self, _client_id: impl Into<String>) -> Self {
        unimplemented!()
    }

    /// How long one unary call may take. Default 30 s.
    pub fn request_timeout(self, _timeout: Duration) -> Self {
        unimplemented!()
    }

    /// How long `build` goes on trying while no broker answers. Default: one round through the addresses.
    pub fn wait_for_broker(self, _wait: Duration) -> Self {
        unimplemented!()
    }

    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// None of them does.
    pub async fn build(self) -> Result<Client, ConnectError> {
        unimplemented!()
    }
}
