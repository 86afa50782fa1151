//! Record values that no compression shortens, at no cost: slices at changing places of one pool of random bytes.

use bytes::Bytes;
use rand::{RngCore, SeedableRng, rngs::SmallRng};

/// Bytes of the pool beyond one value: more than any compression window looks back within a batch.
const POOL_BYTES: usize = 16 * 1024 * 1024;
/// An odd step, so that neighbouring values differ and all places are visited.
const STEP_BYTES: usize = 7_919 * 13;

/// Values of one size.
#[derive(Clone, Debug)]
pub(super) struct Payloads {
    pool: Bytes,
    value_bytes: usize,
    next: usize,
}

impl Payloads {
    /// Different seeds give different values.
    pub(super) fn new(value_bytes: usize, seed: u64) -> Self {
        let mut pool = vec![0; POOL_BYTES + value_bytes];
        SmallRng::seed_from_u64(seed).fill_bytes(&mut pool);
        Self { pool: pool.into(), value_bytes, next: 0 }
    }

    /// The same values from another place on.
    pub(super) fn starting_at(&self, place: usize) -> Self {
        Self { next: place.wrapping_mul(POOL_BYTES / 7) % POOL_BYTES, ..self.clone() }
    }

    /// The next value.
    pub(super) fn next_value(&mut self) -> Bytes {
        let value = self.pool.slice(self.next..self.next + self.value_bytes);
        self.next = (self.next + STEP_BYTES) % POOL_BYTES;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn values_have_their_size_and_do_not_repeat_soon() {
        let mut payloads = Payloads::new(100, 1);
        let values: Vec<Bytes> = (0..20_000).map(|_| payloads.next_value()).collect();
        assert!(values.iter().all(|value| value.len() == 100));
        assert_eq!(values.iter().collect::<HashSet<_>>().len(), values.len());
        let other = payloads.starting_at(3).next_value();
        assert!(!values.contains(&other));
    }

    #[test]
    fn empty_values_are_values() {
        assert_eq!(Payloads::new(0, 1).next_value().len(), 0);
    }
}
