//! Headers, and the table of APIs.

use super::{content, hex};
use crate::kafka::{
    ApiKey, DecodeProblem, ErrorCode, Reader, RequestHeader, ResponseHeader,
    api_versions::{ApiVersion, ApiVersionsResponse},
    heartbeat::HeartbeatResponse,
    response_frame,
};

fn header(bytes: &str) -> (RequestHeader, usize) {
    let mut reader = Reader::new(hex(bytes), 1024);
    let header = RequestHeader::decode(&mut reader).unwrap();
    (header, reader.remaining())
}

#[test]
fn the_api_versions_response_has_no_tagged_fields_in_its_header() {
    for version in ApiKey::ApiVersions.served() {
        let frame = response_frame(258, version, &ApiVersionsResponse::default()).unwrap();
        let bytes = content(frame);
        assert_eq!(bytes[..6], [0, 0, 1, 2, 0, 0], "correlation id and error code");
        let mut reader = Reader::new(bytes, 1024);
        let header = ResponseHeader::decode(&mut reader, ApiKey::ApiVersions, version).unwrap();
        assert_eq!(header.correlation_id, 258);
    }
    let flexible = content(response_frame(258, 4, &HeartbeatResponse::default()).unwrap());
    assert_eq!(flexible[..5], [0, 0, 1, 2, 0], "any other response has them");
}

#[test]
fn an_api_versions_request_of_an_unknown_version_is_answered_without_being_read() {
    let (header, unread_bytes) = header("0012 0063 00000009 ffff ffff ffff");
    assert_eq!((header.api(), header.correlation_id), (None, 9));
    assert_eq!(ApiKey::from_number(header.api_key), Some(ApiKey::ApiVersions));
    assert_eq!(unread_bytes, 6);
    let body = ApiVersionsResponse::unsupported_version();
    assert_eq!(body.error_code, ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(body.api_keys, [ApiVersion { api_key: 18, min_version: 0, max_version: 4 }]);
}

#[test]
fn client_id_and_tagged_fields() {
    let (plain, unread_bytes) = header("000c 0003 00000009 0002 6162 01");
    assert_eq!((plain.client_id.as_deref(), unread_bytes), (Some("ab"), 1));
    let (unnamed, _) = header("000c 0003 00000009 ffff");
    assert_eq!(unnamed.client_id, None);
    let (flexible, unread_bytes) = header("000c 0004 00000009 0002 6162 02 00 01 ff 05 00 01");
    assert_eq!((flexible.client_id.as_deref(), unread_bytes), (Some("ab"), 1));
    let mut reader = Reader::new(hex("000c 0004 00000009 0002 6162 01 00 09 00"), 1024);
    let error = RequestHeader::decode(&mut reader).unwrap_err();
    assert_eq!((error.field, error.position), ("RequestHeader", 15));
    assert_eq!(error.problem, DecodeProblem::Truncated { wanted_bytes: 9, remaining_bytes: 1 });
}

#[test]
fn what_is_advertised_follows_from_the_table() {
    let rows = ApiVersionsResponse::advertise(ApiKey::ALL.iter().rev().copied()).api_keys;
    assert_eq!(rows.len(), ApiKey::ALL.len());
    assert!(rows.is_sorted_by_key(|row| row.api_key));
    assert_eq!(
        rows[0],
        ApiVersion { api_key: 0, min_version: 0, max_version: 11 },
        "Produce is advertised from 0"
    );
    assert_eq!(ApiKey::Produce.served(), 3..=11);
    for (row, api) in rows.iter().zip(ApiKey::ALL) {
        assert_eq!((ApiKey::from_number(row.api_key), row.max_version), (Some(*api), *api.served().end()));
        assert!(*api == ApiKey::Produce || row.min_version == *api.served().start());
    }
    for never in [4, 5, 6, 7, 17, 71, 72, -1, i16::MAX] {
        assert_eq!(ApiKey::from_number(never), None);
    }
}
