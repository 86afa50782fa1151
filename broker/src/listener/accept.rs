//! Takes connections off a listening socket, as many as are allowed. One too many is closed at once, so that its client
//! learns it now and not by a timeout; a failing `accept` (no descriptors left) is waited out.

use super::Connection;
use crate::telemetry::metrics::Metrics;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{Sleep, sleep},
};
use tokio_stream::Stream;

/// After a failed accept, the next one is tried this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Limits of a listener's connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// At a time.
    pub connections_max: usize,
    /// Until the client has said what it speaks.
    pub handshake_timeout: Duration,
}

/// A stream of accepted connections; it has no end.
pub struct Accept {
    listener: TcpListener,
    limits: ConnectionLimits,
    permits: Arc<Semaphore>,
    metrics: Metrics,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Accept {
    /// From a bound socket.
    pub fn new(listener: TcpListener, limits: ConnectionLimits, metrics: Metrics) -> Self {
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        Self { listener, limits, permits, metrics, pause: None }
    }
}

/// What a connection too many is told before it is closed: HTTP/2 settings, as they must come first, and a GOAWAY with
/// `ENHANCE_YOUR_CALM` and the reason in words.
fn refusal(connections_max: usize) -> Vec<u8> {
    const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 0x0b];
    let words =
        format!("this broker has as many connections as it takes ({connections_max}, connections-max)");
    // Short: the words have one number.
    let length = u8::try_from(8 + words.len()).unwrap_or(u8::MAX);
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let goaway = [0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [&settings, goaway.as_slice(), &ENHANCE_YOUR_CALM, words.as_bytes()].concat()
}

impl Stream for Accept {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            let (stream, peer) = match ready!(self.listener.poll_accept(context)) {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("a connection could not be accepted, trying again: {error}");
                    self.pause = Some(Box::pin(sleep(ACCEPT_PAUSE)));
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
                self.metrics.connections_refused.inc();
                // As much as the socket takes at once; a client that has sent something already may not see it.
                let _ = stream.try_write(&refusal(self.limits.connections_max));
                tracing::debug!(%peer, "connection closed: connections-max ({}) is reached", self.limits.connections_max);
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%peer, "connection lost before its first byte: {error}");
                continue;
            }
            let open = self.metrics.connections.clone();
            return Poll::Ready(Some(Ok(Connection::new(
                stream,
                self.limits.handshake_timeout,
                open,
                permit,
            ))));
        }
    }
}
