//! The power fails at every changing disk call of random workloads, and whatever the disk may then hold is recovered and
//! compared with what was acknowledged. The checker is itself checked: each planted bug must be found.
#![expect(clippy::print_stdout, reason = "it says what it counted, and how a failure is repeated")]

#[path = "crash_enumeration/faults.rs"]
mod faults;
#[path = "crash_enumeration/full_ring.rs"]
mod full_ring;
#[path = "crash_enumeration/planted.rs"]
mod planted;

use cairn_tests::storage::{CrashReport, CrashTest, Settings, enumerate_crashes};
use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread::{self, available_parallelism},
    time::Instant,
};

/// States that a run of the tests recovers and compares.
const STATES_MIN: u64 = 100_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn test(seed: u64) -> CrashTest {
    CrashTest { seed, samples: 3, settings: Settings::default(), plant: None }
}

/// `TEST_SEED` repeats one seed; `CRASH_STATES` asks for more states. One worker for each core takes the next seed.
#[test]
fn a_power_cut_at_any_call_leaves_what_was_acknowledged() {
    let begin = Instant::now();
    let given = number("TEST_SEED");
    let states_min = if given.is_some() { 1 } else { number("CRASH_STATES").unwrap_or(STATES_MIN) };
    let next_seed = AtomicU64::new(given.unwrap_or(1));
    let sum = Mutex::new(CrashReport::default());
    let work = || {
        while sum.lock().states < states_min {
            let seed = next_seed.fetch_add(1, Ordering::Relaxed);
            let report = enumerate_crashes(&test(seed)).unwrap_or_else(|error| {
                panic!("{error:#}\nagain with: TEST_SEED={seed} cargo test -p cairn-tests --test crash_enumeration a_power_cut")
            });
            let mut sum = sum.lock();
            sum.states += report.states;
            sum.within_recovery += report.within_recovery;
            sum.calls += report.calls;
        }
    };
    let workers = if given.is_some() { 1 } else { available_parallelism().map_or(1, usize::from) };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let (sum, seconds) = (sum.into_inner(), begin.elapsed().as_secs_f64());
    let seeds = next_seed.into_inner() - 1;
    println!("{sum:?} in {seconds:.1} s, last seed {seeds}");
}
