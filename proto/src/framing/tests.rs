//! Messages out of chunks, however they were cut; what is shared and what is copied; what is refused.

use super::*;
use crate::v1::{FetchResponse, ProduceRequest};
use proptest::prelude::*;

const BYTES_MAX: usize = 1 << 20;
const BATCHES_TAG: u32 = 15;

fn request(id: u64, batch_bytes: usize) -> ProduceRequest {
    let batch = (0..batch_bytes).map(|index| u8::try_from(index % 251).unwrap()).collect::<Vec<_>>();
    ProduceRequest { request_id: id, batch: batch.into(), partition: 7, ..ProduceRequest::default() }
}

fn framed(message: &impl Message) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
    bytes.extend(message.encode_to_vec());
    bytes
}

fn take_all(chunks: &mut Chunks) -> Vec<ProduceRequest> {
    std::iter::from_fn(|| chunks.next_message(BYTES_MAX).unwrap()).collect()
}

proptest! {
    #[test]
    fn messages_come_out_as_they_went_in_however_they_were_cut(
        sizes in prop::collection::vec(0_usize..70_000, 1..5),
        cuts in prop::collection::vec(1_usize..40_000, 1..40),
    ) {
        let sent: Vec<_> = sizes.iter().zip(1..).map(|(size, id)| request(id, *size)).collect();
        let mut rest = Bytes::from(sent.iter().flat_map(framed).collect::<Vec<_>>());
        let (mut chunks, mut received) = (Chunks::default(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            chunks.push(rest.split_to(rest.len().min(*cut)));
            received.extend(take_all(&mut chunks));
        }
        prop_assert_eq!(received, sent);
        prop_assert!(chunks.is_empty());
    }

    #[test]
    fn any_bytes_are_messages_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut chunks = Chunks::default();
        chunks.push(bytes.into());
        while let Ok(Some(_)) = chunks.next_message::<ProduceRequest>(100) {}
    }
}

#[test]
fn a_large_field_is_a_slice_and_a_small_one_is_not() {
    for (batch_bytes, others_bytes, is_shared) in [(100_000, 0, true), (100_000, 500_000, false)] {
        let mut bytes = framed(&request(1, batch_bytes));
        bytes.extend(framed(&request(2, others_bytes)));
        let chunk = Bytes::from(bytes);
        let range = chunk.as_ptr_range();
        let mut chunks = Chunks::default();
        chunks.push(chunk.clone());
        let first = chunks.next_message::<ProduceRequest>(BYTES_MAX).unwrap().unwrap();
        assert_eq!(range.contains(&first.batch.as_ptr()), is_shared);
        assert_eq!(first, request(1, batch_bytes));
        assert_eq!(take_all(&mut chunks), [request(2, others_bytes)]);
    }
}

#[test]
fn what_is_declared_too_long_is_refused_before_it_comes() {
    let mut chunks = Chunks::default();
    chunks.push(Bytes::from_static(&[0, 0xff, 0xff, 0xff]));
    assert_eq!(chunks.next_message::<ProduceRequest>(10), Ok(None));
    chunks.push(Bytes::from_static(&[0xff]));
    let bytes = usize::try_from(u32::MAX).unwrap();
    let refusal = FramingError::TooLong { bytes, bytes_max: 10 };
    assert_eq!(chunks.next_message::<ProduceRequest>(10), Err(refusal));
}

#[test]
fn flags_other_than_uncompressed_are_refused() {
    for (flag, refusal) in [(1, FramingError::Compressed), (7, FramingError::Flag(7))] {
        let mut chunks = Chunks::default();
        chunks.push(Bytes::copy_from_slice(&[flag, 0, 0, 0, 0]));
        assert_eq!(chunks.next_message::<ProduceRequest>(10), Err(refusal));
    }
}

#[test]
fn a_last_field_may_follow_by_itself() {
    for length in [0, 1, 127, 128, 70_000] {
        let batches = Bytes::from(vec![5; length]);
        let rest = FetchResponse { subscription_id: 3, high_watermark: -1, ..FetchResponse::default() };
        let mut chunks = Chunks::default();
        chunks.push(encode_before_last_field(&rest, BATCHES_TAG, length).unwrap());
        chunks.push(batches.clone());
        let whole = chunks.next_message::<FetchResponse>(BYTES_MAX).unwrap().unwrap();
        assert_eq!(whole, FetchResponse { batches, ..rest });
        assert!(chunks.is_empty());
    }
}
