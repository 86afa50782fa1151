//! What the coordinator writes to its internal topic, record by record: the layout that Kafka's own tools read in
//! `__consumer_offsets`. A key names a group or a group's offset of one partition; no value means that it is gone.
//!
//! ```text
//! offset  key    1 (2), group, topic, partition (4)
//!         value  4 (2), offset (8), leader epoch or -1 (4), metadata!, when, ms (8), 1 (1), 0 (1), 16 (1), topic id (16)
//! group   key    2 (2), group
//!         value  3 (2), protocol type, generation (4), protocol?, leader?, when, ms (8), count (4), each: member id,
//!                instance id?, client id, host, rebalance timeout, ms (4), session timeout, ms (4), metadata, assignment
//! native  key    1000 (2), group: Kafka has no such record, its tools pass it over
//!         value  see `native_record`
//! ```
//!
//! Numbers are big-endian; a string is its length (2) and its bytes, one that may be missing (`?`) has length -1 then, and one
//! with `!` has its length and 1 more as a varint; metadata and assignment of a member have a length of 4 bytes. The topic id
//! is a tagged field: 1 of them, with tag 0 and 16 bytes.

use super::group::{Assignor, DescribedMember, Description, GroupKind, Member};
use crate::{clock::Monotonic, ids::TopicId};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use std::time::Duration;
use thiserror::Error;
use uuid::Uuid;

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const NATIVE_KEY: i16 = 1000;
const OFFSET_VALUE: i16 = 4;
const GROUP_VALUE: i16 = 3;
/// One tagged field, with tag 0 and 16 bytes.
const TOPIC_ID_TAG: [u8; 3] = [1, 0, 16];
/// A member is at least five lengths, two numbers and two more lengths.
const MEMBER_BYTES_MIN: usize = 4 * 2 + 2 * 4 + 2 * 4;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// How far a group has read a partition.
    Offset {
        /// The group.
        group: String,
        /// The topic's name.
        topic: String,
        /// The partition's index.
        partition: i32,
    },
    /// A group and its members.
    Group(String),
    /// A group of clients over gRPC and its members.
    Native(String),
    /// Of a later version, which this one passes over.
    Unknown(i16),
}

/// How far a group has read a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Of which topic: of a later one with the same name nothing is committed.
    pub topic: TopicId,
    /// The next offset to read.
    pub offset: i64,
    /// Of the record before it, if the client said so.
    pub leader_epoch: Option<i32>,
    /// The client's own note.
    pub metadata: String,
    /// When it was committed, by the wall clock, in ms.
    pub committed_ms: i64,
}

/// Bytes that are no such record.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no coordinator record: {0}")]
pub struct RecordError(pub(super) &'static str);

/// A key as bytes.
pub fn encode_key(key: &Key) -> Bytes {
    let mut out = BytesMut::new();
    match key {
        Key::Offset { group, topic, partition } => {
            out.put_i16(OFFSET_KEY);
            put_text(&mut out, group);
            put_text(&mut out, topic);
            out.put_i32(*partition);
        }
        Key::Group(group) => {
            out.put_i16(GROUP_KEY);
            put_text(&mut out, group);
        }
        Key::Native(group) => {
            out.put_i16(NATIVE_KEY);
            put_text(&mut out, group);
        }
        Key::Unknown(version) => out.put_i16(*version),
    }
    out.freeze()
}

/// Reads a key.
///
/// # Errors
/// It ends early.
pub fn decode_key(bytes: &Bytes) -> Result<Key, RecordError> {
    let mut bytes = bytes.clone();
    match take_i16(&mut bytes)? {
        0 | OFFSET_KEY => {
            let (group, topic) = (take_text(&mut bytes)?, take_text(&mut bytes)?);
            Ok(Key::Offset { group, topic, partition: take_i32(&mut bytes)? })
        }
        GROUP_KEY => Ok(Key::Group(take_text(&mut bytes)?)),
        NATIVE_KEY => Ok(Key::Native(take_text(&mut bytes)?)),
        other => Ok(Key::Unknown(other)),
    }
}

/// An offset as bytes.
pub fn encode_offset(committed: &CommittedOffset) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(OFFSET_VALUE);
    out.put_i64(committed.offset);
    out.put_i32(committed.leader_epoch.unwrap_or(-1));
    put_varint(&mut out, committed.metadata.len() + 1);
    out.put_slice(committed.metadata.as_bytes());
    out.put_i64(committed.committed_ms);
    out.put_slice(&TOPIC_ID_TAG);
    out.put_slice(committed.topic.0.as_bytes());
    out.freeze()
}

