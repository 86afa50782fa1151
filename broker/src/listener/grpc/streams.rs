//! The service `Log` as it is served: its two streams carry batches, so they are read and written here without the copies
//! that generated code makes; everything else goes through the generated code.

use super::{Services, fetch, messages::Messages, produce, pushes::Pushes};
use cairn_proto::v1::log_server::LogServer;
use std::{
    convert::Infallible,
    future::ready,
    task::{Context, Poll},
};
use tonic::{
    Status,
    body::Body,
    codec::{BufferSettings, EncodeBody, SingleMessageCompressionOverride},
    codegen::{BoxFuture, Service, http},
    metadata::MetadataMap,
    server::NamedService,
};
use tonic_prost::ProstEncoder;

const PRODUCE_PATH: &str = "/cairn.v1.Log/Produce";
const FETCH_PATH: &str = "/cairn.v1.Log/Fetch";

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct LogService {
    services: Services,
    unary: LogServer<Services>,
    /// The longest message.
    bytes_max: usize,
}

impl LogService {
    pub(super) fn new(services: Services, bytes_max: usize) -> Self {
        let unary = LogServer::new(services.clone()).max_decoding_message_size(bytes_max);
        Self { services, unary, bytes_max }
    }

    fn produce(&self, request: http::Request<Body>) -> Result<Body, Status> {
        let (metadata, body) = split(request);
        let replies = produce::open(&self.services, &metadata, Messages::new(body, self.bytes_max))?;
        let encoder = ProstEncoder::new(BufferSettings::default());
        let uncompressed = SingleMessageCompressionOverride::default();
        Ok(Body::new(EncodeBody::new_server(encoder, replies, None, uncompressed, None)))
    }

    fn fetch(&self, request: http::Request<Body>) -> Result<Body, Status> {
        let (metadata, body) = split(request);
        let responses = fetch::open(&self.services, &metadata, Messages::new(body, self.bytes_max))?;
        Ok(Body::new(Pushes::new(responses)))
    }
}

impl Service<http::Request<Body>> for LogService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let body = match request.uri().path() {
            PRODUCE_PATH => self.produce(request),
            FETCH_PATH => self.fetch(request),
            _ => return self.unary.call(request),
        };
        Box::pin(ready(Ok(body.map_or_else(Status::into_http, response))))
    }
}

impl NamedService for LogService {
    const NAME: &'static str = LogServer::<Services>::NAME;
}

fn split(request: http::Request<Body>) -> (MetadataMap, Body) {
    let (head, body) = request.into_parts();
    (MetadataMap::from_headers(head.headers), body)
}

fn response(body: Body) -> http::Response<Body> {
    let mut response = http::Response::new(body);
    let content_type = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    response
}
