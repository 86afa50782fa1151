//! Bytes that Kafka's own Java client (4.3) wrote, field by field.

use super::{content, hex};
use crate::kafka::{
    ErrorCode, Reader, Request, RequestHeader, Response, ResponseHeader,
    api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse},
    fetch::{
        FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, ForgottenTopic,
        PartitionData,
    },
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
    leader::LeaderIdAndEpoch,
    produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    request_frame, response_frame,
};
use bytes::Bytes;

const RECORDS: &[u8] = &[1, 2, 3, 4, 5];

/// Both ways between `body` and the request's bytes.
fn request<R: Request>(version: i16, correlation_id: i32, bytes: &str, body: &R) {
    let bytes = hex(bytes);
    let frame = request_frame(correlation_id, Some("golden"), version, body).unwrap();
    assert_eq!(content(frame), bytes, "{body:?}");
    let mut reader = Reader::new(bytes, usize::MAX);
    let header = RequestHeader::decode(&mut reader).unwrap();
    assert_eq!((header.api(), header.api_version), (Some(R::API), version));
    assert_eq!((header.correlation_id, header.client_id.as_deref()), (correlation_id, Some("golden")));
    assert_eq!(R::decode_body(&mut reader, version).as_ref(), Ok(body));
}

/// Both ways between `body` and the response's bytes.
fn response<R: Response>(version: i16, correlation_id: i32, bytes: &str, body: &R) {
    let bytes = hex(bytes);
    let frame = response_frame(correlation_id, version, body).unwrap();
    assert_eq!(content(frame), bytes, "{body:?}");
    let mut reader = Reader::new(bytes, usize::MAX);
    let header = ResponseHeader::decode(&mut reader, R::API, version).unwrap();
    assert_eq!(header.correlation_id, correlation_id);
    assert_eq!(R::decode_body(&mut reader, version).as_ref(), Ok(body));
}

#[test]
fn api_versions() {
    request(0, 7, "0012 0000 00000007 0006 676f6c64656e", &ApiVersionsRequest::default());
    let body = ApiVersionsRequest {
        client_software_name: "golden-client".to_owned(),
        client_software_version: "1.2".to_owned(),
    };
    let bytes = "0012 0003 00000007 0006 676f6c64656e 00 0e 676f6c64656e2d636c69656e74 04 312e32 00";
    request(3, 7, bytes, &body);

    // The header of the response is the same in all versions, tagged fields or not.
    let row = ApiVersion { api_key: 18, min_version: 0, max_version: 4 };
    let mut body = ApiVersionsResponse { api_keys: vec![row], ..ApiVersionsResponse::default() };
    body.throttle_time_ms = 5;
    response(3, 7, "00000007 0000 02 0012 0000 0004 00 00000005 00", &body);
    let refusal = ApiVersionsResponse::unsupported_version();
    response(0, 7, "00000007 0023 00000001 0012 0000 0004", &refusal);
}

#[test]
fn produce() {
    let partition = PartitionProduceData { index: 2, records: Some(Bytes::from_static(RECORDS)) };
    let topic = TopicProduceData { name: "orders".to_owned(), partition_data: vec![partition] };
    let mut body =
        ProduceRequest { acks: -1, timeout_ms: 1500, topic_data: vec![topic], ..ProduceRequest::default() };
    let bytes =
        "0000 0003 00000008 0006 676f6c64656e ffff ffff 000005dc 00000001 0006 6f7264657273 00000001 00000002
        00000005 0102030405";
    request(3, 8, bytes, &body);
    body.transactional_id = Some("tx".to_owned());
    let bytes = "0000 0009 00000008 0006 676f6c64656e 00 03 7478 ffff 000005dc 02 07 6f7264657273 02 00000002
        06 0102030405 00 00 00";
    request(9, 8, bytes, &body);
}

#[test]
fn fetch() {
    let partition = FetchPartition {
        partition: 2,
        fetch_offset: 77,
        partition_max_bytes: 65536,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { topic: "orders".to_owned(), partitions: vec![partition], ..FetchTopic::default() };
    let mut body = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 1_000_000,
        isolation_level: 1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let bytes = "0001 0004 00000009 0006 676f6c64656e ffffffff 000001f4 00000001 000f4240 01 00000001
        0006 6f7264657273 00000001 00000002 000000000000004d 00010000";
    request(4, 9, bytes, &body);

    body.cluster_id = Some("c1".to_owned());
    (body.session_id, body.session_epoch, body.rack_id) = (9, 3, "r".to_owned());
    body.topics[0].partitions[0].current_leader_epoch = 4;
    body.topics[0].partitions[0].last_fetched_epoch = 3;
    let forgotten =
        ForgottenTopic { topic: "old".to_owned(), partitions: vec![0, 5], ..ForgottenTopic::default() };
    body.forgotten_topics_data = vec![forgotten];
    let bytes =
        "0001 000c 00000009 0006 676f6c64656e 00 ffffffff 000001f4 00000001 000f4240 01 00000009 00000003
        02 07 6f7264657273 02 00000002 00000004 000000000000004d 00000003 ffffffffffffffff 00010000 00 00
        02 04 6f6c64 03 00000000 00000005 00 02 72 01 00 03 03 6331";
    request(12, 9, bytes, &body);
}

#[test]
fn fetch_response() {
    let partition = PartitionData {
        partition_index: 2,
        high_watermark: 80,
        last_stable_offset: 79,
        log_start_offset: 1,
        current_leader: LeaderIdAndEpoch { leader_id: 3, leader_epoch: 6 },
        records: Some(Bytes::from_static(RECORDS)),
        ..PartitionData::default()
    };
    let topic = FetchableTopicResponse {
        topic: "orders".to_owned(),
        partitions: vec![partition],
        ..FetchableTopicResponse::default()
    };
    let body = FetchResponse {
        throttle_time_ms: 1,
        error_code: ErrorCode::NONE,
        session_id: 9,
        responses: vec![topic],
        ..FetchResponse::default()
    };
    let bytes = "00000009 00 00000001 0000 00000009 02 07 6f7264657273 02 00000002 0000 0000000000000050
        000000000000004f 0000000000000001 00 ffffffff 06 0102030405 01 01 09 00000003 00000006 00 00 00";
    response(12, 9, bytes, &body);
}

#[test]
fn join_group() {
    let protocol =
        JoinGroupRequestProtocol { name: "range".to_owned(), metadata: Bytes::from_static(&[0, 1]) };
    let body = JoinGroupRequest {
        group_id: "g".to_owned(),
        session_timeout_ms: 6000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol],
        ..JoinGroupRequest::default()
    };
    let bytes = "000b 0000 0000000a 0006 676f6c64656e 0001 67 00001770 0000 0008 636f6e73756d6572 00000001
        0005 72616e6765 00000002 0001";
    request(0, 10, bytes, &body);
}
