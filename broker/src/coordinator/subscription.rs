//! What members of a `consumer` group say of themselves to each other. Metadata, for the leader: a version (2), a count (4),
//! and each wanted topic's name as its length (2) and bytes. An assignment, from the leader: a version (2), a count (4), and
//! for each topic its name, a count (4) and the partitions (4 each). What follows is not looked at.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet};

/// As old as these bytes can be: everybody reads it.
const VERSION: i16 = 0;
/// No data of the application's own.
const NO_DATA: i32 = -1;

/// The names; `None`: these are no such bytes.
pub fn topics_of(metadata: &Bytes) -> Option<Vec<String>> {
    read(metadata, |name, _| Some(name))
}

/// Which partitions somebody shall read, by topic; `None`: these are no such bytes.
pub fn places_of(assignment: &Bytes) -> Option<Vec<(String, Vec<i32>)>> {
    read(assignment, |name, bytes| {
        let partitions = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
        if partitions > bytes.len() / size_of::<i32>() {
            return None;
        }
        let partitions: Option<Vec<i32>> = (0..partitions).map(|_| bytes.try_get_i32().ok()).collect();
        Some((name, partitions?))
    })
}

/// The version, the count, and for each topic its name and what `rest` takes behind it.
fn read<T>(message: &Bytes, mut rest: impl FnMut(String, &mut Bytes) -> Option<T>) -> Option<Vec<T>> {
    let mut bytes = message.clone();
    bytes.try_get_i16().ok().filter(|version| *version >= 0)?;
    let count = bytes.try_get_i32().ok().filter(|count| *count >= 0)?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::from(bytes.try_get_u16().ok()?);
        let name = (length <= bytes.len()).then(|| bytes.split_to(length))?;
        let name = std::str::from_utf8(&name).ok()?.to_owned();
        topics.push(rest(name, &mut bytes)?);
    }
    Some(topics)
}

/// Metadata that says which topics somebody wants.
pub(super) fn encode_subscription(topics: &BTreeSet<String>) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(VERSION);
    put_count(&mut out, topics.len());
    topics.iter().for_each(|topic| put_name(&mut out, topic));
    out.put_i32(NO_DATA);
    out.freeze()
}

/// An assignment of these partitions.
pub(super) fn encode_assignment(topics: &BTreeMap<&str, Vec<u32>>) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(VERSION);
    put_count(&mut out, topics.len());
    for (topic, partitions) in topics {
        put_name(&mut out, topic);
        put_count(&mut out, partitions.len());
        partitions.iter().for_each(|partition| out.put_u32(*partition));
    }
    out.put_i32(NO_DATA);
    out.freeze()
}

fn put_count(out: &mut BytesMut, count: usize) {
    out.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}

/// Names of topics are short.
fn put_name(out: &mut BytesMut, name: &str) {
    out.put_i16(i16::try_from(name.len()).unwrap_or(i16::MAX));
    out.put_slice(name.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_back() {
        let topics = BTreeSet::from(["a".to_string(), "bc".to_string()]);
        assert_eq!(topics_of(&encode_subscription(&topics)), Some(topics.into_iter().collect()));
        let places = BTreeMap::from([("a", vec![0, 7]), ("bc", vec![])]);
        let read = places_of(&encode_assignment(&places));
        assert_eq!(read, Some(vec![("a".to_string(), vec![0, 7]), ("bc".to_string(), vec![])]));
        let whole = encode_assignment(&places);
        for end in 0..whole.len() - 4 {
            assert_eq!(places_of(&whole.slice(..end)), None, "{end} bytes");
        }
        let unbacked = &b"\0\0\0\0\0\x01\0\x01a\x7f\xff\xff\xff"[..];
        assert_eq!(places_of(&Bytes::from(unbacked)), None, "a count that nothing stands behind");
    }

    #[test]
    fn names_are_read_and_anything_else_is_none() {
        let bytes = Bytes::from(&b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff"[..]);
        assert_eq!(topics_of(&bytes), Some(vec!["a".to_string(), "bc".to_string()]));
        for end in 0..bytes.len() - 4 {
            assert_eq!(topics_of(&bytes.slice(..end)), None, "{end} bytes");
        }
        assert_eq!(
            topics_of(&Bytes::from(&b"\0\x01\x7f\xff\xff\xff"[..])),
            None,
            "a count that nothing stands behind"
        );
    }
}
