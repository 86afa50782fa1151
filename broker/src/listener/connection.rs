//! One accepted connection: a socket with its place among the connections that are allowed, and a deadline until it has
//! said what it speaks.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::Sleep,
};
use tonic::transport::server::{Connected, TcpConnectInfo};

use prometheus_client::metrics::gauge::Gauge;

/// An HTTP/2 client begins with this many bytes, whatever it wants.
const PREFACE_BYTES: usize = 24;

/// A socket that counts.
pub struct Connection {
    stream: TcpStream,
    handshake: Option<Handshake>,
    open: Gauge,
    _permit: OwnedSemaphorePermit,
}

struct Handshake {
    deadline: Pin<Box<Sleep>>,
    bytes_missing: usize,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        handshake_timeout: Duration,
        open: Gauge,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        open.inc();
        let deadline = Box::pin(tokio::time::sleep(handshake_timeout));
        let handshake = Some(Handshake { deadline, bytes_missing: PREFACE_BYTES });
        Self { stream, handshake, open, _permit: permit }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(handshake) = &mut self.handshake else { return polled };
        let read = buffer.filled().len().saturating_sub(before);
        if read >= handshake.bytes_missing {
            self.handshake = None;
            return polled;
        }
        handshake.bytes_missing -= read;
        if polled.is_pending() && handshake.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no HTTP/2 preface in time")));
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}
