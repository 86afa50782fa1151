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
use std::time::Instant;

/// States that a run of the tests recovers and compares.
const STATES_MIN: u64 = 100_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn test(seed: u64) -> CrashTest {
    CrashTest { seed, samples: 3, settings: Settings::default(), plant: None }
}

/// `TEST_SEED` repeats one seed; `CRASH_STATES` asks for more states.
#[test]
fn a_power_cut_at_any_call_leaves_what_was_acknowledged() {
    let begin = Instant::now();
    let given = number("TEST_SEED");
    let states_min = number("CRASH_STATES").unwrap_or(STATES_MIN);
    let mut sum = CrashReport::default();
    let mut seed = given.unwrap_or(1);
    loop {
        let report = enumerate_crashes(&test(seed)).unwrap_or_else(|error| {
            panic!("{error:#}\nagain with: TEST_SEED={seed} cargo test -p cairn-tests --test crash_enumeration a_power_cut")
        });
        sum.states += report.states;
        sum.within_recovery += report.within_recovery;
        sum.calls += report.calls;
        if given.is_some() || sum.states >= states_min {
            break;
        }
        seed += 1;
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{sum:?} in {seconds:.1} s, last seed {seed}");
}
