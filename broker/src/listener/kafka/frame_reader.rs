//! Frames off a socket. What is not yet admitted is never more than a small buffer; a larger frame gets its memory in
//! one piece, of exactly its length, once that is within its limit and admitted. Times are limited: until the first
//! frame, within a frame, and between frames.

use crate::service::{Admission, MemoryFor, MemoryPermit, Refusal};
use bytes::{Buf as _, Bytes, BytesMut};
use cairn_proto::kafka::ApiKey;
use std::{io, pin::Pin, time::Duration};
use tokio::{
    net::TcpStream,
    time::{Sleep, sleep, timeout},
};

/// Bytes of length in front of every frame.
const LENGTH_BYTES: usize = 4;
/// API, version and correlation id: no request is shorter.
const FRAME_BYTES_MIN: usize = 8;
/// Read before anything is admitted; frames that fit are copied out of it.
const READ_AHEAD_BYTES: usize = 16 << 10;
/// The largest request that carries no batches.
pub(super) const CALL_BYTES_MAX: usize = 4 << 20;

/// A whole request, without its length.
#[derive(Debug)]
pub(super) struct ReceivedFrame {
    pub(super) bytes: Bytes,
    /// Covers `bytes`.
    pub(super) memory: MemoryPermit,
}

/// Why there is no frame, and will be none.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a frame of {length} bytes; allowed are {FRAME_BYTES_MIN} to {length_max}")]
    Length { length: i32, length_max: usize },
    #[error("the connection ended within a frame")]
    Cut,
    #[error("no whole request in time")]
    Slow,
    #[error("nothing happened for {0:?}")]
    Idle(Duration),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Limits of what is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadLimits {
    /// Of a frame.
    pub(super) frame_bytes_max: usize,
    /// Between frames.
    pub(super) idle_timeout: Duration,
    /// From the first byte of a frame to its last, the wait for memory excepted.
    pub(super) frame_timeout: Duration,
}

/// What stands at the front of the buffer.
struct Front {
    /// Without its length.
    bytes: usize,
    purpose: MemoryFor,
}

/// Reads one connection.
#[derive(Debug)]
pub(super) struct FrameReader {
    limits: ReadLimits,
    buffer: BytesMut,
    /// For the frame at the front.
    memory: Option<MemoryPermit>,
    /// For the frame at the front, or for the first one.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl FrameReader {
    /// The first frame must be there within `handshake_timeout`.
    pub(super) fn new(limits: ReadLimits, handshake_timeout: Duration) -> Self {
        let deadline = Some(Box::pin(sleep(handshake_timeout)));
        Self { limits, buffer: BytesMut::new(), memory: None, deadline }
    }

