//! A fetch stream as it comes in: the generated client would copy every batch twice, here batches are slices of what HTTP/2
//! received.

use crate::config::DECODED_MESSAGE_BYTES_MAX;
use cairn_proto::{
    framing::Chunks,
    v1::{FetchRequest, FetchResponse},
};
use std::{future::poll_fn, pin::Pin};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Code, Status,
    body::Body,
    codec::{BufferSettings, EncodeBody},
    codegen::{
        Body as _, Service as _,
        http::{HeaderValue, Method, Request, Version, header},
        tokio_stream::StreamExt as _,
    },
    transport::Channel,
};
use tonic_prost::ProstEncoder;

const FETCH_PATH: &str = "/cairn.v1.Log/Fetch";

/// What a broker pushes.
pub(super) struct Pushes {
    body: Body,
    chunks: Chunks,
}

impl Pushes {
    /// Opens the stream; what comes out of `requests` is sent.
    pub(super) async fn open(
        mut channel: Channel,
        requests: UnboundedReceiver<FetchRequest>,
    ) -> Result<Self, Status> {
        poll_fn(|context| channel.poll_ready(context)).await.map_err(failed)?;
        let encoder = ProstEncoder::new(BufferSettings::default());
        let requests = UnboundedReceiverStream::new(requests).map(Ok);
        let mut request = Request::new(Body::new(EncodeBody::new_client(encoder, requests, None, None)));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = FETCH_PATH.parse().map_err(failed)?;
        request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
        let content_type = HeaderValue::from_static("application/grpc");
        request.headers_mut().insert(header::CONTENT_TYPE, content_type);
        let response = channel.call(request).await.map_err(failed)?;
        match Status::from_header_map(response.headers()) {
            Some(status) if status.code() != Code::Ok => return Err(status),
            _ => {}
        }
        if !response.status().is_success() {
            return Err(Status::unavailable(format!("an answer of HTTP status {}", response.status())));
        }
        Ok(Self { body: response.into_body(), chunks: Chunks::default() })
    }

    /// The next one; `None` at the stream's end. Cancel-safe.
    pub(super) async fn message(&mut self) -> Result<Option<FetchResponse>, Status> {
        loop {
            let message = self.chunks.next_message(DECODED_MESSAGE_BYTES_MAX);
            if let Some(message) = message.map_err(|error| Status::internal(error.to_string()))? {
                return Ok(Some(message));
            }
            let Some(frame) = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await else {
                return Err(Status::unknown("the stream ended without a status"));
            };
            match frame?.into_data() {
                Ok(data) => self.chunks.push(data),
                Err(frame) => {
                    match frame.into_trailers().ok().and_then(|trailers| Status::from_header_map(&trailers)) {
                        Some(status) if status.code() != Code::Ok => return Err(status),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }
}

fn failed(error: impl Into<tonic::codegen::StdError>) -> Status {
    Status::from_error(error.into())
}
