//! What the Kafka codec allocates, counted: never for a declared count, never for record data, and for any frame at most
//! a small multiple of its own length.
#![expect(clippy::unwrap_used, reason = "a test, helpers included")]

use bytes::{Buf, BufMut, Bytes, BytesMut};
use cairn_proto::kafka::{
    ApiKey, Frame, Reader, RequestBody, RequestHeader, ResponseBody, ResponseHeader,
    fetch::{FetchResponse, FetchableTopicResponse, PartitionData},
    produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    request_frame, response_frame,
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// An array of empty strings takes 24 bytes for each of its own; every string its length besides.
const BYTES_PER_FRAME_BYTE: usize = 26;
const RECORD_BYTES: usize = 1 << 20;
/// For all that is not record data.
const ENVELOPE_BYTES: usize = 4096;

/// One test, so that nothing else allocates while it counts.
#[test]
fn allocations_are_bounded() {
    records_are_not_copied();
    hostile_frames();
    damaged_frames();
}

fn content(mut frame: Frame) -> Bytes {
    frame.advance(4);
    frame.copy_to_bytes(frame.remaining())
}

fn records_are_not_copied() {
    let records = Some(Bytes::from(vec![7; RECORD_BYTES]));
    let partition = PartitionProduceData { index: 0, records: records.clone() };
    let topic = TopicProduceData { name: "topic".to_owned(), partition_data: vec![partition] };
    let produce = ProduceRequest { topic_data: vec![topic], ..ProduceRequest::default() };
    let partition = PartitionData { records, ..PartitionData::default() };
    let topic = FetchableTopicResponse { partitions: vec![partition], ..FetchableTopicResponse::default() };
    let fetch = FetchResponse { responses: vec![topic], ..FetchResponse::default() };

    let region = Region::new(GLOBAL);
    let frame = request_frame(1, None, 9, &produce).unwrap();
    assert!(region.change().bytes_allocated < ENVELOPE_BYTES, "{:?} to encode a request", region.change());
    assert!(frame.remaining() > RECORD_BYTES);
    let region = Region::new(GLOBAL);
    let response = response_frame(1, 12, &fetch).unwrap();
    assert!(region.change().bytes_allocated < ENVELOPE_BYTES, "{:?} to encode a response", region.change());
    assert!(response.remaining() > RECORD_BYTES);

    let frame = content(frame);
    let region = Region::new(GLOBAL);
    let mut reader = Reader::new(frame, usize::MAX);
    let header = RequestHeader::decode(&mut reader).unwrap();
    let body = RequestBody::decode(ApiKey::Produce, header.api_version, &mut reader).unwrap();
    assert!(region.change().bytes_allocated < ENVELOPE_BYTES, "{:?} to decode", region.change());
    assert_eq!(body, RequestBody::Produce(produce));
}

/// Decodes `frame` as the request and the response of this API and version, and counts. Says whether one was whole.
fn count(api: ApiKey, version: i16, frame: &[u8]) -> bool {
    let frame = Bytes::copy_from_slice(frame);
    let limit_bytes = BYTES_PER_FRAME_BYTE * frame.len();
    let region = Region::new(GLOBAL);
    let mut reader = Reader::new(frame.clone(), usize::MAX);
    let header = RequestHeader::decode(&mut reader);
    let request = RequestBody::decode(api, version, &mut reader);
    let spent_bytes = region.change().bytes_allocated;
    assert!(spent_bytes <= limit_bytes, "{spent_bytes} bytes for {frame:?} as {api} {version}: {request:?}");

    let region = Region::new(GLOBAL);
    let mut reader = Reader::new(frame.clone(), usize::MAX);
    let answered = ResponseHeader::decode(&mut reader, api, version);
    let response = ResponseBody::decode(api, version, &mut reader);
    let spent_bytes = region.change().bytes_allocated;
    assert!(spent_bytes <= limit_bytes, "{spent_bytes} bytes for {frame:?} as {api} {version}: {response:?}");
    header.is_ok() && request.is_ok() || answered.is_ok() && response.is_ok()
}

/// One byte over and over, behind a good header: counts of every size, all claiming as much as they can.
fn hostile_frames() {
    for api in ApiKey::ALL {
        for version in api.served() {
            for byte in [0x00, 0x01, 0x02, 0x7f, 0x80, 0xff] {
                for length in [0, 1, 7, 64, 1000] {
                    let mut frame = BytesMut::new();
                    frame.put_i16(api.number());
                    frame.put_i16(version);
                    frame.put_i32(1);
                    frame.put_i16(-1);
                    if api.flexible(version) {
                        frame.put_u8(0);
                    }
                    frame.put_bytes(byte, length);
                    count(*api, version, &frame);
                }
            }
        }
    }
}

/// Whole messages with bytes changed, counts among them.
fn damaged_frames() {
    let whole = std::cell::Cell::new(0);
    let changes = vec((any::<Index>(), prop_oneof![any::<u8>(), Just(0xff), Just(0x7f)]), 0..6);
    let input =
        (select(ApiKey::ALL.to_vec()), any::<Index>(), any::<bool>(), vec(any::<u8>(), 0..600), changes);
    let config = Config { failure_persistence: None, ..Config::with_cases(6000) };
    let outcome = TestRunner::new(config).run(&input, |(api, version, request, entropy, changes)| {
        let versions = api.served().collect::<Vec<_>>();
        let version = *version.get(&versions);
        let frame = if request {
            RequestBody::sample(api, version, &entropy).unwrap().frame(1, Some("client"), version)
        } else {
            ResponseBody::sample(api, version, &entropy).unwrap().frame(1, version)
        };
        let mut frame = content(frame.unwrap()).to_vec();
        for (index, byte) in changes {
            *index.get_mut(frame.as_mut_slice()) = byte;
        }
        whole.set(whole.get() + u32::from(count(api, version, &frame)));
        Ok(())
    });
    outcome.unwrap();
    assert!(whole.get() > 1000, "only {} of the frames were read", whole.get());
}
