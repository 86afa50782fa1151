//! A batch at its place in a log: 61 bytes of its own and the producer's untouched body. The checksum of a stamped
//! batch is right exactly if that of the sent one was.

use super::{
    BatchHeader, Crc32c, HEADER_BYTES, checksum,
    header::{APPEND_TIME_BIT, CRC_FROM},
};
use bytes::{Bytes, BytesMut};

/// A batch with offset, leader epoch and perhaps append time set by the leader. Nobody copies the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampedBatch {
    header: BatchHeader,
    header_bytes: [u8; HEADER_BYTES],
    body: Bytes,
}

impl StampedBatch {
    pub(super) fn new(
        sent: &BatchHeader,
        body: Bytes,
        base_offset: i64,
        leader_epoch: i32,
        append_time_ms: Option<i64>,
    ) -> Self {
        let mut header = BatchHeader { base_offset, leader_epoch, ..*sent };
        let mut header_bytes = header.encode();
        if let Some(append_time_ms) = append_time_ms {
            let old = header_bytes;
            header.attributes |= APPEND_TIME_BIT;
            header.max_timestamp_ms = append_time_ms;
            header_bytes = header.encode();
            header.crc =
                checksum::replace_prefix(header.crc, covered(&old), covered(&header_bytes), body.len());
            header_bytes = header.encode();
        }
        Self { header, header_bytes, body }
    }

    /// The batch as it was sent, but for the greatest timestamp in its header.
    pub(super) fn with_max_timestamp(sent: &BatchHeader, body: Bytes, max_timestamp_ms: i64) -> Self {
        let mut header = BatchHeader { max_timestamp_ms, ..*sent };
        let (old, new) = (sent.encode(), header.encode());
        header.crc = checksum::replace_prefix(sent.crc, covered(&old), covered(&new), body.len());
        Self { header, header_bytes: header.encode(), body }
    }

    /// The header with everything stamped.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The first 61 bytes of the batch.
    #[must_use]
    pub fn header_bytes(&self) -> &[u8; HEADER_BYTES] {
        &self.header_bytes
    }

    /// The bytes behind the header, as the producer sent them.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        HEADER_BYTES.saturating_add(self.body.len())
    }

    /// Whether the checksum matches the bytes.
    #[must_use]
    pub fn crc_ok(&self) -> bool {
        let mut crc = Crc32c::new();
        crc.update(covered(&self.header_bytes));
        crc.update(&self.body);
        crc.finish() == self.header.crc
    }

    /// The whole batch in one piece. This copies: a hot path writes header and body one after the other.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.total_bytes());
        bytes.extend_from_slice(&self.header_bytes);
        bytes.extend_from_slice(&self.body);
        bytes.freeze()
    }
}

/// The part of the header that the checksum covers.
fn covered(header_bytes: &[u8; HEADER_BYTES]) -> &[u8] {
    header_bytes.get(CRC_FROM..).unwrap_or_default()
}
