//! Names: what exists, what replaces what, and which error says so.

use super::{Place, everywhere};
use cairn_broker::disk::{Caching, DiskErrorKind, OpenMode, read_file};
use std::path::Path;

fn write(place: &Place, path: &Path, bytes: &[u8]) {
    let file = place.disk.open(path, OpenMode::CreateOrTruncate, Caching::Buffered).unwrap();
    file.write_at(0, &[bytes]).unwrap();
}

fn names(place: &Place, path: &Path) -> Vec<(String, bool)> {
    let entries = place.disk.read_dir(path).unwrap();
    entries.into_iter().map(|entry| (entry.name, entry.is_directory)).collect()
}

#[test]
fn each_way_to_open_wants_the_name_as_it_is() {
    everywhere(|place| {
        let path = place.at("a");
        let open = |mode| place.disk.open(&path, mode, Caching::Buffered);
        for mode in [OpenMode::Read, OpenMode::ReadWrite] {
            assert_eq!(open(mode).err().unwrap().kind, DiskErrorKind::NotFound);
        }
        open(OpenMode::CreateNew).unwrap().write_at(0, &[b"text"]).unwrap();
        assert_eq!(open(OpenMode::CreateNew).err().unwrap().kind, DiskErrorKind::AlreadyExists);
        assert_eq!(open(OpenMode::ReadWrite).unwrap().len().unwrap(), 4);
        assert_eq!(open(OpenMode::CreateOrTruncate).unwrap().len().unwrap(), 0);
        let nowhere = place.disk.open(&place.at("no/a"), OpenMode::CreateNew, Caching::Buffered);
        assert_eq!(nowhere.err().unwrap().kind, DiskErrorKind::NotFound);
    });
}

#[test]
fn directories_are_created_listed_and_removed() {
    everywhere(|place| {
        let directory = place.at("d");
        place.disk.create_dir(&directory).unwrap();
        place.disk.create_dir(&directory).unwrap();
        write(place, &directory.join("b"), b"");
        write(place, &directory.join("a"), b"");
        place.disk.create_dir(&directory.join("c")).unwrap();
        let expected = [("a", false), ("b", false), ("c", true)].map(|(name, is)| (name.to_string(), is));
        assert_eq!(names(place, &directory), expected);
        assert!(place.disk.remove_dir(&directory).is_err(), "it is not empty");
        place.disk.remove_file(&directory.join("a")).unwrap();
        place.disk.remove_file(&directory.join("b")).unwrap();
        place.disk.remove_dir(&directory.join("c")).unwrap();
        place.disk.sync_dir(&directory).unwrap();
        place.disk.remove_dir(&directory).unwrap();
        assert!(!place.disk.exists(&directory).unwrap());
        assert_eq!(place.disk.read_dir(&directory).unwrap_err().kind, DiskErrorKind::NotFound);
        assert_eq!(place.disk.create_dir(&place.at("x/y")).unwrap_err().kind, DiskErrorKind::NotFound);
        write(place, &place.at("file"), b"");
        assert_eq!(place.disk.create_dir(&place.at("file")).unwrap_err().kind, DiskErrorKind::AlreadyExists);
    });
}

#[test]
fn a_rename_replaces_its_target_and_open_files_stay_what_they_are() {
    everywhere(|place| {
        write(place, &place.at("old"), b"old");
        write(place, &place.at("new"), b"new");
        let old = place.disk.open(&place.at("old"), OpenMode::Read, Caching::Buffered).unwrap();
        place.disk.rename(&place.at("new"), &place.at("old")).unwrap();
        assert!(!place.disk.exists(&place.at("new")).unwrap());
        assert_eq!(read_file(&*place.disk, &place.at("old"), 9).unwrap(), b"new");
        let mut buffer = [0; 3];
        old.read_at(0, &mut buffer).unwrap();
        assert_eq!(&buffer, b"old");
        place.disk.create_dir(&place.at("d")).unwrap();
        place.disk.rename(&place.at("old"), &place.at("d/moved")).unwrap();
        assert_eq!(names(place, &place.at("d")), [("moved".to_string(), false)]);
        let missing = place.disk.rename(&place.at("old"), &place.at("x")).unwrap_err();
        assert_eq!(missing.kind, DiskErrorKind::NotFound);
    });
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    everywhere(|place| {
        assert_eq!(place.disk.remove_file(&place.at("a")).unwrap_err().kind, DiskErrorKind::NotFound);
        assert_eq!(place.disk.remove_dir(&place.at("a")).unwrap_err().kind, DiskErrorKind::NotFound);
        assert_eq!(place.disk.sync_dir(&place.at("a")).unwrap_err().kind, DiskErrorKind::NotFound);
    });
}

#[test]
fn a_directory_has_one_owner_at_a_time() {
    everywhere(|place| {
        let lock = place.disk.lock_dir(&place.root).unwrap();
        assert_eq!(place.disk.lock_dir(&place.root).unwrap_err().kind, DiskErrorKind::Locked);
        drop(lock);
        place.disk.lock_dir(&place.root).unwrap();
        let free_bytes = place.disk.free_bytes(&place.root).unwrap();
        assert!(free_bytes > 0 && place.disk.total_bytes(&place.root).unwrap() >= free_bytes);
    });
}
