//! Known answers of Kafka's hash, and the habits of the sticky partition.

use super::*;

/// Known answers of the Java client's own test of the hash (as signed numbers there).
#[test]
fn hashes_as_kafka_does() {
    let known: [(&[u8], i32); 7] = [
        (b"21", -973_932_308),
        (b"foobar", -790_332_482),
        (b"a-little-bit-long-string", -985_981_536),
        (b"a-little-bit-longer-string", -1_486_304_829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        (b"abc", 479_470_107),
        (b"", 275_646_681),
    ];
    for (key, expected) in known {
        assert_eq!(
            murmur2(key),
            u32::from_ne_bytes(expected.to_ne_bytes()),
            "{:?}",
            String::from_utf8_lossy(key)
        );
    }
}

#[test]
fn a_negative_hash_loses_its_sign_bit() {
    // "foobar" hashes to -790332482; 1357151166 without the sign bit.
    assert_eq!(partition_for_key(b"foobar", 1_000), 166);
    assert_eq!(partition_for_key(b"foobar", 1), 0);
    assert_eq!(partition_for_key(b"abc", 10), 7);
}

#[test]
fn the_sticky_partition_changes_after_a_batch_of_bytes() {
    let mut sticky = Sticky::default();
    let mut seen = Vec::new();
    for step in 0..12 {
        seen.push(sticky.next((100, 400), 4, |_| true, || step));
    }
    assert_eq!(seen, [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0], "random 0, 4 % 4 taken so 1, 8 % 4");
}

#[test]
fn partitions_without_a_leader_are_passed_over_while_there_is_another() {
    let mut sticky = Sticky::default();
    assert_eq!(sticky.next((1, 10), 4, |partition| partition == 2, || 0), 2);
    assert_eq!(
        sticky.next((1, 10), 4, |partition| partition == 3, || 0),
        3,
        "the current one lost its leader"
    );
    assert_eq!(
        Sticky::default().next((1, 10), 4, |_| false, || 5),
        1,
        "no leader at all: it will wait there"
    );
}

#[test]
fn a_single_partition_stays() {
    let mut sticky = Sticky::default();
    assert!((0..9).all(|step| sticky.next((10, 10), 1, |_| true, || step) == 0));
}
