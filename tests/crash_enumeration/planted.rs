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

fn finding_in_store(plant: StorePlant) -> String {
    finding_in(plant, |seed| {
        let mut test = super::test(seed);
        test.settings.store.plant = Some(plant);
        test
    })
}

#[test]
fn finds_a_truncation_that_was_not_journaled() {
    let text = finding_in_store(StorePlant::TruncateNotJournaled);
    assert!(text.contains("allowed is"), "{text}");
}

#[test]
fn finds_old_segments_removed_before_a_checkpoint_knows_the_compacted_one() {
    let text = finding_in_store(StorePlant::ReplacedRemovedAtOnce);
    assert!(text.contains("the segment is missing"), "{text}");
}

#[test]
fn finds_a_compacted_segment_that_was_not_synced() {
    assert!(finding_in_store(StorePlant::CompactedNotSynced).contains("cut at call"));
}

#[test]
fn finds_the_last_record_of_a_key_dropped() {
    let text = finding_in_store(StorePlant::LastOfKeyDropped);
    assert!(text.contains("is missing"), "{text}");
}
