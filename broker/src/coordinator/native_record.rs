//! A native group as it is written to the internal topic; its key stands in `record`.
//!
//! ```text
//! value  1 (2), epoch (4), when, ms (8), count (4), each topic: id (16), name;
//!        count (4), each member: id, instance id?, client id, host, rebalance timeout, ms (4), session timeout, ms (4),
//!        epoch (4), count (4), each wanted topic: name; count (4), each assigned partition: topic id (16), index (4), its
//!        epoch (4); count (4), each partition to give up: the same
//! ```
//!
//! Numbers and strings are as in `record`.

use super::{
    native::{Held, Profile, WrittenGroup, WrittenMember},
    record::{
        RecordError, as_ms, put_length, put_optional, put_text, take_i16, take_i32, take_ms, take_optional,
        take_text,
    },
};
use crate::ids::{PartitionIndex, TopicId, TopicPartition};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const VERSION: i16 = 1;
const TOPIC_BYTES_MIN: usize = 16 + 2;
/// Four strings, three numbers and three counts.
const MEMBER_BYTES_MIN: usize = 4 * 2 + 3 * 4 + 3 * 4;
const NAME_BYTES_MIN: usize = 2;
const PARTITION_BYTES: usize = 16 + 4 + 4;

/// A group as bytes.
pub(super) fn encode_native(group: &WrittenGroup, now_ms: i64) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(VERSION);
    out.put_i32(group.epoch);
    out.put_i64(now_ms);
    put_length(&mut out, group.names.len());
    for (id, name) in &group.names {
        out.put_slice(id.as_bytes());
        put_text(&mut out, name);
    }
    put_length(&mut out, group.members.len());
    for WrittenMember { id, profile, epoch, assigned, releasing } in &group.members {
        put_text(&mut out, id);
        put_optional(&mut out, profile.instance_id.as_deref());
        put_text(&mut out, &profile.client_id);
        put_text(&mut out, &profile.client_host);
        out.put_i32(as_ms(profile.rebalance_timeout));
        out.put_i32(as_ms(profile.session_timeout));
        out.put_i32(*epoch);
        put_length(&mut out, profile.topics.len());
        profile.topics.iter().for_each(|name| put_text(&mut out, name));
        for held in [assigned, releasing] {
            put_length(&mut out, held.len());
            for (partition, since) in held {
                out.put_slice(partition.topic.as_bytes());
                out.put_u32(partition.partition.get());
                out.put_i32(*since);
            }
        }
    }
    out.freeze()
}

/// Reads a group.
///
/// # Errors
/// It is of another version, ends early, or says that two members hold one partition.
pub(super) fn decode_native(bytes: &Bytes) -> Result<WrittenGroup, RecordError> {
    let mut bytes = bytes.clone();
    if take_i16(&mut bytes)? != VERSION {
        return Err(RecordError("a native group of another version"));
    }
    let epoch = take_i32(&mut bytes)?;
    bytes.try_get_i64().map_err(|_short| RecordError("it ends early"))?;
    let mut names = BTreeMap::new();
    for _ in 0..take_count(&mut bytes, TOPIC_BYTES_MIN)? {
        names.insert(take_topic(&mut bytes)?, take_text(&mut bytes)?);
    }
    let count = take_count(&mut bytes, MEMBER_BYTES_MIN)?;
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        members.push(take_member(&mut bytes)?);
    }
    let group = WrittenGroup { epoch, names, members };
    if group.is_consistent() { Ok(group) } else { Err(RecordError("a partition is held twice")) }
}

fn take_member(bytes: &mut Bytes) -> Result<WrittenMember, RecordError> {
    let (id, instance_id) = (take_text(bytes)?, take_optional(bytes)?);
    let (client_id, client_host) = (take_text(bytes)?, take_text(bytes)?);
    let (rebalance_timeout, session_timeout) = (take_ms(bytes)?, take_ms(bytes)?);
    let epoch = take_i32(bytes)?;
    let mut topics = BTreeSet::new();
    for _ in 0..take_count(bytes, NAME_BYTES_MIN)? {
        topics.insert(take_text(bytes)?);
    }
    let profile = Profile { instance_id, client_id, client_host, session_timeout, rebalance_timeout, topics };
    Ok(WrittenMember { id, profile, epoch, assigned: take_held(bytes)?, releasing: take_held(bytes)? })
}

fn take_held(bytes: &mut Bytes) -> Result<Held, RecordError> {
    let mut held = Held::new();
    for _ in 0..take_count(bytes, PARTITION_BYTES)? {
        let topic = take_topic(bytes)?;
        let index = bytes.try_get_u32().map_err(|_short| RecordError("it ends early"))?;
        held.insert(TopicPartition { topic, partition: PartitionIndex(index) }, take_i32(bytes)?);
    }
    Ok(held)
}

fn take_topic(bytes: &mut Bytes) -> Result<TopicId, RecordError> {
    let id = bytes.try_get_u128().map_err(|_short| RecordError("it ends early"))?;
    Ok(TopicId(Uuid::from_u128(id)))
}

/// How many of something follow; no more than there are bytes for.
fn take_count(bytes: &mut Bytes, bytes_min: usize) -> Result<usize, RecordError> {
    let count = usize::try_from(take_i32(bytes)?).unwrap_or(usize::MAX);
    if count > bytes.remaining() / bytes_min {
        return Err(RecordError("a count that nothing stands behind"));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn partition(topic: u128, index: u32) -> TopicPartition {
        TopicPartition { topic: TopicId(Uuid::from_u128(topic)), partition: PartitionIndex(index) }
    }

    fn member(id: &str, assigned: Held, releasing: Held) -> WrittenMember {
        let profile = Profile {
            instance_id: Some("one".into()),
            client_id: "client".into(),
            client_host: String::new(),
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(60),
            topics: ["a".to_string(), "b".to_string()].into(),
        };
        WrittenMember { id: id.into(), profile, epoch: 3, assigned, releasing }
    }

    fn group() -> WrittenGroup {
        let names = [(TopicId(Uuid::from_u128(1)), "a".to_string())].into();
        let first = member("m-1", [(partition(1, 0), 1), (partition(1, 4), 3)].into(), Held::new());
        let second = member("m-2", Held::new(), [(partition(1, 2), 2)].into());
        WrittenGroup { epoch: 9, names, members: vec![first, second] }
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_less() {
        let bytes = encode_native(&group(), 5);
        assert_eq!(decode_native(&bytes), Ok(group()));
        for end in 0..bytes.len() {
            assert!(decode_native(&bytes.slice(..end)).is_err(), "{end} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn two_members_with_one_partition_are_no_group() {
        let mut twice = group();
        twice.members.push(member("m-3", [(partition(1, 2), 1)].into(), Held::new()));
        assert_eq!(decode_native(&encode_native(&twice, 5)), Err(RecordError("a partition is held twice")));
        let mut counted = BytesMut::from(&encode_native(&WrittenGroup { members: vec![], ..group() }, 5)[..]);
        let at = counted.len() - 4;
        counted[at..].copy_from_slice(&i32::MAX.to_be_bytes());
        assert!(decode_native(&counted.freeze()).is_err(), "a count that nothing stands behind");
    }
}
