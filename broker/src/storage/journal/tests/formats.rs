//! Bytes on disk: golden ones, round trips, and any bytes at all.

use super::super::{
    frame_codec::{FrameHead, FramePlace, FrameProblem, decode, encode, encoded_bytes},
    header::{FileHeader, HeaderPage, LapEnd, choose},
};
use super::*;
use crate::{ids::LeaderEpoch, storage::DeletionCause};
use proptest::prelude::*;

fn encoded(frame: &Frame, place: FramePlace) -> Vec<u8> {
    let mut bytes = vec![0xaa; encoded_bytes(frame)];
    encode(frame, place, &mut bytes);
    bytes
}

fn place() -> FramePlace {
    FramePlace {
        lap: 5,
        sequence: 0x0102_0304,
        synced: 0x0102_0300,
        chain: 0xdead_beef,
        first: true,
        last: false,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn golden_bytes_of_a_frame() {
    let body = FrameBody::Epoch { epoch: LeaderEpoch(9), start: Offset(258) };
    let golden = concat!(
        "c69f25f2",
        "40000000",
        "01",
        "06",
        "01",
        "00",
        "efbeadde",
        "0500000000000000",
        "0403020100000000",
        "0700000000000000",
        "0201000000000000",
        "09000000",
        "00000000",
        "0003020100000000",
    );
    let bytes = encoded(&Frame { log: LogId(7), body }, place());
    assert_eq!(hex(&bytes), golden);
    let cause = DeletionCause::DeleteRecords;
    let body = FrameBody::LogStart { start: Offset(258), cause };
    let bytes = encoded(&Frame { log: LogId(7), body }, FramePlace { last: true, ..place() });
    assert_eq!(hex(&bytes[4..12]), "4100000001030300");
    assert_eq!(bytes[64..], [2]);
    let bytes = encoded(&append(7, 258, 3), place());
    assert_eq!(hex(&bytes[8..12]), "01010100");
    assert_eq!(hex(&bytes[64..80]), "00000000000000004d00000000000000");
    assert_eq!(hex(&bytes[80..88]), "0000000000000102", "the batch follows, its offset first");
}

#[test]
fn golden_bytes_of_a_files_head() {
    let predecessor = LapEnd { lap: 4, position: 0x2000, sequence: 17, chain: 0xdead_beef };
    let header =
        FileHeader { lap: 5, file_bytes: 0x10000, block_bytes: 4096, first_sequence: 17, predecessor };
    let mut pages = vec![0xaa; 8192];
    header.encode(&mut pages);
    let golden = concat!(
        "2f82154f",
        "434149524e4a4e4c",
        "01000000",
        "0500000000000000",
        "0000010000000000",
        "00100000",
        "00000000",
        "1100000000000000",
        "efbeadde00000000",
        "0400000000000000",
        "0020000000000000",
        "1100000000000000",
        "00000000000000000000000000000000",
    );
    assert_eq!(hex(&pages[..96]), golden);
    assert!(pages[96..4096].iter().all(|byte| *byte == 0));
    assert_eq!(pages[..4096], pages[4096..]);
    assert_eq!(FileHeader::decode(&pages[..4096]), HeaderPage::Valid(header));
    let mut newer = pages[..4096].to_vec();
    newer[12] = 2;
    let checksum = crc32fast::hash(&newer[4..96]);
    newer[..4].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(FileHeader::decode(&newer), HeaderPage::Newer(2));
    let older = HeaderPage::Valid(FileHeader { lap: 4, predecessor: LapEnd::default(), ..header });
    let valid = HeaderPage::Valid(header);
    assert_eq!(choose([older, valid]), (valid, None), "a torn head is of the lap that was being begun");
    assert_eq!(choose([HeaderPage::Damaged, valid]), (valid, Some(0)));
    assert_eq!(choose([HeaderPage::Blank, HeaderPage::Damaged]), (HeaderPage::Blank, Some(4096)));
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let offset = 0..i64::MAX / 2;
    let cause = prop_oneof![
        Just(DeletionCause::Retention),
        Just(DeletionCause::DeleteRecords),
        Just(DeletionCause::TopicDelete),
        Just(DeletionCause::Snapshot)
    ];
    let body = prop_oneof![
        (offset.clone(), 0_usize..3000).prop_map(|(offset, bytes)| append(0, offset, bytes).body),
        offset.clone().prop_map(|end| FrameBody::Truncate { end: Offset(end) }),
        (offset.clone(), cause.clone())
            .prop_map(|(start, cause)| FrameBody::LogStart { start: Offset(start), cause }),
        offset.clone().prop_map(|start| FrameBody::Create { start: Offset(start) }),
        cause.prop_map(|cause| FrameBody::Delete { cause }),
        (any::<i32>(), offset)
            .prop_map(|(epoch, start)| FrameBody::Epoch { epoch: LeaderEpoch(epoch), start: Offset(start) }),
        Just(FrameBody::Synced),
    ];
    (any::<u64>(), body).prop_map(|(log, body)| Frame { log: LogId(log), body })
}

fn any_place() -> impl Strategy<Value = FramePlace> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u32>());
    (numbers, any::<bool>(), any::<bool>()).prop_map(|((lap, sequence, synced, chain), first, last)| {
        FramePlace { lap, sequence, synced, chain, first, last }
    })
}

