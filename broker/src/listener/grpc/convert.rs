//! Messages into the broker's words, one function a type. Every number is checked against its range, and the refusal says
//! the range.

use super::error_code::Coded;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex, TopicId, TopicPartition};
use cairn_proto::v1::ErrorCode;

/// A message that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {given}; allowed is {allowed}")]
pub(super) struct Invalid {
    pub(super) field: &'static str,
    pub(super) given: String,
    pub(super) allowed: &'static str,
}

impl Coded for Invalid {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidRequest
    }
}

pub(super) fn invalid(field: &'static str, given: impl ToString, allowed: &'static str) -> Invalid {
    Invalid { field, given: given.to_string(), allowed }
}

pub(super) fn topic_partition(topic_id: &[u8], partition: u32) -> Result<TopicPartition, Invalid> {
    let wrong = || invalid("topic_id", format!("{} bytes long", topic_id.len()), "exactly 16 bytes");
    Ok(TopicPartition {
        topic: TopicId::from_slice(topic_id).ok_or_else(wrong)?,
        partition: PartitionIndex(partition),
    })
}

/// -1 for unknown.
pub(super) fn epoch(field: &'static str, epoch: i32) -> Result<Option<LeaderEpoch>, Invalid> {
    match epoch {
        -1 => Ok(None),
        0.. => Ok(Some(LeaderEpoch(epoch))),
        _ => Err(invalid(field, epoch, "-1 (unknown) or 0 to 2147483647")),
    }
}

pub(super) fn offset(field: &'static str, offset: i64) -> Result<Offset, Invalid> {
    match offset {
        0.. => Ok(Offset(offset)),
        _ => Err(invalid(field, offset, "0 to 9223372036854775807")),
    }
}

/// 0 or -1 for the default.
pub(super) fn count(field: &'static str, count: i32) -> Result<Option<u32>, Invalid> {
    match count {
        -1 | 0 => Ok(None),
        _ => u32::try_from(count)
            .map(Some)
            .map_err(|_negative| invalid(field, count, "-1 or 0 (the default), or 1 to 2147483647")),
    }
}

/// A count as a message carries it.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
