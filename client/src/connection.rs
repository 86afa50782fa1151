//! Channels to brokers, one per address, with the settings that matter for large batches; and calls with a deadline each
//! that tell "never sent" from "sent and not answered".

use crate::{
    ConnectError,
    config::{CONNECT_TIMEOUT_DEFAULT, DECODED_MESSAGE_BYTES_MAX},
};
use cairn_proto::v1::{
    admin_client::AdminClient, cluster_client::ClusterClient, groups_client::GroupsClient,
    log_client::LogClient,
};
use parking_lot::Mutex;
use std::{collections::HashMap, error::Error as _, time::Duration};
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint},
};

/// The one setting of HTTP/2 that decides throughput: a default frame holds 16 KiB.
const FRAME_BYTES_MAX: u32 = 1024 * 1024;
const STREAM_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// A peer that vanished without a word is noticed after these two together.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// All channels of one client.
#[derive(Debug)]
pub(crate) struct Connections {
    client_id: String,
    channels: Mutex<HashMap<String, Channel>>,
}

impl Connections {
    pub(crate) fn new(client_id: String) -> Self {
        Self { client_id, channels: Mutex::new(HashMap::new()) }
    }

    /// The channel to this address. It connects when it is first used, and again when it was lost.
    pub(crate) fn channel(&self, address: &str) -> Result<Channel, ConnectError> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        let channel = endpoint(address, &self.client_id)?.connect_lazy();
        channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }

    /// Closes what nobody uses any more.
    pub(crate) fn clear(&self) {
        self.channels.lock().clear();
    }
}

/// Checks an address without using it.
pub(crate) fn check_address(address: &str) -> Result<(), ConnectError> {
    endpoint(address, "").map(drop)
}

fn endpoint(address: &str, client_id: &str) -> Result<Endpoint, ConnectError> {
    let invalid = |reason: String| ConnectError::InvalidAddress { address: address.to_owned(), reason };
    let (host, port) = address.rsplit_once(':').ok_or_else(|| invalid("there is no port".to_owned()))?;
    if host.is_empty() {
        return Err(invalid("there is no host".to_owned()));
    }
    match port.parse::<u16>() {
        Ok(0) => return Err(invalid("port 0 cannot be connected to".to_owned())),
        Ok(_) => {}
        Err(error) => return Err(invalid(format!("port {port:?}: {error}"))),
    }
    let endpoint =
        Endpoint::from_shared(format!("http://{address}")).map_err(|error| invalid(error.to_string()))?;
    let endpoint = endpoint.user_agent(client_id).map_err(|error| invalid(error.to_string()))?;
    Ok(endpoint
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT_DEFAULT)
        .max_frame_size(FRAME_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true))
}

pub(crate) fn log_client(channel: Channel) -> LogClient<Channel> {
    LogClient::new(channel)
        .max_decoding_message_size(DECODED_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(usize::MAX)
}

pub(crate) fn admin_client(channel: Channel) -> AdminClient<Channel> {
    AdminClient::new(channel).max_decoding_message_size(DECODED_MESSAGE_BYTES_MAX)
}

pub(crate) fn cluster_client(channel: Channel) -> ClusterClient<Channel> {
    ClusterClient::new(channel).max_decoding_message_size(DECODED_MESSAGE_BYTES_MAX)
}

pub(crate) fn groups_client(channel: Channel) -> GroupsClient<Channel> {
    GroupsClient::new(channel).max_decoding_message_size(DECODED_MESSAGE_BYTES_MAX)
}

/// Why a call has no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The request certainly took no effect.
    NotSent(String),
    /// The broker turned it away before it was looked at: another attempt would be as well.
    TurnedAway(String),
    /// It was sent, and what became of it is not known.
    Lost(String),
}

impl CallError {
    /// Its text.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::NotSent(reason) | Self::TurnedAway(reason) | Self::Lost(reason) => reason,
        }
    }
}

/// Waits for one unary call, at most `timeout`.
pub(crate) async fn call<T>(
    address: &str,
    timeout: Duration,
    request: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(timeout, request).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(classify(address, &status)),
        Err(_) => Err(CallError::Lost(format!("{address} did not answer within {timeout:?}"))),
    }
}

fn classify(address: &str, status: &Status) -> CallError {
    let reason = describe(address, status);
    match status.code() {
        _ if never_connected(status) => CallError::NotSent(reason),
        Code::InvalidArgument
        | Code::Unimplemented
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::NotFound => CallError::TurnedAway(reason),
        Code::ResourceExhausted => CallError::NotSent(reason),
        _ => CallError::Lost(reason),
    }
}

fn never_connected(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// A status with its deepest cause, which is the one that says something ("Connection refused").
pub(crate) fn describe(address: &str, status: &Status) -> String {
    let mut deepest = status.message().to_owned();
    let mut source = status.source();
    while let Some(error) = source {
        deepest = error.to_string();
        source = error.source();
    }
    if deepest.is_empty() {
        deepest = status.code().description().to_owned();
    }
    format!("{address}: {deepest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_says_what_to_give() {
        for address in ["localhost", ":9095", "localhost:", "localhost:99999", "localhost:0", "a b:1"] {
            let error = check_address(address).unwrap_err();
            assert!(error.to_string().contains("HOST:PORT"), "{error}");
        }
        for address in ["localhost:9095", "127.0.0.1:1", "[::1]:9095"] {
            check_address(address).unwrap();
        }
    }

    #[tokio::test]
    async fn a_refused_connection_was_never_sent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let channel = Connections::new("test".to_owned()).channel(&address).unwrap();
        let mut client = cluster_client(channel);
        let status = client.status(cairn_proto::v1::StatusRequest {});
        match call(&address, Duration::from_secs(5), status).await {
            Err(CallError::NotSent(reason)) => assert!(reason.contains("refused"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
