//! The crash contract, sentence by sentence, on the disk that enforces it; and the faults that it can be told to have.

use cairn_broker::disk::{Caching, Disk, DiskErrorKind, DiskFile, OpenMode, replace_file};
use cairn_tests::faulty_disk::{CrashPolicy, Fault, FaultKind, FaultyDisk, PAGE_BYTES};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

const ANY: CrashPolicy = CrashPolicy { data_kept: 0.5, names_kept: 0.5 };

fn random() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(7)
}

fn create(disk: &FaultyDisk, path: &str) -> Arc<dyn DiskFile> {
    disk.open(Path::new(path), OpenMode::CreateNew, Caching::Buffered).unwrap()
}

fn durable_file(disk: &FaultyDisk, path: &str, pages: &[u8]) -> Arc<dyn DiskFile> {
    let file = create(disk, path);
    for (index, byte) in pages.iter().enumerate() {
        file.write_at((index * PAGE_BYTES) as u64, &[&[*byte; PAGE_BYTES]]).unwrap();
    }
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    file
}

/// The first byte of each page of a file in a crash image; `None` when the name is gone.
fn pages(disk: &FaultyDisk, path: &str) -> Option<Vec<u8>> {
    let content = disk.content(Path::new(path)).ok()?;
    Some(content.chunks(PAGE_BYTES).map(|page| page[0]).collect())
}

/// The distinct states of a file that many crashes leave.
fn outcomes(disk: &FaultyDisk, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    let mut random = random();
    (0..400).map(|_| pages(&disk.crash(ANY, &mut random), path)).collect()
}

#[test]
fn unsynced_pages_are_kept_one_by_one_and_never_mixed() {
    let disk = FaultyDisk::new(1);
    let file = durable_file(&disk, "/a", &[1, 2]);
    file.write_at(0, &[&[3; 2 * PAGE_BYTES]]).unwrap();
    let expected = [[1, 2], [1, 3], [3, 2], [3, 3]].map(|pages| Some(pages.to_vec()));
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from(expected));
    let mut random = random();
    for _ in 0..50 {
        let content = disk.crash(ANY, &mut random).content(Path::new("/a")).unwrap();
        assert!(content.chunks(PAGE_BYTES).all(|page| page.iter().all(|byte| *byte == page[0])));
    }
    file.sync_data().unwrap();
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from([Some(vec![3, 3])]), "synced is synced");
}

#[test]
fn a_page_written_twice_may_stand_at_either() {
    let disk = FaultyDisk::new(1);
    let file = durable_file(&disk, "/a", &[1]);
    file.write_at(0, &[&[2; PAGE_BYTES]]).unwrap();
    file.write_at(0, &[&[3; PAGE_BYTES]]).unwrap();
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from([1, 2, 3].map(|byte| Some(vec![byte]))));
}

#[test]
fn sizes_are_kept_or_lost_by_themselves() {
    let disk = FaultyDisk::new(1);
    let file = durable_file(&disk, "/a", &[1]);
    file.write_at(PAGE_BYTES as u64, &[&[2; PAGE_BYTES]]).unwrap();
    let expected = [vec![1], vec![1, 0], vec![1, 2]].map(Some);
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from(expected));
    file.sync_data().unwrap();
    file.set_len(PAGE_BYTES as u64).unwrap();
    file.allocate(0, 2 * PAGE_BYTES as u64).unwrap();
    let expected = [vec![1], vec![1, 0], vec![1, 2]].map(Some);
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from(expected), "a cut that was lost, too");
}

#[test]
fn a_name_needs_its_directory_synced_whatever_the_file_has() {
    let disk = FaultyDisk::new(1);
    let file = create(&disk, "/a");
    file.write_at(0, &[&[1; PAGE_BYTES]]).unwrap();
    file.sync_data().unwrap();
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from([None, Some(vec![1])]));
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from([Some(vec![1])]));
    disk.remove_file(Path::new("/a")).unwrap();
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from([None, Some(vec![1])]));
    drop(file);
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from([None]));
    assert_eq!(disk.used_bytes(), 0);
}

#[test]
fn a_lost_directory_takes_everything_below_with_it() {
    let disk = FaultyDisk::new(1);
    disk.create_dir(Path::new("/d")).unwrap();
    create(&disk, "/d/a").write_at(0, &[&[1; PAGE_BYTES]]).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    let lost = CrashPolicy { data_kept: 1.0, names_kept: 0.0 };
    assert_eq!(pages(&disk.crash(lost, &mut random()), "/d/a"), None);
}

#[test]
fn a_rename_leads_to_the_old_or_the_new_file() {
    let disk = FaultyDisk::new(1);
    durable_file(&disk, "/a", &[1]);
    durable_file(&disk, "/b", &[2]);
    disk.rename(Path::new("/b"), Path::new("/a")).unwrap();
    let mut random = random();
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let cut = disk.crash(ANY, &mut random);
        seen.insert((pages(&cut, "/a"), pages(&cut, "/b")));
    }
    let (old, new) = ((Some(vec![1]), Some(vec![2])), (Some(vec![2]), None));
    assert_eq!(seen, BTreeSet::from([old, new]));
}

#[test]
fn a_rename_between_directories_is_one_change() {
    let disk = FaultyDisk::new(1);
    disk.make_durable_dir(Path::new("/d")).unwrap();
    durable_file(&disk, "/a", &[1]);
    disk.rename(Path::new("/a"), Path::new("/d/a")).unwrap();
    let mut random = random();
    for _ in 0..100 {
        let cut = disk.crash(ANY, &mut random);
        assert_ne!(pages(&cut, "/a").is_some(), pages(&cut, "/d/a").is_some());
    }
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(pages(&disk.crash(CrashPolicy::NOTHING, &mut random), "/d/a"), Some(vec![1]));
}

