//! The listener for clients of the Kafka protocol: frames in, calls of [`Broker`], frames out. Wire types end here.
//!
//! ```text
//! accept ─► Connection ─► FrameReader: limits, memory ─► decode ─► Produce: on its lanes at once, answered in turn
//!                                                               └► others: one at a time, as `handlers` answers them
//! ```
//!
//! What always holds: replies leave in the order of their requests; nothing is allocated for a declared length before
//! it is within its limit and memory for it is admitted; bytes that cannot be understood close their connection and
//! touch no other.

mod answering;
mod config_resource;
mod connection;
mod error_code;
mod fetch_sessions;
mod frame_reader;
mod handlers;
mod names;

use super::{Accept, ConnectionLimits};
use crate::service::Broker;
use connection::Connection;
use fetch_sessions::FetchSessions;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;

/// Limits and times of this listener; each has a configuration key, where its default and range stand.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table of keys documents each of them, once")]
pub struct KafkaOptions {
    pub connections: ConnectionLimits,
    pub request_bytes_max: usize,
    pub request_timeout: Duration,
    pub idle_timeout: Duration,
    pub auto_create_topics: bool,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    broker: Broker,
    options: KafkaOptions,
    fetch_sessions: FetchSessions,
}

/// Serves until `stop` is cancelled and the last connection has ended. Dropped, it ends them where they are.
///
/// # Errors
/// Never: a failing connection is its own affair.
pub async fn serve(
    listeners: Vec<TcpListener>,
    broker: Broker,
    options: KafkaOptions,
    stop: CancellationToken,
) -> Result<(), String> {
    // There is no reply to a request that has not been made: one too many is just closed.
    let refusal = Vec::new();
    let mut accepted = Accept::new(listeners, options.connections, refusal, broker.metrics().clone());
    let shared = Arc::new(Shared { broker, options, fetch_sessions: FetchSessions::default() });
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accepted.next() => accepted,
        };
        if let Some(Ok((stream, place))) = accepted {
            let connection = Connection::new(Arc::clone(&shared), stream);
            connections.spawn(async move {
                connection.run().await;
                drop(place);
            });
        }
    }
    // Nobody new; the door of the broker is closed, which ends those that are there once they are answered.
    drop(accepted);
    while connections.join_next().await.is_some() {}
    Ok(())
}
