//! Bugs on purpose: the checker that finds nothing in the store must find each of these.

use cairn_broker::storage::options::StorePlant;
use cairn_tests::storage::{CrashTest, enumerate_crashes, planted::DiskPlant};

/// The seeds after which a bug counts as not found.
const SEEDS_MAX: u64 = 12;

fn finding_in(plant: impl std::fmt::Debug, test: impl Fn(u64) -> CrashTest) -> String {
    for seed in 1..=SEEDS_MAX {
        if let Err(error) = enumerate_crashes(&test(seed)) {
            let text = format!("{error:#}");
            println!("{plant:?}: {text}");
            return text;
        }
    }
    panic!("{plant:?} was not found with {SEEDS_MAX} seeds");
}

fn finding(plant: DiskPlant) -> String {
    finding_in(plant, |seed| CrashTest { plant: Some(plant), ..super::test(seed) })
}

#[test]
fn finds_an_acknowledgement_before_the_sync() {
    assert!(finding(DiskPlant::SkipSync(".journal")).contains("cut at call"));
}

#[test]
fn finds_a_journal_file_recycled_before_the_segments_are_synced() {
    assert!(finding(DiskPlant::SkipSync(".log")).contains("cut at call"));
}

#[test]
fn finds_a_segments_name_that_was_not_synced() {
    assert!(finding(DiskPlant::SkipSyncDir("/logs/")).contains("cut at call"));
}

#[test]
fn finds_a_journal_files_name_that_was_not_synced() {
    assert!(finding(DiskPlant::SkipSyncDir("/journal")).contains("cut at call"));
}

#[test]
fn finds_a_block_of_a_synced_group_rewritten() {
    assert!(finding(DiskPlant::RewriteBlock).contains("cut at call"));
}

#[test]
fn finds_a_stale_frame_of_an_older_lap_accepted() {
    finding(DiskPlant::AgelessFrames);
}

#[test]
fn finds_a_truncation_that_was_not_journaled() {
    let text = finding_in(StorePlant::TruncateNotJournaled, |seed| {
        let mut test = super::test(seed);
        test.settings.store.plant = Some(StorePlant::TruncateNotJournaled);
        test
    });
    assert!(text.contains("allowed is"), "{text}");
}
