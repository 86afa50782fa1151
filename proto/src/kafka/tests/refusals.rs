//! Each way in which bytes are not a message and a value has no bytes, with the field and the position that the error
//! names.

use super::hex;
use crate::kafka::{
    ApiKey, DecodeError, DecodeProblem, EncodeProblem, Message, Reader, RequestBody, ResponseBody,
    api_versions::ApiVersionsRequest,
    find_coordinator::FindCoordinatorRequest,
    heartbeat::HeartbeatRequest,
    metadata::{MetadataRequest, MetadataRequestTopic},
    offset_commit::{OffsetCommitRequest, OffsetCommitRequestTopic},
    produce::ProduceResponse,
    request_frame, response_frame,
};

fn refused<M: Message>(version: i16, bytes: &str) -> DecodeError {
    M::decode_body(&mut Reader::new(hex(bytes), 4096), version).unwrap_err()
}

#[track_caller]
fn assert_refused<M: Message>(
    version: i16,
    bytes: &str,
    field: &str,
    position: usize,
    problem: DecodeProblem,
) {
    let error = refused::<M>(version, bytes);
    assert_eq!((error.field, error.position, error.problem), (field, position, problem), "{error}");
}

#[test]
fn lengths() {
    let truncated = DecodeProblem::Truncated { wanted_bytes: 5, remaining_bytes: 1 };
    assert_refused::<HeartbeatRequest>(0, "0005 61", "HeartbeatRequest.group_id", 2, truncated);
    let negative = DecodeProblem::NegativeLength { length: -2 };
    assert_refused::<HeartbeatRequest>(0, "fffe", "HeartbeatRequest.group_id", 2, negative);
    assert_refused::<HeartbeatRequest>(0, "ffff", "HeartbeatRequest.group_id", 2, DecodeProblem::Null);
    assert_refused::<HeartbeatRequest>(4, "00", "HeartbeatRequest.group_id", 1, DecodeProblem::Null);
    let endless = DecodeProblem::VarintTooLong;
    assert_refused::<HeartbeatRequest>(4, "ffffffff7f", "HeartbeatRequest.group_id", 5, endless);
    assert_refused::<HeartbeatRequest>(4, "8080808080 00", "HeartbeatRequest.group_id", 5, endless);
    let too_long = DecodeProblem::StringTooLong { bytes: 0x8000 };
    assert_refused::<HeartbeatRequest>(4, "818002", "HeartbeatRequest.group_id", 3, too_long);
    assert_refused::<HeartbeatRequest>(
        0,
        "0002 ff41",
        "HeartbeatRequest.group_id",
        2,
        DecodeProblem::NotUtf8,
    );
    let negative = DecodeProblem::NegativeLength { length: i32::MIN };
    assert_refused::<MetadataRequest>(1, "80000000", "MetadataRequest.topics", 4, negative);
}

#[test]
fn counts_are_held_against_what_remains() {
    // Three names of at least two bytes do not stand in five.
    let problem = DecodeProblem::CountBeyondEnd { count: 3, element_bytes_min: 2, remaining_bytes: 5 };
    assert_refused::<MetadataRequest>(1, "00000003 0000 0000 00", "MetadataRequest.topics", 4, problem);
    // Id, name and tagged fields are 18 bytes.
    let count = u32::MAX as usize - 1;
    let problem = DecodeProblem::CountBeyondEnd { count, element_bytes_min: 18, remaining_bytes: 0 };
    assert_refused::<MetadataRequest>(12, "ffffffff0f", "MetadataRequest.topics", 5, problem);

    let two = |memory_bytes_max| {
        MetadataRequest::decode_body(&mut Reader::new(hex("00000002 0000 0000"), memory_bytes_max), 1)
    };
    let needed_bytes = 2 * size_of::<MetadataRequestTopic>();
    assert!(two(needed_bytes).is_ok());
    let error = two(needed_bytes - 1).unwrap_err();
    let problem = DecodeProblem::Memory { wanted_bytes: needed_bytes, allowed_bytes: needed_bytes - 1 };
    assert_eq!((error.field, error.problem), ("MetadataRequest.topics", problem));
}