/// Reads an offset.
///
/// # Errors
/// It is of another version, or ends early.
pub fn decode_offset(bytes: &Bytes) -> Result<CommittedOffset, RecordError> {
    let mut bytes = bytes.clone();
    if take_i16(&mut bytes)? != OFFSET_VALUE {
        return Err(RecordError("an offset of another version"));
    }
    let (offset, epoch) = (take_i64(&mut bytes)?, take_i32(&mut bytes)?);
    let length = take_varint(&mut bytes)?.checked_sub(1).ok_or(RecordError("a text is missing"))?;
    let metadata = text_of(&take_slice(&mut bytes, length)?)?;
    let committed_ms = take_i64(&mut bytes)?;
    if take_slice(&mut bytes, TOPIC_ID_TAG.len())? != TOPIC_ID_TAG[..] {
        return Err(RecordError("an offset without its topic's id"));
    }
    let topic = bytes.try_get_u128().map_err(|_short| RecordError("it ends early"))?;
    Ok(CommittedOffset {
        topic: TopicId(Uuid::from_u128(topic)),
        offset,
        leader_epoch: Some(epoch).filter(|epoch| *epoch >= 0),
        metadata,
        committed_ms,
    })
}

/// A group as bytes.
pub fn encode_group(group: &Description, now_ms: i64) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(GROUP_VALUE);
    put_text(&mut out, group.protocol_type.as_deref().unwrap_or_default());
    out.put_i32(group.generation);
    put_optional(&mut out, group.protocol.as_deref());
    put_optional(&mut out, group.leader.as_deref());
    out.put_i64(now_ms);
    put_length(&mut out, group.members.len());
    let protocol = group.protocol.as_deref().unwrap_or_default();
    for DescribedMember { id, member } in &group.members {
        put_text(&mut out, id);
        put_optional(&mut out, member.instance_id.as_deref());
        put_text(&mut out, &member.client_id);
        put_text(&mut out, &member.client_host);
        out.put_i32(as_ms(member.rebalance_timeout));
        out.put_i32(as_ms(member.session_timeout));
        for bytes in [member.metadata(protocol), member.assignment.clone()] {
            put_length(&mut out, bytes.len());
            out.put_slice(&bytes);
        }
    }
    out.freeze()
}

/// Reads a group.
///
/// # Errors
/// It is of another version, or ends early.
pub fn decode_group(bytes: &Bytes) -> Result<Description, RecordError> {
    let mut bytes = bytes.clone();
    if take_i16(&mut bytes)? != GROUP_VALUE {
        return Err(RecordError("a group of another version"));
    }
    let (protocol_type, generation) = (take_text(&mut bytes)?, take_i32(&mut bytes)?);
    let (protocol, leader) = (take_optional(&mut bytes)?, take_optional(&mut bytes)?);
    take_i64(&mut bytes)?;
    let count = usize::try_from(take_i32(&mut bytes)?).unwrap_or(usize::MAX);
    if count > bytes.remaining() / MEMBER_BYTES_MIN {
        return Err(RecordError("more members than there are bytes for"));
    }
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        members.push(take_member(&mut bytes, protocol.as_deref().unwrap_or_default())?);
    }
    let state = if members.is_empty() { "Empty" } else { "Stable" };
    let protocol_type = Some(protocol_type).filter(|name| !name.is_empty());
    let kind = GroupKind::Classic;
    Ok(Description { kind, state, generation, protocol_type, protocol, leader, members })
}

fn take_member(bytes: &mut Bytes, protocol: &str) -> Result<DescribedMember, RecordError> {
    let (id, instance_id) = (take_text(bytes)?, take_optional(bytes)?);
    let (client_id, client_host) = (take_text(bytes)?, take_text(bytes)?);
    let (rebalance_timeout, session_timeout) = (take_ms(bytes)?, take_ms(bytes)?);
    let (metadata, assignment) = (take_bytes(bytes)?, take_bytes(bytes)?);
    let assignors = vec![Assignor { name: protocol.to_string(), metadata }];
    let member = Member::restored(
        (instance_id, client_id, client_host),
        (session_timeout, rebalance_timeout),
        (assignors, assignment),
        Monotonic::default(),
    );
    Ok(DescribedMember { id, member })
}

pub(super) fn as_ms(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

pub(super) fn put_length(out: &mut BytesMut, length: usize) {
    out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
}

/// Longer text than a length can say is cut: every name was checked long before.
pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    let end = text.floor_char_boundary(text.len().min(32_767));
    let text = text.get(..end).unwrap_or_default();
    out.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
    out.put_slice(text.as_bytes());
}

pub(super) fn put_optional(out: &mut BytesMut, text: Option<&str>) {
    match text {
        Some(text) => put_text(out, text),
        None => out.put_i16(-1),
    }
}

pub(super) fn take_i16(bytes: &mut Bytes) -> Result<i16, RecordError> {
    bytes.try_get_i16().map_err(|_short| RecordError("it ends early"))
}

pub(super) fn take_i32(bytes: &mut Bytes) -> Result<i32, RecordError> {
    bytes.try_get_i32().map_err(|_short| RecordError("it ends early"))
}

fn take_i64(bytes: &mut Bytes) -> Result<i64, RecordError> {
    bytes.try_get_i64().map_err(|_short| RecordError("it ends early"))
}

