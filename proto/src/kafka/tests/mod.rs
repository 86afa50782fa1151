//! The codec held against another implementation of the protocol, against bytes that Kafka's own client wrote, and
//! against damage.

mod damage;
mod frames;
mod golden;
mod headers;
mod oracle;
mod refusals;

use super::ApiKey;
use bytes::{Buf, Bytes};
use std::hash::{BuildHasher, Hasher, RandomState};

/// Random bytes for samples: SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    /// The seed is new at every run, or that of the environment variable `TEST_SEED`, and is printed.
    fn new() -> Self {
        let given = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("again with: TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// Bytes that make a sample; few of them make a small one.
    fn entropy(&mut self) -> Vec<u8> {
        let words = self.below(400);
        (0..words).flat_map(|_| self.next().to_be_bytes()).collect()
    }
}

/// Every API in every version that is served.
fn every_version() -> impl Iterator<Item = (ApiKey, i16)> {
    ApiKey::ALL.iter().flat_map(|api| api.served().map(|version| (*api, version)))
}

/// A frame's bytes behind its length.
fn content(mut frame: super::Frame) -> Bytes {
    assert_eq!(usize::try_from(frame.get_i32()), Ok(frame.remaining()));
    frame.copy_to_bytes(frame.remaining())
}

fn hex(text: &str) -> Bytes {
    let digits = text.split_whitespace().collect::<String>();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
