//! EIO and ENOSPC at every call of a run, and a disk that is full for a while.

use super::number;
use cairn_tests::{
    faulty_disk::FaultKind,
    storage::{Settings, enumerate_faults, fill_up},
};

fn short() -> Settings {
    Settings { actions: 60, ..Settings::default() }
}

fn check(kind: FaultKind) {
    for seed in 1..=2 {
        let report = enumerate_faults(seed, &short(), kind).unwrap_or_else(|error| panic!("{error:#}"));
        println!("{kind:?}, seed {seed}: {report:?}");
        assert!(report.fenced > 0 && report.not_opened > 0 && report.runs > report.fenced);
    }
}

#[test]
fn an_input_output_error_at_any_call_is_final_and_loses_nothing() {
    check(FaultKind::Eio);
}

#[test]
fn no_space_at_any_call_is_refused_or_final_and_loses_nothing() {
    check(FaultKind::Enospc);
}

/// `TEST_SEED` repeats one seed; `FULL_DISKS` asks for more of them.
#[test]
fn a_full_disk_is_refused_survived_and_forgotten() {
    let seeds = number("FULL_DISKS").unwrap_or(100);
    for seed in number("TEST_SEED").map_or(1..=seeds, |seed| seed..=seed) {
        fill_up(seed, &Settings::default()).unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
    }
}
