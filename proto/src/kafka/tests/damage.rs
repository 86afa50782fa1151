//! Messages cut short, with bits flipped, and any bytes at all: an error or a value, never a panic.

use super::{Random, content, every_version};
use crate::kafka::{ApiKey, Frame, Reader, RequestBody, RequestHeader, ResponseBody, ResponseHeader, fuzz};
use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

/// A few frames of every API and version, requests and responses, behind the two bytes that say which they are. Samples
/// are small, because every place in them is tried.
fn every_frame(random: &mut Random, mut check: impl FnMut(&mut Random, ApiKey, i16, bool, Bytes)) {
    for (api, version) in every_version() {
        for length in [0, 30, 120] {
            let entropy = random.entropy();
            let entropy = &entropy[..length.min(entropy.len())];
            let request = RequestBody::sample(api, version, entropy).unwrap().frame(3, Some("c"), version);
            check(random, api, version, true, content(request.unwrap()));
            let response = ResponseBody::sample(api, version, entropy).unwrap().frame(3, version);
            check(random, api, version, false, content(response.unwrap()));
        }
    }
}

fn decodes(api: ApiKey, version: i16, request: bool, frame: Bytes) -> bool {
    let mut reader = Reader::new(frame, usize::MAX);
    if request {
        RequestHeader::decode(&mut reader).is_ok_and(|header| header.api() == Some(api))
            && RequestBody::decode(api, version, &mut reader).is_ok()
    } else {
        ResponseHeader::decode(&mut reader, api, version).is_ok()
            && ResponseBody::decode(api, version, &mut reader).is_ok()
    }
}

#[test]
fn no_part_of_a_message_is_a_message() {
    every_frame(&mut Random::new(), |_, api, version, request, frame| {
        assert!(decodes(api, version, request, frame.clone()));
        for length in 0..frame.len() {
            let cut = frame.slice(..length);
            assert!(!decodes(api, version, request, cut), "{api} {version}: {length} of {frame:?}");
        }
        let longer = [&frame[..], &[0]].concat();
        assert!(!decodes(api, version, request, longer.into()), "{api} {version}: a byte follows {frame:?}");
    });
}

#[test]
fn flipped_bits() {
    let mut decoded = 0;
    every_frame(&mut Random::new(), |random, api, version, request, frame| {
        let api_index = ApiKey::ALL.iter().position(|other| *other == api).unwrap();
        let version_index = version - api.served().start();
        let choice = [u8::try_from(api_index).unwrap(), u8::try_from(version_index).unwrap()];
        for _ in 0..60 {
            let mut bytes = frame.to_vec();
            for _ in 0..=random.below(2) {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            let whole =
                if request { fuzz::request(&bytes) } else { fuzz::response(&[&choice[..], &bytes].concat()) };
            decoded += u32::from(whole);
        }
    });
    assert!(decoded > 10_000, "only {decoded} of the spoilt messages were read");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn any_bytes_as_requests(
        api in prop::sample::select(ApiKey::ALL.to_vec()),
        version in 0_u8..17,
        rest in vec(prop_oneof![any::<u8>(), 0_u8..4], 0..200),
    ) {
        fuzz::request(&[&[0, u8::try_from(api.number()).unwrap(), 0, version][..], &rest].concat());
        fuzz::request(&rest);
    }

    #[test]
    fn any_bytes_as_responses(data in vec(prop_oneof![any::<u8>(), 0_u8..4], 0..200)) {
        fuzz::response(&data);
    }

    #[test]
    fn any_bytes_as_samples(data in vec(any::<u8>(), 0..600)) {
        fuzz::sampled(&data);
    }
}

/// A frame is as good in pieces as whole.
#[test]
fn a_frame_can_be_written_in_pieces_of_any_size() {
    use bytes::Buf;
    let mut random = Random::new();
    for (api, version) in every_version() {
        let body = ResponseBody::sample(api, version, &random.entropy()).unwrap();
        let whole = body.frame(1, version).unwrap();
        let expected = whole.chunks().flat_map(|chunk| chunk.to_vec()).collect::<Vec<_>>();
        let mut rest: Frame = whole;
        let mut written = Vec::new();
        while rest.has_remaining() {
            let mut slices = [std::io::IoSlice::new(&[]); 3];
            let count = rest.chunks_vectored(&mut slices);
            let offered = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
            assert!(offered.starts_with(rest.chunk()) && !rest.chunk().is_empty());
            let step = 1 + random.below(offered.len());
            written.extend_from_slice(&offered[..step]);
            rest.advance(step);
        }
        assert_eq!(written, expected, "{api} {version}");
    }
}
