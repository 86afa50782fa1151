//! The `kafka-protocol` crate as an oracle: what our tables write it reads, and writes again as the same bytes; what it
//! writes we read as what it was. Every API in every served version, with samples that follow from the tables.

use super::{Random, content, every_version};
use crate::kafka::{
    ApiKey, ErrorCode, Reader, RequestBody, RequestHeader, ResponseBody, ResponseHeader, sink::Sink,
    table::Form, table::message,
};
use anyhow::{Context, ensure};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::{
    error::ResponseError,
    messages,
    protocol::{Decodable, Encodable, HeaderVersion},
};

const SAMPLES_PER_VERSION: usize = 40;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Direction {
    Request,
    Response,
}

/// Header and body through the oracle: decoded to the last byte, and encoded again.
fn header_and_body<H, B>(frame: &Bytes, version: i16) -> anyhow::Result<Bytes>
where
    H: Encodable + Decodable,
    B: Encodable + Decodable + HeaderVersion,
{
    let mut rest = frame.clone();
    let header_version = B::header_version(version);
    let header = H::decode(&mut rest, header_version).context("header")?;
    let body = B::decode(&mut rest, version).context("body")?;
    ensure!(rest.is_empty(), "{} bytes are left", rest.len());
    let mut again = BytesMut::new();
    header.encode(&mut again, header_version)?;
    body.encode(&mut again, version)?;
    Ok(again.freeze())
}

macro_rules! oracle {
    ($($name:ident $request:ident $response:ident;)*) => {
        fn through_oracle(direction: Direction, api: ApiKey, version: i16, frame: &Bytes) -> anyhow::Result<Bytes> {
            match (direction, api) {
                $(
                    (Direction::Request, ApiKey::$name) =>
                        header_and_body::<messages::RequestHeader, messages::$request>(frame, version),
                    (Direction::Response, ApiKey::$name) =>
                        header_and_body::<messages::ResponseHeader, messages::$response>(frame, version),
                )*
            }
        }
    };
}

oracle! {
    Produce ProduceRequest ProduceResponse;
    Fetch FetchRequest FetchResponse;
    ListOffsets ListOffsetsRequest ListOffsetsResponse;
    Metadata MetadataRequest MetadataResponse;
    OffsetCommit OffsetCommitRequest OffsetCommitResponse;
    OffsetFetch OffsetFetchRequest OffsetFetchResponse;
    FindCoordinator FindCoordinatorRequest FindCoordinatorResponse;
    JoinGroup JoinGroupRequest JoinGroupResponse;
    Heartbeat HeartbeatRequest HeartbeatResponse;
    LeaveGroup LeaveGroupRequest LeaveGroupResponse;
    SyncGroup SyncGroupRequest SyncGroupResponse;
    DescribeGroups DescribeGroupsRequest DescribeGroupsResponse;
    ListGroups ListGroupsRequest ListGroupsResponse;
    ApiVersions ApiVersionsRequest ApiVersionsResponse;
    CreateTopics CreateTopicsRequest CreateTopicsResponse;
    DeleteTopics DeleteTopicsRequest DeleteTopicsResponse;
    DeleteRecords DeleteRecordsRequest DeleteRecordsResponse;
    InitProducerId InitProducerIdRequest InitProducerIdResponse;
    OffsetForLeaderEpoch OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse;
    DescribeConfigs DescribeConfigsRequest DescribeConfigsResponse;
    AlterConfigs AlterConfigsRequest AlterConfigsResponse;
    DescribeLogDirs DescribeLogDirsRequest DescribeLogDirsResponse;
    CreatePartitions CreatePartitionsRequest CreatePartitionsResponse;
    DeleteGroups DeleteGroupsRequest DeleteGroupsResponse;
    IncrementalAlterConfigs IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse;
    OffsetDelete OffsetDeleteRequest OffsetDeleteResponse;
    DescribeCluster DescribeClusterRequest DescribeClusterResponse;
    DescribeProducers DescribeProducersRequest DescribeProducersResponse;
    DescribeTopicPartitions DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse;
}