proptest! {
    #[test]
    fn a_frame_reads_back_as_it_was_written(frame in any_frame(), place in any_place()) {
        let bytes = Bytes::from(encoded(&frame, place));
        let head = FrameHead::parse(&bytes).unwrap();
        prop_assert!(head.checks(&bytes));
        prop_assert_eq!(head.place, place);
        prop_assert_eq!(head.length, bytes.len());
        let read = decode(&head, &bytes).unwrap();
        prop_assert!(same(&read, &frame), "{:?}", read);
        prop_assert_eq!(encoded(&read, place), bytes);
    }

    #[test]
    fn a_flipped_bit_of_a_frame_is_noticed(frame in any_frame(), place in any_place(), bit in any::<prop::sample::Index>()) {
        let mut bytes = encoded(&frame, place);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let checks = FrameHead::parse(&bytes).is_some_and(|head| head.checks(&bytes));
        prop_assert!(!checks, "bit {bit}");
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(data in prop::collection::vec(any::<u8>(), 0..20_000)) {
        crate::storage::fuzz::fuzz_journal_frame(&data);
    }

    #[test]
    fn spoilt_frames_are_a_frame_or_an_error(
        frames in prop::collection::vec(any_frame(), 1..8),
        spoilt in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut data = Vec::new();
        let mut chain = 0;
        for (sequence, frame) in (0..).zip(&frames) {
            let place = FramePlace { lap: 1, sequence, synced: 0, chain, first: sequence == 0, last: false };
            let mut bytes = vec![0; encoded_bytes(frame)];
            chain = encode(frame, place, &mut bytes);
            data.extend(bytes);
        }
        for (index, byte) in spoilt {
            let at = index.index(data.len());
            data[at] = byte;
        }
        crate::storage::fuzz::fuzz_journal_frame(&data);
    }
}

#[test]
fn a_whole_frame_whose_content_is_not_one_is_an_error() {
    let good = encoded(&append(7, 5, 30), place());
    let spoil = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        let bytes = Bytes::from(bytes);
        decode(&FrameHead::parse(&bytes).unwrap(), &bytes).map(|_| ())
    };
    assert_eq!(spoil(100, good[100]), Ok(()));
    assert_eq!(spoil(9, 7), Err(FrameProblem::Newer { found: 7 }), "reserved for compaction");
    assert!(matches!(spoil(9, 2), Err(FrameProblem::Malformed(_))), "a truncation with a payload");
    assert!(matches!(spoil(47, 0x80), Err(FrameProblem::Malformed(_))), "a negative offset");
    assert!(matches!(spoil(87, 6), Err(FrameProblem::Malformed(_))), "head and batch differ");
    assert!(matches!(spoil(91, 0xff), Err(FrameProblem::Malformed(_))), "the batch's length");
    assert_eq!(bytes_of("x").len(), 1);
}
