//! CRC-32C (Castagnoli, iSCSI, RFC 3720 appendix B.4): the batch's own checksum, over one slice or over several in turn.

use crc_fast::{CrcAlgorithm, Digest};

/// CRC-32C of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// CRC-32C of several slices as if they were one.
#[derive(Clone, Copy, Debug)]
pub struct Crc32c {
    digest: Digest,
}

impl Crc32c {
    /// The checksum of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { digest: Digest::new(CrcAlgorithm::Crc32Iscsi) }
    }

    /// Continues with `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The checksum of all slices so far.
    #[must_use]
    pub fn finish(&self) -> u32 {
        narrow(self.digest.finalize())
    }
}

impl Default for Crc32c {
    fn default() -> Self {
        Self::new()
    }
}

/// The checksum of `new_prefix ++ tail`, given `whole`, the checksum of `old_prefix ++ tail`, and the tail's length.
///
/// A CRC is linear, so the tail itself is not read: and if `whole` did not match the tail before, the result does not
/// match it either. A changed prefix can never hide damage.
#[must_use]
pub(super) fn replace_prefix(whole: u32, old_prefix: &[u8], new_prefix: &[u8], tail_bytes: usize) -> u32 {
    let difference = u64::from(crc32c(old_prefix) ^ crc32c(new_prefix));
    let shifted = crc_fast::checksum_combine(CrcAlgorithm::Crc32Iscsi, difference, 0, tail_bytes as u64);
    whole ^ narrow(shifted)
}

/// A 32-bit checksum out of the 64 bits that the library returns for every algorithm.
#[expect(clippy::cast_possible_truncation, reason = "the upper half of a CRC-32 is zero")]
fn narrow(checksum: u64) -> u32 {
    checksum as u32
}