#[test]
fn every_request_in_every_version() {
    let mut random = Random::new();
    for (api, version) in every_version() {
        for _ in 0..SAMPLES_PER_VERSION {
            let body = RequestBody::sample(api, version, &random.entropy()).unwrap();
            let client_id = [None, Some(""), Some("kliënt")][random.below(3)];
            let ours = content(body.frame(77, client_id, version).unwrap());
            let theirs = through_oracle(Direction::Request, api, version, &ours);
            let theirs = theirs.unwrap_or_else(|error| panic!("{api} {version}: {error:#}\n{body:#?}"));
            assert_eq!(theirs, ours, "{api} {version}: {body:#?}");

            let mut reader = Reader::new(theirs, usize::MAX);
            let header = RequestHeader::decode(&mut reader).unwrap();
            assert_eq!((header.api(), header.api_version, header.correlation_id), (Some(api), version, 77));
            assert_eq!(header.client_id.as_deref(), client_id);
            assert_eq!(RequestBody::decode(api, version, &mut reader), Ok(body), "{api} {version}");
        }
    }
}

#[test]
fn every_response_in_every_version() {
    let mut random = Random::new();
    for (api, version) in every_version() {
        for _ in 0..SAMPLES_PER_VERSION {
            let body = ResponseBody::sample(api, version, &random.entropy()).unwrap();
            let ours = content(body.frame(-5, version).unwrap());
            let theirs = through_oracle(Direction::Response, api, version, &ours);
            let theirs = theirs.unwrap_or_else(|error| panic!("{api} {version}: {error:#}\n{body:#?}"));
            assert_eq!(theirs, ours, "{api} {version}: {body:#?}");

            let mut reader = Reader::new(theirs, usize::MAX);
            let header = ResponseHeader::decode(&mut reader, api, version).unwrap();
            assert_eq!(header.correlation_id, -5);
            assert_eq!(ResponseBody::decode(api, version, &mut reader), Ok(body), "{api} {version}");
        }
    }
}

#[expect(unreachable_pub, reason = "structs of tables are public")]
mod planted {
    //! Tables with one row off by a version.

    use super::message;

    message! {
        /// `group_instance_id` came in version 3.
        pub struct Late {
            group_id: String,
            generation_id: i32,
            member_id: String,
            group_instance_id: Option<String> [4+],
        }

        /// The same, a version too early.
        pub struct Early {
            group_id: String,
            generation_id: i32,
            member_id: String,
            group_instance_id: Option<String> [2+],
        }

        /// As it is.
        pub struct Right {
            group_id: String,
            generation_id: i32,
            member_id: String,
            group_instance_id: Option<String> [3+],
        }
    }
}

/// Whether the oracle takes a table for HeartbeatRequest's, in all versions and for many samples.
fn taken_for_heartbeat<T: crate::kafka::primitives::Wire>(random: &mut Random) -> bool {
    ApiKey::Heartbeat.served().all(|version| {
        (0..SAMPLES_PER_VERSION).all(|_| {
            let form = Form { version, flexible: version >= 4, nullable: false };
            let entropy = random.entropy();
            let body = T::sample(&mut crate::kafka::sample::Entropy::new(&entropy), form);
            let mut sink = Sink::for_frame();
            body.encode(&mut sink, form).unwrap();
            let ours = content(sink.into_frame().unwrap());
            let mut rest = ours.clone();
            let Ok(theirs) = messages::HeartbeatRequest::decode(&mut rest, version) else { return false };
            let mut again = BytesMut::new();
            theirs.encode(&mut again, version).unwrap();
            !rest.has_remaining() && again == ours
        })
    })
}

#[test]
fn a_row_that_is_off_by_a_version_is_found() {
    let mut random = Random::new();
    assert!(taken_for_heartbeat::<planted::Right>(&mut random));
    assert!(!taken_for_heartbeat::<planted::Late>(&mut random));
    assert!(!taken_for_heartbeat::<planted::Early>(&mut random));
}

#[test]
fn every_error_code() {
    for code in ErrorCode::ALL {
        let Some(known) = ResponseError::try_from_code(code.number()) else {
            assert_eq!(*code, ErrorCode::NONE);
            continue;
        };
        let name = code.name().unwrap().replace('_', "");
        assert_eq!(format!("{known:?}").to_lowercase(), name.to_lowercase());
        // Kafka's own client (4.3) tries again while another transaction ends; the oracle does not.
        let retriable = known.is_retriable() || *code == ErrorCode::CONCURRENT_TRANSACTIONS;
        assert_eq!(code.retriable(), retriable, "{code}");
    }
    assert!(ErrorCode::ALL.is_sorted_by(|one, next| one.number() + 1 == next.number()), "none is missing");
    assert_eq!(ErrorCode::from_number(3).to_string(), "UNKNOWN_TOPIC_OR_PARTITION (3)");
    assert_eq!(ErrorCode::from_number(999).to_string(), "unknown error 999");
    assert!(!ErrorCode::from_number(999).retriable());
}
