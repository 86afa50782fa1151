//! One seed a test run, printed, so that a failure can be replayed.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use std::time::{SystemTime, UNIX_EPOCH};

/// Names the seed to replay.
const VARIABLE: &str = "TEST_SEED";

/// A random generator for this test. Its seed is new at every run, or that of the environment variable `TEST_SEED`.
pub fn random(test: &str) -> ChaCha8Rng {
    let given = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        since_epoch.as_secs() ^ u64::from(since_epoch.subsec_nanos()) << 20
    });
    let mut line = std::io::stderr().lock();
    let _ = std::io::Write::write_fmt(
        &mut line,
        format_args!("seed {seed}; again with: {VARIABLE}={seed} cargo test -p cairn-tests {test}\n"),
    );
    ChaCha8Rng::seed_from_u64(seed)
}
