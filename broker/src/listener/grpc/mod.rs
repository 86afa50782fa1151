//! The gRPC listener for clients: converts between protobuf messages and calls of [`Broker`]. Reflection and health are
//! served beside it, so that standard tools find their way.

mod admin;
mod call;
mod cluster;
mod connection;
mod convert;
mod error_code;
mod fetch;
mod groups;
mod log;
mod messages;
mod produce;
mod pushes;
mod streams;

use super::{Accept, ConnectionLimits};
use crate::service::Broker;
use cairn_proto::v1::{
    admin_server::AdminServer, cluster_server::ClusterServer, groups_server::GroupsServer,
    log_server::LogServer,
};
use connection::Connection;
use std::time::Duration;
use streams::LogService;
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{server::NamedService, transport::Server};
use tonic_health::{ServingStatus, server::HealthReporter};

/// Everything around a batch in a message, generously.
const ENVELOPE_BYTES_MAX: usize = 64 << 10;
/// The largest message of the services that carry no batches.
const SMALL_REQUEST_BYTES_MAX: usize = 1 << 20;
/// HTTP/2 frames: what matters most for throughput.
const FRAME_BYTES_MAX: u32 = 1 << 20;
/// Headers of one request.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// Limits and times of this listener; each has a configuration key, where its default and range stand.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table of keys documents each of them, once")]
pub struct GrpcOptions {
    pub connections: ConnectionLimits,
    pub streams_per_connection_max: u32,
    pub request_bytes_max: usize,
    pub stream_window_bytes: u32,
    pub connection_window_bytes: u32,
    pub keepalive_interval: Duration,
    pub keepalive_timeout: Duration,
}

/// What the services share.
#[derive(Clone, Debug)]
pub(super) struct Services {
    pub(super) broker: Broker,
    /// Owns the streams' tasks: the listener ends after the last of them.
    pub(super) streams: TaskTracker,
}

/// Serves until `stop` is cancelled and the last call has ended.
///
/// # Errors
/// The protocol stack failed as a whole, in words; a failing connection is its own affair.
pub async fn serve(
    listener: TcpListener,
    broker: Broker,
    options: GrpcOptions,
    stop: CancellationToken,
) -> Result<(), String> {
    let services = Services { broker: broker.clone(), streams: TaskTracker::new() };
    let (health, health_service) = tonic_health::server::health_reporter();
    announce(&health, ServingStatus::Serving).await;
    let batches_max = options.request_bytes_max.saturating_add(ENVELOPE_BYTES_MAX);
    let router = Server::builder()
        .accept_http1(false)
        .initial_stream_window_size(options.stream_window_bytes)
        .initial_connection_window_size(options.connection_window_bytes)
        .max_concurrent_streams(options.streams_per_connection_max)
        .http2_keepalive_interval(Some(options.keepalive_interval))
        .http2_keepalive_timeout(Some(options.keepalive_timeout))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .add_service(LogService::new(services.clone(), batches_max))
        .add_service(AdminServer::new(services.clone()).max_decoding_message_size(SMALL_REQUEST_BYTES_MAX))
        .add_service(ClusterServer::new(services.clone()).max_decoding_message_size(SMALL_REQUEST_BYTES_MAX))
        .add_service(GroupsServer::new(services.clone()).max_decoding_message_size(SMALL_REQUEST_BYTES_MAX))
        .add_service(reflection()?)
        .add_service(health_service);
    let refusal = connection::refusal(options.connections.connections_max);
    let accepted = Accept::new(vec![listener], options.connections, refusal, broker.metrics().clone());
    let handshake_timeout = options.connections.handshake_timeout;
    let incoming = accepted.map(move |accepted| accepted.map(|one| Connection::new(one, handshake_timeout)));
    let until = async {
        stop.cancelled().await;
        announce(&health, ServingStatus::NotServing).await;
    };
    let outcome = router.serve_with_incoming_shutdown(incoming, until).await;
    services.streams.close();
    services.streams.wait().await;
    outcome.map_err(|error| format!("the gRPC listener failed: {error}"))
}

async fn announce(health: &HealthReporter, status: ServingStatus) {
    let names = [
        "",
        LogServer::<Services>::NAME,
        AdminServer::<Services>::NAME,
        ClusterServer::<Services>::NAME,
        GroupsServer::<Services>::NAME,
    ];
    for name in names {
        health.set_service_status(name, status).await;
    }
}

fn reflection() -> Result<
    tonic_reflection::server::v1::ServerReflectionServer<impl tonic_reflection::server::v1::ServerReflection>,
    String,
> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(cairn_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| format!("the built-in service descriptions are wrong: {error}"))
}
