//! Record data are never copied: in as slices of the frame, out as chunks of their own.

use super::content;
use crate::kafka::{
    OWN_CHUNK_BYTES_MIN, Reader, RequestBody, RequestHeader, ResponseBody,
    fetch::{FetchResponse, FetchableTopicResponse, PartitionData},
    produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    request_frame, response_frame,
};
use bytes::{Buf, Bytes};

fn fetched(records: &[Bytes]) -> FetchResponse {
    let partitions = records.iter().zip(0..).map(|(records, partition_index)| PartitionData {
        partition_index,
        records: Some(records.clone()),
        ..PartitionData::default()
    });
    let topic =
        FetchableTopicResponse { partitions: partitions.collect(), ..FetchableTopicResponse::default() };
    FetchResponse { responses: vec![topic], ..FetchResponse::default() }
}

#[test]
fn fetched_records_are_chunks_of_their_own() {
    let large = [Bytes::from(vec![1; OWN_CHUNK_BYTES_MIN]), Bytes::from(vec![2; 100_000])];
    let small = Bytes::from(vec![3; OWN_CHUNK_BYTES_MIN - 1]);
    let body = fetched(&[large[0].clone(), small, large[1].clone()]);
    for version in [4, 12, 16] {
        let frame = response_frame(1, version, &body).unwrap();
        let handed_on =
            frame.chunks().filter(|chunk| large.iter().any(|bytes| bytes.as_ptr() == chunk.as_ptr()));
        assert_eq!(handed_on.map(Bytes::len).collect::<Vec<_>>(), [OWN_CHUNK_BYTES_MIN, 100_000]);
        // One before, one between that has the small one too, and tagged fields behind.
        assert_eq!(frame.chunks().count(), if version < 12 { 4 } else { 5 });
        let declared = usize::try_from(frame.clone().get_i32()).unwrap();
        assert_eq!(declared + 4, frame.chunks().map(Bytes::len).sum::<usize>());
        assert_eq!(frame.remaining(), declared + 4);
        let mut reader = Reader::new(content(frame).slice(if version < 12 { 4.. } else { 5.. }), 4096);
        let again = ResponseBody::decode(crate::kafka::ApiKey::Fetch, version, &mut reader);
        assert_eq!(again, Ok(ResponseBody::Fetch(body.clone())), "version {version}");
    }
}

#[test]
fn two_large_records_may_stand_side_by_side() {
    let body = fetched(&[Bytes::from(vec![1; 5000]), Bytes::from(vec![2; 5000])]);
    let frame = response_frame(1, 4, &body).unwrap();
    assert_eq!(frame.chunks().map(Bytes::len).filter(|length| *length == 5000).count(), 2);
    assert!(frame.chunks().all(|chunk| !chunk.is_empty()));
}

#[test]
fn produced_records_are_slices_of_the_frame() {
    let partition = PartitionProduceData { index: 0, records: Some(Bytes::from(vec![7; 5000])) };
    let topic = TopicProduceData { name: "t".to_owned(), partition_data: vec![partition] };
    let body = ProduceRequest { acks: 1, topic_data: vec![topic], ..ProduceRequest::default() };
    for version in [3, 9, 11] {
        let frame = content(request_frame(1, None, version, &body).unwrap());
        let within = frame.as_ptr_range();
        let mut reader = Reader::new(frame.clone(), 1024);
        let header = RequestHeader::decode(&mut reader).unwrap();
        let decoded = RequestBody::decode(header.api().unwrap(), version, &mut reader).unwrap();
        let RequestBody::Produce(decoded) = decoded else { panic!("{decoded:?}") };
        assert_eq!(decoded, body);
        let records = decoded.topic_data[0].partition_data[0].records.as_ref().unwrap();
        assert!(within.contains(&records.as_ptr()), "version {version}");
    }
}