pub(super) fn take_ms(bytes: &mut Bytes) -> Result<Duration, RecordError> {
    let ms = u64::try_from(take_i32(bytes)?).map_err(|_negative| RecordError("a negative time"))?;
    Ok(Duration::from_millis(ms))
}

fn take_slice(bytes: &mut Bytes, length: usize) -> Result<Bytes, RecordError> {
    if length > bytes.remaining() {
        return Err(RecordError("it ends early"));
    }
    Ok(bytes.split_to(length))
}

fn take_bytes(bytes: &mut Bytes) -> Result<Bytes, RecordError> {
    let length = usize::try_from(take_i32(bytes)?).map_err(|_negative| RecordError("a negative length"))?;
    take_slice(bytes, length)
}

pub(super) fn take_optional(bytes: &mut Bytes) -> Result<Option<String>, RecordError> {
    let length = take_i16(bytes)?;
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    Ok(Some(text_of(&take_slice(bytes, length)?)?))
}

fn text_of(bytes: &[u8]) -> Result<String, RecordError> {
    let text = std::str::from_utf8(bytes).map_err(|_error| RecordError("text that is not UTF-8"))?;
    Ok(text.to_string())
}

/// Seven bits in each byte, the lowest first; the highest bit says that there is more.
fn put_varint(out: &mut BytesMut, mut number: usize) {
    while number > 0x7f {
        out.put_u8(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.put_u8(u8::try_from(number).unwrap_or_default());
}

fn take_varint(bytes: &mut Bytes) -> Result<usize, RecordError> {
    let mut number = 0;
    for shift in [0, 7, 14, 21] {
        let byte = bytes.try_get_u8().map_err(|_short| RecordError("it ends early"))?;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(RecordError("a length beyond all bounds"))
}

pub(super) fn take_text(bytes: &mut Bytes) -> Result<String, RecordError> {
    take_optional(bytes)?.ok_or(RecordError("a text is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Description {
        let assignors = vec![Assignor { name: "range".into(), metadata: Bytes::from("wants t") }];
        let member = Member::restored(
            (Some("one".into()), "client".into(), "/127.0.0.1".into()),
            (Duration::from_secs(10), Duration::from_secs(60)),
            (assignors, Bytes::from("t 0")),
            Monotonic::default(),
        );
        Description {
            kind: GroupKind::Classic,
            state: "Stable",
            generation: 7,
            protocol_type: Some("consumer".into()),
            protocol: Some("range".into()),
            leader: Some("m-1".into()),
            members: vec![DescribedMember { id: "m-1".into(), member }],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let offset = Key::Offset { group: "g".into(), topic: "t".into(), partition: 3 };
        for key in [offset, Key::Group("grüppe".into()), Key::Native("g".into())] {
            assert_eq!(decode_key(&encode_key(&key)), Ok(key));
        }
        for leader_epoch in [None, Some(0), Some(9)] {
            for metadata in ["", "note", &"long ".repeat(800)] {
                let (topic, metadata) = (TopicId(Uuid::from_u128(7)), metadata.to_string());
                let committed =
                    CommittedOffset { topic, offset: 12, leader_epoch, metadata, committed_ms: 99 };
                let bytes = encode_offset(&committed);
                assert_eq!(decode_offset(&bytes), Ok(committed));
                for end in 0..bytes.len() {
                    assert!(decode_offset(&bytes.slice(..end)).is_err(), "{end} of {} bytes", bytes.len());
                }
            }
        }
        assert_eq!(decode_group(&encode_group(&group(), 5)), Ok(group()));
        let empty =
            Description { state: "Empty", protocol: None, leader: None, members: Vec::new(), ..group() };
        assert_eq!(decode_group(&encode_group(&empty, 5)), Ok(empty));
    }

    #[test]
    fn a_key_has_the_bytes_that_other_tools_expect() {
        let key = Key::Offset { group: "g1".into(), topic: "tp".into(), partition: 2 };
        assert_eq!(encode_key(&key), Bytes::from(&b"\0\x01\0\x02g1\0\x02tp\0\0\0\x02"[..]));
        assert_eq!(encode_key(&Key::Group("g1".into())), Bytes::from(&b"\0\x02\0\x02g1"[..]));
    }

    #[test]
    fn bytes_that_end_early_are_an_error_and_later_versions_are_passed_over() {
        let whole = encode_group(&group(), 5);
        for end in 0..whole.len() {
            assert!(decode_group(&whole.slice(..end)).is_err(), "{end} of {} bytes", whole.len());
        }
        assert_eq!(decode_key(&Bytes::from(&b"\0\x09rest"[..])), Ok(Key::Unknown(9)));
        let mut many = BytesMut::from(&encode_group(&Description { members: Vec::new(), ..group() }, 5)[..]);
        let at = many.len() - 4;
        many[at..].copy_from_slice(&i32::MAX.to_be_bytes());
        assert!(decode_group(&many.freeze()).is_err(), "a count that nothing stands behind");
    }
}
