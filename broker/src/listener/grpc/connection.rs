//! One gRPC client's connection: a socket with its place among the connections that are allowed, and a deadline until it has
//! said what it speaks.

use crate::listener::Place;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// An HTTP/2 client begins with this many bytes, whatever it wants.
const PREFACE_BYTES: usize = 24;

/// A socket that counts.
pub(super) struct Connection {
    stream: TcpStream,
    handshake: Option<Handshake>,
    _place: Place,
}

struct Handshake {
    deadline: Pin<Box<Sleep>>,
    bytes_missing: usize,
}

impl Connection {
    /// From an accepted socket.
    pub(super) fn new((stream, place): (TcpStream, Place), handshake_timeout: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(handshake_timeout));
        let handshake = Some(Handshake { deadline, bytes_missing: PREFACE_BYTES });
        Self { stream, handshake, _place: place }
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

/// What a connection too many is told before it is closed: HTTP/2 settings, as they must come first, and a GOAWAY with
/// `ENHANCE_YOUR_CALM` and the reason in words.
pub(super) fn refusal(connections_max: usize) -> Vec<u8> {
    const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 0x0b];
    let words =
        format!("this broker has as many connections as it takes ({connections_max}, connections-max)");
    // Short: the words have one number.
    let length = u8::try_from(8 + words.len()).unwrap_or(u8::MAX);
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let goaway = [0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [&settings, goaway.as_slice(), &ENHANCE_YOUR_CALM, words.as_bytes()].concat()
}