#[test]
fn tagged_fields() {
    let heartbeat = "0261 00000001 0262 00";
    let with = |tagged: &str| format!("{heartbeat} {tagged}");
    let decode = |tagged: &str| HeartbeatRequest::decode_body(&mut Reader::new(hex(&with(tagged)), 99), 4);
    assert_eq!(decode("00"), decode("02 00 01 ff 07 00"), "unknown ones are skipped");
    let order = |tag, previous| DecodeProblem::TagOrder { tag, previous };
    assert_refused::<HeartbeatRequest>(4, &with("02 03 00 03 00"), "HeartbeatRequest", 13, order(3, 3));
    assert_refused::<HeartbeatRequest>(4, &with("02 03 00 02 00"), "HeartbeatRequest", 13, order(2, 3));
    let truncated = DecodeProblem::Truncated { wanted_bytes: 1, remaining_bytes: 0 };
    assert_refused::<HeartbeatRequest>(4, &with("ffffffff0f 00 00"), "HeartbeatRequest", 16, truncated);
    let truncated = DecodeProblem::Truncated { wanted_bytes: 127, remaining_bytes: 1 };
    assert_refused::<HeartbeatRequest>(4, &with("01 00 7f 00"), "HeartbeatRequest", 12, truncated);

    // `node_endpoints` is tag 0; what it declares it must use, and it must not use more.
    let with = |tagged: &str| format!("01 00000000 {tagged}");
    let field = "ProduceResponse.node_endpoints";
    assert!(ProduceResponse::decode_body(&mut Reader::new(hex(&with("01 00 01 01")), 99), 10).is_ok());
    let extra = DecodeProblem::TaggedFieldSize { extra_bytes: 1 };
    assert_refused::<ProduceResponse>(10, &with("01 00 02 01 00"), field, 9, extra);
    let beyond = DecodeProblem::CountBeyondEnd { count: 1, element_bytes_min: 11, remaining_bytes: 0 };
    assert_refused::<ProduceResponse>(
        10,
        &with("01 00 01 02 00000001 00 00000000 00 00 00"),
        field,
        9,
        beyond,
    );
}

#[test]
fn bytes_behind_the_message() {
    let problem = DecodeProblem::TrailingBytes { extra_bytes: 2 };
    assert_refused::<ApiVersionsRequest>(0, "0000", "the frame", 0, problem);
}

#[test]
fn versions_that_are_not_served() {
    for api in ApiKey::ALL {
        for version in [-1, i16::MIN, api.served().start() - 1, api.served().end() + 1, i16::MAX] {
            let error = RequestBody::decode(*api, version, &mut Reader::new(hex("00"), 99)).unwrap_err();
            assert_eq!(error.problem, DecodeProblem::Version { version }, "{api}");
            assert_eq!(ResponseBody::sample(*api, version, &[]), None, "{api}");
        }
    }
    let problem = DecodeProblem::Version { version: 5 };
    assert_refused::<HeartbeatRequest>(5, "", "the frame", 0, problem);
    let error = request_frame(1, None, 5, &HeartbeatRequest::default()).unwrap_err();
    assert_eq!(error.problem, EncodeProblem::Version { version: 5 });
}

#[test]
fn what_a_version_cannot_say() {
    let keys = vec!["g".to_owned()];
    let many = FindCoordinatorRequest { coordinator_keys: keys, ..FindCoordinatorRequest::default() };
    assert!(request_frame(1, None, 4, &many).is_ok());
    let error = request_frame(1, None, 3, &many).unwrap_err();
    assert_eq!(error.field, "FindCoordinatorRequest.coordinator_keys");
    assert_eq!(error.problem, EncodeProblem::NotInVersion { version: 3 });

    // What its reader can do without is dropped.
    let response = ProduceResponse { throttle_time_ms: 7, ..ProduceResponse::default() };
    assert!(response_frame(1, 3, &response).is_ok());

    let everything = MetadataRequest { topics: None, ..MetadataRequest::default() };
    assert!(request_frame(1, None, 1, &everything).is_ok());
    let error = request_frame(1, None, 0, &everything).unwrap_err();
    assert_eq!((error.field, error.problem), ("MetadataRequest.topics", EncodeProblem::Null));

    let name = "n".repeat(0x8000);
    let topic = OffsetCommitRequestTopic { name, partitions: Vec::new() };
    let body = OffsetCommitRequest { topics: vec![topic], ..OffsetCommitRequest::default() };
    for version in OffsetCommitRequest::API.served() {
        let error = request_frame(1, None, version, &body).unwrap_err();
        assert_eq!(error.field, "OffsetCommitRequestTopic.name");
        assert_eq!(error.problem, EncodeProblem::TooLong { length: 0x8000, length_max: 0x7fff });
    }
}
