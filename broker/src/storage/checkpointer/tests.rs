//! A checkpoint, and another one, while a truncation is between its frame and its cut.

#![expect(clippy::disallowed_methods, reason = "a test copies the directory, as a kill would leave it")]

use super::super::{
    CommitDriver, Log, LogOptions, Store, StoreSetup,
    engine::{Engine, LogCore},
    tests::{EPOCH, LOG, Told, batch, check_all, fill, open, small_log, small_options},
};
use crate::{
    clock::{Clock, Monotonic, SharedClock, SystemClock},
    disk::OsDisk,
    ids::{LogId, Offset},
};
use parking_lot::{Condvar, Mutex};
use std::{path::Path, sync::Arc, thread, time::Duration};

const TRUNCATES: &str = "truncates";

#[derive(Default)]
struct Gate {
    closed: bool,
    somebody_waits: bool,
}

/// The system's clock, but a thread that truncates sleeps as long as the gate is closed.
struct GateClock {
    system: SharedClock,
    gate: Mutex<Gate>,
    changed: Condvar,
}

impl Clock for GateClock {
    fn wall_ms(&self) -> i64 {
        self.system.wall_ms()
    }
    fn now(&self) -> Monotonic {
        self.system.now()
    }
    fn sleep(&self, duration: Duration) {
        if thread::current().name() != Some(TRUNCATES) {
            return self.system.sleep(duration);
        }
        let mut gate = self.gate.lock();
        gate.somebody_waits = true;
        while gate.closed {
            self.changed.wait(&mut gate);
        }
        gate.somebody_waits = false;
    }
}

struct Rig {
    directory: tempfile::TempDir,
    clock: Arc<GateClock>,
    store: Store,
    engine: Arc<Engine>,
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(GateClock {
            system: SystemClock::shared(),
            gate: Mutex::default(),
            changed: Condvar::new(),
        });
        let setup = StoreSetup {
            disk: OsDisk::shared(),
            path: directory.path().join("store"),
            options: small_options(),
            clock: Arc::clone(&clock) as SharedClock,
            driver: CommitDriver::Thread,
            listener: Arc::new(Told::default()),
        };
        let (store, _) = Store::open(setup).expect("it opens");
        let engine = Arc::clone(store.engine());
        Self { directory, clock, store, engine }
    }

    fn core(&self, id: LogId) -> Arc<LogCore> {
        Arc::clone(&self.engine.logs.read()[&id])
    }

    fn log(&self, id: LogId) -> Log {
        Log::new(Arc::clone(&self.engine), self.core(id))
    }

    fn sync(&self) {
        self.engine.wait_synced(self.engine.journal.next_sequence()).expect("synced");
    }

    /// Truncates the log until a truncation is caught behind its frame's place in the queue: the thread, and the sequence.
    fn catch_truncation(&self) -> (thread::JoinHandle<()>, u64) {
        for _ in 0..10_000 {
            fill(&self.log(LOG), 2);
            self.sync();
            let log = self.log(LOG);
            let end = Offset(log.end().get() - 1);
            self.clock.gate.lock().closed = true;
            let truncates = move || log.truncate(end).expect("truncated");
            let thread = thread::Builder::new().name(TRUNCATES.into()).spawn(truncates).expect("a thread");
            while !thread.is_finished() && !self.clock.gate.lock().somebody_waits {
                thread::yield_now();
            }
            let truncating = self.core(LOG).state.lock().truncating;
            if let Some(sequence) = truncating.filter(|_| self.clock.gate.lock().somebody_waits) {
                return (thread, sequence);
            }
            self.let_pass();
            thread.join().expect("it ends");
        }
        panic!("every truncation was synced before anybody looked");
    }

    fn let_pass(&self) {
        self.clock.gate.lock().closed = false;
        self.clock.changed.notify_all();
    }

    /// The directory as a kill at this moment leaves it, opened.
    fn after_kill(&self, name: &str) -> Store {
        let copy = self.directory.path().join(name);
        copy_directory(&self.directory.path().join("store"), &copy);
        let (store, report) = open(&copy);
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        store
    }
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

#[test]
fn no_checkpoint_covers_a_truncate_frame_before_the_cut() {
    let rig = Rig::new();
    let other = LogId(8);
    rig.store.create_log(LOG, Offset(0), small_log()).expect("created");
    rig.store.create_log(other, Offset(0), LogOptions::default()).expect("created");
    let (thread, sequence) = rig.catch_truncation();
    let (end, core) = (rig.log(LOG).end(), rig.core(LOG));
    while rig.engine.journal.synced() <= sequence {
        thread::yield_now();
    }
    // The first one finds the log among those that changed. Another log changes, and the next one does not look at this one
    // any more.
    for number in 0..3 {
        assert!(rig.engine.write_checkpoint().expect("written"));
        let covers = rig.engine.checkpoint.lock().covers;
        assert!(covers <= sequence, "checkpoint {number} covers {covers}, the truncate frame is {sequence}");
        rig.log(other).append(&batch(number, 100), EPOCH).expect("appended");
        rig.sync();
    }
    assert_eq!(core.state.lock().truncating, Some(sequence));
    let killed = rig.after_kill("killed before the cut");
    let log = killed.log(LOG).expect("it is there");
    assert_eq!(log.end(), Offset(end.get() - 1), "the record behind a durable truncate frame is back");
    check_all(&log);

    rig.let_pass();
    thread.join().expect("it ends");
    assert!(rig.engine.write_checkpoint().expect("written"));
    assert!(rig.engine.checkpoint.lock().covers > sequence);
    let killed = rig.after_kill("killed after the cut");
    assert_eq!(killed.log(LOG).expect("it is there").end(), Offset(end.get() - 1));
}
