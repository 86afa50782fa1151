//! Fuzz bodies of the Kafka codec: each takes any bytes and asserts what must hold of the answers. Property tests and
//! fuzz targets call the same functions. A panic in here is a bug, whatever the bytes. What decodes must be written
//! again, and read again as the same.

use super::{
    api::{ApiKey, RequestBody, ResponseBody},
    error::DecodeError,
    frame::Frame,
    header::{RequestHeader, ResponseHeader},
    reader::Reader,
};
use bytes::{Buf, Bytes};

/// Small, so that exceeding it happens.
const MEMORY_BYTES_MAX: usize = 16 * 1024;

/// Bytes as a request's frame, without its four bytes of length. Says whether they are one.
pub fn request(data: &[u8]) -> bool {
    let Some((header, body)) = read_request(Bytes::copy_from_slice(data), MEMORY_BYTES_MAX) else {
        return false;
    };
    let frame = body.frame(header.correlation_id, header.client_id.as_deref(), header.api_version);
    let Ok(frame) = frame else { panic!("what was decoded can be encoded: {frame:?}") };
    let again = read_request(content(frame), MEMORY_BYTES_MAX);
    assert_eq!(again, Some((header, body)), "a request says the same after a round trip");
    true
}

/// Bytes as a response's frame, of the API and version that the first two of them choose. Says whether they are one.
pub fn response(data: &[u8]) -> bool {
    let Some((api, version, data)) = choose(data) else { return false };
    let Some((header, body)) = read_response(api, version, Bytes::copy_from_slice(data)) else {
        return false;
    };
    let frame = body.frame(header.correlation_id, version);
    let Ok(frame) = frame else { panic!("what was decoded can be encoded: {frame:?}") };
    let again = read_response(api, version, content(frame));
    assert_eq!(again, Some((header, body)), "a response says the same after a round trip");
    true
}

/// Bytes as choices that make a request and a response, which are written, read back whole, and refused when their last
/// byte is missing.
pub fn sampled(data: &[u8]) {
    let Some((api, version, entropy)) = choose(data) else { return };
    if let Some(body) = RequestBody::sample(api, version, entropy) {
        let frame = body.frame(1, Some("sampled"), version);
        let Ok(frame) = frame else { panic!("a sample can be encoded: {frame:?}") };
        let frame = content(frame);
        let shorter = frame.slice(..frame.len().saturating_sub(1));
        assert_eq!(read_request(shorter, usize::MAX), None, "no part of a request is a request");
        let again = read_request(frame, usize::MAX).map(|(_, body)| body);
        assert_eq!(again, Some(body), "a request says the same after a round trip");
    }
    if let Some(body) = ResponseBody::sample(api, version, entropy) {
        let frame = body.frame(1, version);
        let Ok(frame) = frame else { panic!("a sample can be encoded: {frame:?}") };
        let frame = content(frame);
        let shorter = frame.slice(..frame.len().saturating_sub(1));
        assert_eq!(read_response(api, version, shorter), None, "no part of a response is a response");
        let again = read_response(api, version, frame).map(|(_, body)| body);
        assert_eq!(again, Some(body), "a response says the same after a round trip");
    }
}

/// The API and the version that the first two bytes choose, and what follows.
fn choose(data: &[u8]) -> Option<(ApiKey, i16, &[u8])> {
    let (&[api, version], rest) = data.split_first_chunk::<2>()?;
    let api = ApiKey::ALL.iter().cycle().nth(usize::from(api)).copied()?;
    let version = api.served().cycle().nth(usize::from(version))?;
    Some((api, version, rest))
}

/// A frame's bytes behind its length.
fn content(mut frame: Frame) -> Bytes {
    let declared = usize::try_from(frame.get_i32());
    assert_eq!(declared, Ok(frame.remaining()), "a frame has the length it declares");
    frame.copy_to_bytes(frame.remaining())
}

fn read_request(frame: Bytes, memory_bytes_max: usize) -> Option<(RequestHeader, RequestBody)> {
    let length = frame.len();
    let mut reader = Reader::new(frame, memory_bytes_max);
    let header = located(length, RequestHeader::decode(&mut reader))?;
    let body = RequestBody::decode(header.api()?, header.api_version, &mut reader);
    Some((header, located(length, body)?))
}

fn read_response(api: ApiKey, version: i16, frame: Bytes) -> Option<(ResponseHeader, ResponseBody)> {
    let length = frame.len();
    let mut reader = Reader::new(frame, usize::MAX);
    let header = located(length, ResponseHeader::decode(&mut reader, api, version))?;
    let body = ResponseBody::decode(api, version, &mut reader);
    Some((header, located(length, body)?))
}

/// An error lies within the frame and names a field.
fn located<T>(frame_bytes: usize, result: Result<T, DecodeError>) -> Option<T> {
    result
        .inspect_err(|error| {
            assert!(
                error.position <= frame_bytes && !error.field.is_empty(),
                "{error} in {frame_bytes} bytes"
            );
        })
        .ok()
}
