//! The body of a fetch stream's answer: each response as its small fields and, behind them, the batches as they lie in the
//! segment's map. Nothing of them is copied on the way to the socket.

use super::fetch::FetchResponses;
use bytes::Bytes;
use cairn_proto::{framing::encode_before_last_field, v1};
use http_body::Frame;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio_stream::Stream as _;
use tonic::{Status, codegen::http::HeaderMap};

/// `FetchResponse.batches`, the field with the highest number.
const BATCHES_TAG: u32 = 15;

/// See the module.
pub(super) struct Pushes {
    responses: FetchResponses,
    /// They follow the response that was sent last.
    batches: Bytes,
    ended: bool,
}

impl Pushes {
    pub(super) fn new(responses: FetchResponses) -> Self {
        Self { responses, batches: Bytes::new(), ended: false }
    }

    fn begin(&mut self, mut response: v1::FetchResponse) -> Result<Bytes, Status> {
        let batches = std::mem::take(&mut response.batches);
        let head = encode_before_last_field(&response, BATCHES_TAG, batches.len());
        self.batches = batches;
        head.ok_or_else(|| Status::internal("a response is longer than a message may be"))
    }
}

impl http_body::Body for Pushes {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.batches.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.batches)))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let begun = match ready!(Pin::new(&mut self.responses).poll_next(context)) {
            Some(response) => response.and_then(|response| self.begin(response)),
            None => Err(Status::ok("")),
        };
        Poll::Ready(Some(match begun {
            Ok(head) => Ok(Frame::data(head)),
            Err(status) => {
                self.ended = true;
                let mut trailers = HeaderMap::new();
                status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
