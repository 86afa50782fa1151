//! One client. Requests are taken one by one; batches go to their lanes at once, so that many are under way together, and
//! everything else is answered before the next request is looked at, as a Kafka broker does it. Replies leave in order.

use super::{
    Shared,
    answering::{AnsweringError, Call, Reply},
    frame_reader::{FrameError, FrameReader, ReadLimits, ReceivedFrame},
    handlers::produce::PendingProduce,
};
use bytes::{BufMut as _, BytesMut};
use std::{collections::VecDeque, io, sync::Arc};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

/// Produce requests under way at a time; beyond it reading pauses.
const PENDING_MAX: usize = 256;
/// Replies that are ready together are written together, up to about so much.
const REPLY_BYTES: usize = 64 << 10;

/// Why a connection ends that the client did not end.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Answering(#[from] AnsweringError),
    #[error("writing: {0}")]
    Write(#[from] io::Error),
    #[error("the client takes no reply")]
    Stuck,
    #[error("the client is gone")]
    Gone,
}

/// See the module.
pub(super) struct Connection {
    shared: Arc<Shared>,
    stream: TcpStream,
    frames: FrameReader,
    pending: VecDeque<PendingProduce>,
    draining: CancellationToken,
}

/// What happened first.
enum Event {
    Answered,
    Received(Option<ReceivedFrame>),
    Draining,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, stream: TcpStream) -> Self {
        let options = &shared.options;
        let limits = ReadLimits {
            frame_bytes_max: options.request_bytes_max,
            idle_timeout: options.idle_timeout,
            frame_timeout: options.request_timeout,
        };
        let frames = FrameReader::new(limits, options.connections.handshake_timeout);
        let draining = shared.broker.admission().draining().clone();
        Self { shared, stream, frames, pending: VecDeque::new(), draining }
    }

    /// Serves the client to the end of its connection.
    pub(super) async fn run(mut self) {
        if let Err(end) = self.serve().await {
            let peer = self.stream.peer_addr().ok();
            tracing::debug!(?peer, "Kafka connection closed: {end}");
        }
    }

    async fn serve(&mut self) -> Result<(), End> {
        loop {
            match self.event().await? {
                Event::Answered => self.reply_in_turn().await?,
                // In a box, so that a connection that waits is small.
                Event::Received(Some(frame)) => Box::pin(self.handle(frame)).await?,
                // What is under way is answered also to a client that has half-closed.
                Event::Received(None) | Event::Draining => return self.reply_to_all().await,
            }
        }
    }

    /// The oldest request is answered, or another one is here.
    async fn event(&mut self) -> Result<Event, End> {
        let Self { shared, stream, frames, pending, draining } = self;
        let (room, busy) = (pending.len() < PENDING_MAX, !pending.is_empty());
        let answered = async {
            match pending.front_mut() {
                Some(oldest) => oldest.wait(&shared.broker).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = answered => Ok(Event::Answered),
            () = draining.cancelled() => Ok(Event::Draining),
            frame = frames.next(stream, shared.broker.admission(), busy), if room => Ok(Event::Received(frame?)),
        }
    }

    async fn handle(&mut self, frame: ReceivedFrame) -> Result<(), End> {
        match Call::decode(&self.shared, self.stream.peer_addr().ok(), frame)? {
            Reply::Now(frame) => {
                self.reply_to_all().await?;
                self.write(frame).await
            }
            Reply::Pending(pending) => {
                self.pending.push_back(pending);
                Ok(())
            }
            Reply::Asked(call) => {
                self.reply_to_all().await?;
                let reply = tokio::select! {
                    biased;
                    reply = call.answer() => reply?,
                    () = self.frames.gone(&self.stream) => return Err(End::Gone),
                };
                self.write(reply).await
            }
        }
    }

    /// Writes the reply of the oldest request, and of those behind it that are complete.
    async fn reply_in_turn(&mut self) -> Result<(), End> {
        let mut replies = BytesMut::new();
        let mut oldest = self.pending.pop_front();
        while let Some(complete) = oldest {
            if let Some(frame) = complete.reply(&self.shared.broker)? {
                replies.put(frame);
            }
            let more = replies.len() < REPLY_BYTES;
            oldest = self.pending.pop_front_if(|next| more && next.is_complete());
        }
        self.write(replies).await
    }

    /// Waits for everything that is under way, and writes its replies.
    async fn reply_to_all(&mut self) -> Result<(), End> {
        while let Some(oldest) = self.pending.front_mut() {
            oldest.wait(&self.shared.broker).await;
            self.reply_in_turn().await?;
        }
        Ok(())
    }

    /// All of it; the slices of a log's map go to the socket as they are. A client that takes nothing for as long as
    /// it may be idle is given up.
    async fn write(&mut self, mut bytes: impl bytes::Buf) -> Result<(), End> {
        while bytes.has_remaining() {
            let written = timeout(self.shared.options.idle_timeout, self.stream.write_buf(&mut bytes)).await;
            let count = written.map_err(|_elapsed| End::Stuck)??;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
        }
        Ok(())
    }
}
