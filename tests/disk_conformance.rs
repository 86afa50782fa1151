//! What every `Disk` does, whatever is behind it: the same checks run on the real file system, on one in memory if there is
//! one, and on the faulty disk. What only a power cut can show is checked on the faulty disk alone.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking, as the test does"
)]

#[path = "disk_conformance/bytes.rs"]
mod bytes_in_files;
#[path = "disk_conformance/crashes.rs"]
mod crashes;
#[path = "disk_conformance/names.rs"]
mod names;

use cairn_broker::disk::{OsDisk, SharedDisk};
use cairn_tests::faulty_disk::FaultyDisk;
use std::path::{Path, PathBuf};

/// A disk and an empty directory on it.
struct Place {
    disk: SharedDisk,
    root: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn real(parent: Option<&Path>) -> Self {
        let temporary = match parent {
            Some(parent) => tempfile::tempdir_in(parent),
            None => tempfile::tempdir(),
        }
        .expect("a temporary directory");
        Self { disk: OsDisk::shared(), root: temporary.path().to_path_buf(), _temporary: Some(temporary) }
    }

    fn simulated() -> Self {
        let disk = FaultyDisk::new(1);
        let root = PathBuf::from("/data");
        disk.make_durable_dir(&root).expect("an empty disk takes a directory");
        Self { disk: disk.shared(), root, _temporary: None }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// Runs one check on every kind of disk.
fn everywhere(check: impl Fn(&Place)) {
    check(&Place::real(None));
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        check(&Place::real(Some(memory)));
    }
    check(&Place::simulated());
}