#[test]
fn replacing_a_small_file_leaves_the_old_or_the_new_content() {
    let mut random = random();
    for failing in 1..=6 {
        let disk = FaultyDisk::new(failing);
        replace_file(&disk, Path::new("/"), "meta", b"old").unwrap();
        disk.set_fault(Some(Fault {
            call: disk.calls() + failing,
            kind: FaultKind::Eio,
            from_then_on: true,
        }));
        let done = replace_file(&disk, Path::new("/"), "meta", b"new").is_ok();
        for _ in 0..50 {
            let content = disk.crash(ANY, &mut random).content(Path::new("/meta")).unwrap();
            assert!(content == b"new" || (!done && content == b"old"), "{content:?} after fault {failing}");
        }
    }
}

#[test]
fn a_failed_sync_drops_pages_and_the_next_one_does_not_bring_them_back() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..50 {
        let disk = FaultyDisk::new(seed);
        let file = durable_file(&disk, "/a", &[1, 1]);
        file.write_at(0, &[&[2; 2 * PAGE_BYTES]]).unwrap();
        disk.set_fault(Some(Fault { call: disk.calls() + 1, kind: FaultKind::Eio, from_then_on: false }));
        assert_eq!(file.sync_data().unwrap_err().kind, DiskErrorKind::Failed);
        assert_eq!(pages(&disk, "/a"), Some(vec![2, 2]), "readers see no difference");
        file.sync_data().unwrap();
        outcomes.insert(pages(&disk.crash(CrashPolicy::EVERYTHING, &mut random()), "/a"));
    }
    let all = [[1, 1], [1, 2], [2, 1], [2, 2]].map(|pages| Some(pages.to_vec()));
    assert_eq!(outcomes, BTreeSet::from(all));
}

#[test]
fn a_failed_write_may_have_written_any_of_its_pages() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..50 {
        let disk = FaultyDisk::new(seed);
        let file = durable_file(&disk, "/a", &[1, 1]);
        disk.set_fault(Some(Fault { call: disk.calls() + 1, kind: FaultKind::Enospc, from_then_on: false }));
        let error = file.write_at(0, &[&[2; 2 * PAGE_BYTES]]).unwrap_err();
        assert_eq!(error.kind, DiskErrorKind::NoSpace);
        outcomes.insert(pages(&disk, "/a"));
    }
    assert_eq!(outcomes.len(), 4);
}

#[test]
fn a_full_disk_refuses_space_and_gives_it_again_when_some_returns() {
    let disk = FaultyDisk::new(1);
    disk.set_capacity(Some(4 * PAGE_BYTES as u64));
    let file = create(&disk, "/a");
    file.allocate(0, 3 * PAGE_BYTES as u64).unwrap();
    let refused = file.allocate(0, 5 * PAGE_BYTES as u64).unwrap_err();
    assert_eq!(refused.kind, DiskErrorKind::NoSpace);
    assert_eq!(file.len().unwrap(), 3 * PAGE_BYTES as u64, "a refusal changes nothing");
    assert_eq!(disk.free_bytes(Path::new("/")).unwrap(), PAGE_BYTES as u64);
    let other = create(&disk, "/b");
    other.allocate(0, PAGE_BYTES as u64).unwrap();
    let full = disk.open(Path::new("/c"), OpenMode::CreateNew, Caching::Buffered);
    assert_eq!(full.err().unwrap().kind, DiskErrorKind::NoSpace);
    file.write_at(0, &[&[1; 3 * PAGE_BYTES]]).unwrap();
    drop(other);
    disk.remove_file(Path::new("/b")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    create(&disk, "/c").allocate(0, PAGE_BYTES as u64).unwrap();
}

#[test]
fn writing_under_a_reader_is_found() {
    let disk = FaultyDisk::new(1);
    let file = durable_file(&disk, "/a", &[1, 1]);
    let slice = file.slice(10, 20).unwrap();
    file.write_at(30, &[b"behind it"]).unwrap();
    file.write_at(0, &[b"in front"]).unwrap();
    for wrong in
        [&(|| file.write_at(29, &[b"x"])) as &dyn Fn() -> _, &|| file.write_at(10, &[&[1; 1]]), &|| {
            file.set_len(29)
        }]
    {
        assert!(catch_unwind(AssertUnwindSafe(wrong)).is_err());
    }
    drop(slice);
    file.write_at(10, &[b"nobody looks any more"]).unwrap();
}

#[test]
fn a_flipped_bit_is_seen_at_once_and_after_a_crash() {
    let disk = FaultyDisk::new(1);
    let file = durable_file(&disk, "/a", &[0, 0]);
    file.write_at(0, &[&[0; PAGE_BYTES]]).unwrap();
    disk.flip_bit(Path::new("/a"), 0, 3).unwrap();
    assert_eq!(pages(&disk, "/a"), Some(vec![8, 0]));
    assert_eq!(outcomes(&disk, "/a"), BTreeSet::from([Some(vec![8, 0])]));
    assert!(disk.flip_bit(Path::new("/a"), 1 << 20, 0).is_err());
}

#[test]
fn one_seed_gives_one_history() {
    let run = |seed| {
        let disk = FaultyDisk::new(seed);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let file = create(&disk, "/a");
        for _ in 0..40 {
            let position = random.random_range(0..20_u64) * 1_000;
            file.write_at(position, &[&[random.random(); 700]]).unwrap();
        }
        let cut = disk.crash(ANY, &mut random);
        (cut.content(Path::new("/a")).ok(), disk.calls(), disk.changes())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