    /// The next frame; `None` when the client has ended between two. An idle client is only given up when `may_idle`
    /// is false. Cancel-safe.
    ///
    /// # Errors
    /// See [`FrameError`]; the connection is of no more use.
    pub(super) async fn next(
        &mut self,
        stream: &TcpStream,
        admission: &Admission,
        may_idle: bool,
    ) -> Result<Option<ReceivedFrame>, FrameError> {
        loop {
            let front = self.front()?;
            if let Some(front) = &front {
                self.admit(front, admission).await?;
                if let Some(frame) = self.take(front) {
                    return Ok(Some(frame));
                }
            }
            if !self.receive(stream, front.as_ref(), may_idle).await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(FrameError::Cut) };
            }
        }
    }

    /// Reads ahead, as far as that goes, until the client is gone. Cancel-safe.
    pub(super) async fn gone(&mut self, stream: &TcpStream) {
        while self.buffer.len() < READ_AHEAD_BYTES {
            if stream.readable().await.is_err() {
                return;
            }
            self.make_room(None);
            match stream.try_read_buf(&mut self.buffer) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => {}
            }
        }
        std::future::pending().await
    }

    /// The frame at the front, once enough of it is there to know its length and what it is.
    fn front(&self) -> Result<Option<Front>, FrameError> {
        let Some((length, rest)) = self.buffer.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        let refused = |length_max| FrameError::Length { length, length_max };
        let frame_bytes_max = self.limits.frame_bytes_max;
        let bytes = usize::try_from(length).map_err(|_negative| refused(frame_bytes_max))?;
        if bytes < FRAME_BYTES_MIN || bytes > frame_bytes_max {
            return Err(refused(frame_bytes_max));
        }
        let Some(api) = rest.first_chunk::<2>() else { return Ok(None) };
        let purpose = match i16::from_be_bytes(*api) == ApiKey::Produce.number() {
            true => MemoryFor::Batches,
            false => MemoryFor::Calls,
        };
        if purpose == MemoryFor::Calls && bytes > CALL_BYTES_MAX {
            return Err(refused(CALL_BYTES_MAX));
        }
        Ok(Some(Front { bytes, purpose }))
    }

    /// Gets the memory for the frame at the front: for a small one when all of it is there, for a large one when the
    /// client has sent as much as is read ahead. A client that sends a length and nothing else holds nothing.
    async fn admit(&mut self, front: &Front, admission: &Admission) -> Result<(), FrameError> {
        let enough = (LENGTH_BYTES + front.bytes).min(READ_AHEAD_BYTES);
        if self.memory.is_none() && self.buffer.len() >= enough {
            self.memory = Some(admission.memory(front.purpose, front.bytes).await?);
            self.deadline = None;
        }
        Ok(())
    }

    fn take(&mut self, front: &Front) -> Option<ReceivedFrame> {
        let whole = LENGTH_BYTES + front.bytes;
        if self.buffer.len() < whole {
            return None;
        }
        let memory = self.memory.take()?;
        self.deadline = None;
        self.buffer.advance(LENGTH_BYTES);
        let bytes = if whole <= READ_AHEAD_BYTES {
            // A slice would keep the whole buffer for as long as the batch is under way.
            let copy = Bytes::copy_from_slice(self.buffer.get(..front.bytes).unwrap_or_default());
            self.buffer.advance(front.bytes);
            copy
        } else {
            self.buffer.split_to(front.bytes).freeze()
        };
        self.let_go();
        Some(ReceivedFrame { bytes, memory })
    }

    /// Room for what is read next: the rest of an admitted frame, else what may be read ahead.
    fn make_room(&mut self, front: Option<&Front>) {
        let wanted = match front {
            Some(front) if self.memory.is_some() => LENGTH_BYTES + front.bytes,
            _ => READ_AHEAD_BYTES,
        };
        if self.buffer.capacity() >= wanted {
            return;
        }
        // Exactly so much: growing in place would double it.
        let mut roomy = BytesMut::with_capacity(wanted);
        roomy.extend_from_slice(&self.buffer);
        self.buffer = roomy;
    }

    /// Reads what there is; `false` at the end.
    async fn receive(
        &mut self,
        stream: &TcpStream,
        front: Option<&Front>,
        may_idle: bool,
    ) -> Result<bool, FrameError> {
        loop {
            self.readable(stream, may_idle).await?;
            // Only now: who says nothing holds no buffer.
            self.make_room(front);
            match stream.try_read_buf(&mut self.buffer) {
                Ok(count) => return Ok(count > 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.let_go(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// An idle connection holds no buffer.
    fn let_go(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    async fn readable(&mut self, stream: &TcpStream, may_idle: bool) -> Result<(), FrameError> {
        if self.deadline.is_none() && !self.buffer.is_empty() {
            self.deadline = Some(Box::pin(sleep(self.limits.frame_timeout)));
        }
        if let Some(deadline) = &mut self.deadline {
            return tokio::select! {
                biased;
                ready = stream.readable() => Ok(ready?),
                () = deadline.as_mut() => Err(FrameError::Slow),
            };
        }
        if may_idle {
            return Ok(stream.readable().await?);
        }
        let idle_timeout = self.limits.idle_timeout;
        Ok(timeout(idle_timeout, stream.readable())
            .await
            .map_err(|_elapsed| FrameError::Idle(idle_timeout))??)
    }
}
