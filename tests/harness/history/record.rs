//! How a record of a test says what it is: its value begins with its producer's number and its own, followed by filling
//! that both of them determine, so that a single wrong byte shows.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Who sent a record, and its number among that producer's sends, which rises in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// The producer.
    pub producer: u32,
    /// Its number there.
    pub number: u64,
}

/// A value of about `bytes` bytes for this record.
pub fn value_of(id: RecordId, bytes: usize) -> Vec<u8> {
    let mut value = format!("{}/{}/", id.producer, id.number).into_bytes();
    let mut filling = u64::from(id.producer) << 40 ^ id.number ^ 0x9e37_79b9_7f4a_7c15;
    while value.len() < bytes {
        // xorshift64: cheap, and incompressible enough to be like real payload.
        filling ^= filling << 13;
        filling ^= filling >> 7;
        filling ^= filling << 17;
        value.extend_from_slice(&filling.to_le_bytes());
    }
    value
}

/// What a value says about itself; `None` if it is not one of [`value_of`].
pub fn identify(value: &[u8]) -> Option<RecordId> {
    let mut parts = value.splitn(3, |byte| *byte == b'/');
    let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse::<u64>().ok();
    let id = RecordId { producer: u32::try_from(number()?).ok()?, number: number()? };
    (value_of(id, value.len()).get(..value.len())? == value).then_some(id)
}

/// Of all that a record carries. Two different records have the same one with a chance of 2⁻⁶⁴.
pub fn digest(key: Option<&[u8]>, value: Option<&[u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}
