//! What stands before a body. A request names its API, version, correlation id and client; a response repeats the
//! correlation id. Flexible versions add tagged fields, with one exception: the ApiVersions response never has them,
//! since its reader does not yet know what the broker speaks.

use super::{
    api::{ApiKey, Request, RequestBody, Response, ResponseBody, encode_body},
    error::{DecodeError, EncodeError},
    frame::Frame,
    reader::Reader,
    sink::{Sink, TaggedFields},
    table::Form,
};

/// The client's id is written like this in every version.
const CLASSIC: Form = Form { version: 0, flexible: false, nullable: true };

/// The front of a request: version 1 of the protocol's request header, or version 2, which has tagged fields besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API's number, whether or not there is a codec for it.
    pub api_key: i16,
    /// The version of request and response, whether or not it is served.
    pub api_version: i16,
    /// Chosen by the client; the response repeats it.
    pub correlation_id: i32,
    /// The name that the client gives itself.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Reads a header. Of a request that is not served (see [`RequestHeader::api`]), reading stops before its client
    /// id, since what follows may have any form: an ApiVersions request of an unknown version is answered nevertheless.
    ///
    /// # Errors
    /// When the bytes end, or are not a header.
    pub fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let mut header = Self {
            api_key: reader.field("RequestHeader.api_key", CLASSIC)?,
            api_version: reader.field("RequestHeader.api_version", CLASSIC)?,
            correlation_id: reader.field("RequestHeader.correlation_id", CLASSIC)?,
            client_id: None,
        };
        if let Some(api) = header.api() {
            header.client_id = reader.field("RequestHeader.client_id", CLASSIC)?;
            if api.flexible(header.api_version) {
                reader.tagged_fields("RequestHeader", |_, _| Ok(false))?;
            }
        }
        Ok(header)
    }

    /// The API, if its codec serves the version.
    #[must_use]
    pub fn api(&self) -> Option<ApiKey> {
        ApiKey::from_number(self.api_key).filter(|api| api.served().contains(&self.api_version))
    }

    fn encode(&self, sink: &mut Sink) -> Result<(), EncodeError> {
        sink.field("RequestHeader.api_key", &self.api_key, CLASSIC)?;
        sink.field("RequestHeader.api_version", &self.api_version, CLASSIC)?;
        sink.field("RequestHeader.correlation_id", &self.correlation_id, CLASSIC)?;
        sink.field("RequestHeader.client_id", &self.client_id, CLASSIC)?;
        if self.api().is_some_and(|api| api.flexible(self.api_version)) {
            sink.put_tagged_fields(TaggedFields::default());
        }
        Ok(())
    }
}

/// The front of a response: version 0 of the protocol's response header, or version 1, which has tagged fields besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// That of the request.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header before a response of this API and version.
    ///
    /// # Errors
    /// When the bytes end, or are not a header.
    pub fn decode(reader: &mut Reader, api: ApiKey, version: i16) -> Result<Self, DecodeError> {
        let correlation_id = reader.field("ResponseHeader.correlation_id", CLASSIC)?;
        if Self::tagged(api, version) {
            reader.tagged_fields("ResponseHeader", |_, _| Ok(false))?;
        }
        Ok(Self { correlation_id })
    }

    fn encode(self, sink: &mut Sink, api: ApiKey, version: i16) -> Result<(), EncodeError> {
        sink.field("ResponseHeader.correlation_id", &self.correlation_id, CLASSIC)?;
        if Self::tagged(api, version) {
            sink.put_tagged_fields(TaggedFields::default());
        }
        Ok(())
    }

    fn tagged(api: ApiKey, version: i16) -> bool {
        api != ApiKey::ApiVersions && api.flexible(version)
    }
}

/// A whole response, ready for the socket.
///
/// # Errors
/// When the version is not served, or cannot say what the body says: see [`super::EncodeProblem`].
pub fn response_frame<R: Response>(
    correlation_id: i32,
    version: i16,
    body: &R,
) -> Result<Frame, EncodeError> {
    let mut sink = Sink::for_frame();
    ResponseHeader { correlation_id }.encode(&mut sink, R::API, version)?;
    encode_body(body, version, &mut sink)?;
    sink.into_frame()
}

/// A whole request, ready for the socket.
///
/// # Errors
/// When the version is not served, or cannot say what the body says: see [`super::EncodeProblem`].
pub fn request_frame<R: Request>(
    correlation_id: i32,
    client_id: Option<&str>,
    version: i16,
    body: &R,
) -> Result<Frame, EncodeError> {
    let mut sink = Sink::for_frame();
    request_header(R::API, version, correlation_id, client_id).encode(&mut sink)?;
    encode_body(body, version, &mut sink)?;
    sink.into_frame()
}

fn request_header(
    api: ApiKey,
    api_version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> RequestHeader {
    RequestHeader {
        api_key: api.number(),
        api_version,
        correlation_id,
        client_id: client_id.map(str::to_owned),
    }
}

impl ResponseBody {
    /// As [`response_frame`].
    ///
    /// # Errors
    /// As [`response_frame`].
    pub fn frame(&self, correlation_id: i32, version: i16) -> Result<Frame, EncodeError> {
        let mut sink = Sink::for_frame();
        ResponseHeader { correlation_id }.encode(&mut sink, self.api(), version)?;
        self.encode(version, &mut sink)?;
        sink.into_frame()
    }
}

impl RequestBody {
    /// As [`request_frame`].
    ///
    /// # Errors
    /// As [`request_frame`].
    pub fn frame(
        &self,
        correlation_id: i32,
        client_id: Option<&str>,
        version: i16,
    ) -> Result<Frame, EncodeError> {
        let mut sink = Sink::for_frame();
        request_header(self.api(), version, correlation_id, client_id).encode(&mut sink)?;
        self.encode(version, &mut sink)?;
        sink.into_frame()
    }
}
