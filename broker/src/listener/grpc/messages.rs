//! The messages of one request stream, as they come in. Their large fields are slices of what HTTP/2 received.

use cairn_proto::framing::{Chunks, FramingError};
use prost::Message;
use std::{future::poll_fn, marker::PhantomData, pin::Pin};
use tonic::{Code, Status, body::Body, codegen::Body as _};

/// A stream of requests.
pub(super) struct Messages<M> {
    body: Body,
    chunks: Chunks,
    bytes_max: usize,
    message: PhantomData<fn() -> M>,
}

impl<M: Message + Default> Messages<M> {
    /// Of messages of at most so many bytes.
    pub(super) fn new(body: Body, bytes_max: usize) -> Self {
        Self { body, chunks: Chunks::default(), bytes_max, message: PhantomData }
    }

    /// The next one; `None` when the client has half-closed or is gone. Cancel-safe.
    ///
    /// # Errors
    /// What came is no message. Nothing can be read behind it.
    pub(super) async fn message(&mut self) -> Result<Option<M>, Status> {
        loop {
            if let Some(message) = self.chunks.next_message(self.bytes_max).map_err(refused)? {
                return Ok(Some(message));
            }
            match poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await {
                // Trailers of a request say nothing.
                Some(Ok(frame)) => frame.into_data().into_iter().for_each(|data| self.chunks.push(data)),
                Some(Err(status)) if status.code() == Code::Cancelled => return Ok(None),
                Some(Err(status)) => return Err(status),
                None if self.chunks.is_empty() => return Ok(None),
                None => return Err(Status::internal("the stream ended within a message")),
            }
        }
    }
}

fn refused(error: FramingError) -> Status {
    match error {
        FramingError::Compressed => Status::unimplemented(error.to_string()),
        FramingError::TooLong { .. } => Status::out_of_range(error.to_string()),
        FramingError::Flag(_) | FramingError::Malformed(_) => Status::internal(error.to_string()),
    }
}
