//! From a request's bytes to its reply's: header, limits, body, handler, frame. What is not served closes the connection,
//! but for a question after the served versions, which every client must be able to ask.

use super::{
    Shared,
    frame_reader::ReceivedFrame,
    handlers::{self, produce, produce::PendingProduce},
};
use crate::{
    clock::Monotonic,
    service::{Context, ListenerKind, MemoryPermit, Principal, Refusal},
};
use bytes::Bytes;
use cairn_proto::kafka::{
    ApiKey, DecodeError, EncodeError, Frame, Reader, RequestBody, RequestHeader, ResponseBody,
    api_versions::ApiVersionsResponse, response_frame,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// What a decoded request may take beside its frame: so many times the frame's bytes, and a little, but never more than
/// this. Batches cost nothing; two hundred thousand partitions fit.
const DECODED_FACTOR: usize = 8;
const DECODED_BYTES: usize = 64 << 10;
const DECODED_BYTES_MAX: usize = 8 << 20;
/// Longer names are cut.
const CLIENT_ID_CHARACTERS_MAX: usize = 255;

/// Why a request gets no reply. The connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnsweringError {
    #[error("API {api} version {version} is not served")]
    NotServed { api: i16, version: i16 },
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("a reply cannot be written: {0}")]
    Encode(#[from] EncodeError),
    #[error("a batch was refused, and its producer wants no replies")]
    Silenced,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The body that librdkafka means when it asks for all topics: it leaves four bytes of zeros for the count of topics where
/// a varint of one byte stands, and two or three flags behind it, by the version (seen in 2.12 and 2.16). Apache Kafka does
/// not look at what is behind a message; we do, and let this one through.
fn all_topics_in_four_bytes(version: i16, body: &Bytes) -> Option<Bytes> {
    let is_it = match (version, &**body) {
        (9..=10, [0, 0, 0, 0, flags @ .., 0]) => flags.len() == 3 && flags.iter().all(|flag| *flag <= 1),
        (11.., [0, 0, 0, 0, flags @ .., 0]) => flags.len() == 2 && flags.iter().all(|flag| *flag <= 1),
        _ => false,
    };
    is_it.then(|| body.slice(3..))
}

/// What a request leads to.
pub(super) enum Reply {
    /// The whole reply.
    Now(Frame),
    /// Batches that are on their way.
    Pending(PendingProduce),
    /// A request that is answered in its turn.
    Asked(Call),
}

/// Which request a reply belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replying {
    pub(super) correlation_id: i32,
    pub(super) version: i16,
}

/// A request with what its handler needs besides.
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    pub(super) context: Context,
    pub(super) version: i16,
    /// Where the client connected from.
    pub(super) peer: Option<SocketAddr>,
    correlation_id: i32,
    body: RequestBody,
    _memory: MemoryPermit,
}

impl Call {
    /// Takes a request apart; batches are handed to their partitions before this returns.
    pub(super) fn decode(
        shared: &Arc<Shared>,
        peer: Option<SocketAddr>,
        frame: ReceivedFrame,
    ) -> Result<Reply, AnsweringError> {
        let ReceivedFrame { bytes, memory } = frame;
        let decoded_bytes_max = bytes.len().saturating_mul(DECODED_FACTOR).saturating_add(DECODED_BYTES);
        let mut reader = Reader::new(bytes, decoded_bytes_max.min(DECODED_BYTES_MAX));
        let header = RequestHeader::decode(&mut reader)?;
        let RequestHeader { correlation_id, api_version: version, .. } = header;
        let Some(api) = header.api().filter(|api| handlers::serves(*api)) else {
            if header.api_key == ApiKey::ApiVersions.number() {
                return Ok(Reply::Now(unknown_api_versions(correlation_id)?));
            }
            return Err(AnsweringError::NotServed { api: header.api_key, version });
        };
        if api == ApiKey::Metadata
            && let Some(meant) = all_topics_in_four_bytes(version, &reader.rest())
        {
            reader = Reader::new(meant, DECODED_BYTES);
        }
        let body = RequestBody::decode(api, version, &mut reader)?;
        let context = context(header.client_id);
        match body {
            RequestBody::Produce(request) => {
                let replying = Replying { correlation_id, version };
                produce::start(&shared.broker, (&context, replying), request, memory).map(Reply::Pending)
            }
            body => {
                let shared = Arc::clone(shared);
                Ok(Reply::Asked(Self {
                    shared,
                    context,
                    version,
                    peer,
                    correlation_id,
                    body,
                    _memory: memory,
                }))
            }
        }
    }

    /// The context of a call that the client gives so long; it does not say with 0 or less.
    pub(super) fn until(&self, timeout_ms: i32) -> Context {
        let timeout = u64::try_from(timeout_ms).ok().filter(|timeout_ms| *timeout_ms > 0);
        let end =
            |timeout_ms| self.shared.broker.clock().now().0.saturating_add(Duration::from_millis(timeout_ms));
        Context { deadline: timeout.map(|timeout_ms| Monotonic(end(timeout_ms))), ..self.context.clone() }
    }

    /// The reply.
    pub(super) async fn answer(mut self) -> Result<Frame, AnsweringError> {
        let nothing = RequestBody::ApiVersions(Default::default());
        let request = std::mem::replace(&mut self.body, nothing);
        let response: ResponseBody = handlers::answer(&self, request).await?;
        Ok(response.frame(self.correlation_id, self.version)?)
    }
}

/// Every client can read version 0, and learns from it the versions to ask in.
fn unknown_api_versions(correlation_id: i32) -> Result<Frame, EncodeError> {
    response_frame(correlation_id, 0, &ApiVersionsResponse::unsupported_version())
}

fn context(client_id: Option<String>) -> Context {
    let client_id = client_id.unwrap_or_default();
    let client_id = client_id.chars().take(CLIENT_ID_CHARACTERS_MAX).collect::<String>();
    Context {
        principal: Principal::Anonymous,
        client_id: client_id.into(),
        listener: ListenerKind::Kafka,
        deadline: None,
    }
}
