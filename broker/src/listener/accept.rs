//! Takes connections off listening sockets, as many as are allowed. One too many is closed at once, so that its client
//! learns it now and not by a timeout; a failing `accept` (no descriptors left) is waited out.

use crate::telemetry::metrics::Metrics;
use prometheus_client::metrics::gauge::Gauge;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
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
    listeners: Vec<TcpListener>,
    limits: ConnectionLimits,
    refusal: Vec<u8>,
    permits: Arc<Semaphore>,
    metrics: Metrics,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Accept {
    /// From bound sockets; `refusal` is what a connection too many is told.
    pub fn new(
        listeners: Vec<TcpListener>,
        limits: ConnectionLimits,
        refusal: Vec<u8>,
        metrics: Metrics,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        Self { listeners, limits, refusal, permits, metrics, pause: None }
    }

    /// From whichever socket has one.
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let mut polled = self.listeners.iter().map(|listener| listener.poll_accept(context));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    }
}

/// A connection's place among those that are allowed, counted as long as it is held.
#[derive(Debug)]
pub struct Place {
    open: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Stream for Accept {
    type Item = io::Result<(TcpStream, Place)>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            let (stream, peer) = match ready!(self.poll_accept(context)) {
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
                let _ = stream.try_write(&self.refusal);
                tracing::debug!(%peer, "connection closed: connections-max ({}) is reached", self.limits.connections_max);
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%peer, "connection lost before its first byte: {error}");
                continue;
            }
            let open = self.metrics.connections.clone();
            open.inc();
            return Poll::Ready(Some(Ok((stream, Place { open, _permit: permit }))));
        }
    }
}
