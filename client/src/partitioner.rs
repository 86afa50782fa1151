//! Which partition a record goes to: the one it names; else the one its key hashes to, exactly as Kafka's clients choose,
//! so that both kinds of producer agree about a key; else one partition after another, a batch's worth of bytes to each
//! (KIP-794). Pure: random numbers are handed in.

/// Where a key goes among `partitions` (at least one) of them.
pub(crate) fn partition_for_key(key: &[u8], partitions: u32) -> u32 {
    // The sign bit is dropped, not negated: that is how Java's clients make the hash positive.
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// MurmurHash2, 32 bit, with the seed of Kafka's clients.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SHIFT: u32 = 24;

    // Lengths beyond 32 bits do not occur: a key fits in a batch. Java's are 31 bits.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> SHIFT;
        mixed = mixed.wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed;
    }
    if !tail.is_empty() {
        for (position, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * position);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

/// The partition of records without a key: stays the same for a batch's worth of bytes, so that batches get full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sticky {
    current: Option<u32>,
    bytes: usize,
}

impl Sticky {
    /// Where the next `record_bytes` go; after `stay_bytes` it is time for another. `available` says whether a partition has a leader; where none has, any will do.
    /// `random` is asked only when it is time for another partition.
    pub(crate) fn next(
        &mut self,
        (record_bytes, stay_bytes): (usize, usize),
        partitions: u32,
        available: impl Fn(u32) -> bool,
        random: impl FnOnce() -> u32,
    ) -> u32 {
        let partitions = partitions.max(1);
        let current = match self.current {
            Some(current) if current < partitions && self.bytes < stay_bytes && available(current) => current,
            previous => {
                self.bytes = 0;
                choose(previous, partitions, available, random())
            }
        };
        self.current = Some(current);
        self.bytes = self.bytes.saturating_add(record_bytes);
        current
    }
}

/// A random partition, another than the previous one where there is a choice, and one with a leader where there is one.
fn choose(previous: Option<u32>, partitions: u32, available: impl Fn(u32) -> bool, random: u32) -> u32 {
    let start = random % partitions;
    let candidates = || (0..partitions).map(|step| (start.wrapping_add(step)) % partitions);
    candidates()
        .find(|candidate| available(*candidate) && Some(*candidate) != previous)
        .or_else(|| candidates().find(|candidate| available(*candidate)))
        .unwrap_or(start)
}

#[cfg(test)]
mod tests;
