//! The power cut at every changing disk call of a run. Each sampled state is recovered and compared with the model; the
//! recovery itself is cut at some call and recovered again; and what recovered is worked with and cut once more, so that what
//! a recovery cut off must stay dead.

use super::{Run, Settings, SharedModel, Tolerance, model::Model, planted::DiskPlant};
use crate::faulty_disk::{Call, CrashPolicy, FaultyDisk, Observer, Operation};
use anyhow::{Context, Error, Result, anyhow};
use cairn_broker::disk::SharedDisk;
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Cuts of recoveries of recoveries, and of what was recovered, at most.
const DEPTH_MAX: u32 = 3;

/// One run, cut everywhere.
#[derive(Clone, Debug)]
pub struct CrashTest {
    /// Decides everything.
    pub seed: u64,
    /// States sampled at each call.
    pub samples: u32,
    /// The workload and the sizes.
    pub settings: Settings,
    /// What is wrong with the disk below the store, on purpose.
    pub plant: Option<DiskPlant>,
}

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// States of the disk that were recovered and compared.
    pub states: u64,
    /// Of these, states that a cut in a recovery left.
    pub within_recovery: u64,
    /// Changing calls of the run.
    pub calls: u64,
}

/// Where the store lives on the disk of a test.
pub(super) fn store_path() -> PathBuf {
    PathBuf::from("/data/store")
}

/// A new disk with the directory in which the store is created.
pub(super) fn empty_disk(seed: u64) -> Result<FaultyDisk> {
    let disk = FaultyDisk::new(seed);
    disk.make_durable_dir(Path::new("/data"))?;
    Ok(disk)
}

/// Runs the workload of a seed and cuts the power at every changing call.
///
/// # Errors
/// A state that the invariants forbid, with everything that is needed to see it again.
pub fn enumerate_crashes(test: &CrashTest) -> Result<CrashReport> {
    let disk = empty_disk(test.seed)?;
    let model = SharedModel::default();
    let cutter = Arc::new(Cutter { test: test.clone(), model: model.clone(), found: Mutex::default() });
    disk.set_observer(Some(Arc::clone(&cutter) as Arc<dyn Observer>));
    let mut trace = Vec::new();
    let worked = caught(|| cutter.work(&disk, &model, &mut trace));
    disk.set_observer(None);
    let found = std::mem::take(&mut *cutter.found.lock());
    let calls = disk.changes();
    match found.violation.map_or(worked, Err) {
        Ok(()) => Ok(CrashReport { calls, ..found.report }),
        Err(error) => {
            let last = trace.len().saturating_sub(30);
            let actions = trace.get(last..).unwrap_or_default().join(", ");
            Err(error.context(format!("seed {}, action {}; the last: {actions}", test.seed, trace.len())))
        }
    }
}

/// Runs something whose assertions are findings.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()));
        Err(anyhow!("panic: {}", text.unwrap_or_default()))
    })
}

#[derive(Default)]
struct Found {
    report: CrashReport,
    violation: Option<Error>,
}

struct Cutter {
    test: CrashTest,
    model: SharedModel,
    found: Mutex<Found>,
}

impl Observer for Cutter {
    fn called(&self, disk: &FaultyDisk, call: &Call<'_>) {
        for sample in 0..self.test.samples {
            if self.found.lock().violation.is_some() {
                return;
            }
            let number = call.number.wrapping_mul(1_000).wrapping_add(u64::from(sample));
            let mut random = ChaCha8Rng::seed_from_u64(self.test.seed.rotate_left(32) ^ number);
            let (image, how) = cut(disk, &mut random);
            let model = self.model.0.lock().after_power_cut();
            if let Err(error) = caught(|| self.recover(&image, model, &mut random, 0)) {
                let path = call.path.display();
                let (number, operation) = (call.number, call.operation);
                let place = format!("cut at call {number} ({operation:?} {path}), sample {sample}, {how}");
                self.found.lock().violation = Some(error.context(place));
            }
        }
    }
}

impl Cutter {
    fn work(&self, disk: &FaultyDisk, model: &SharedModel, trace: &mut Vec<String>) -> Result<()> {
        let (test, disk) = (&self.test, self.planted(disk));
        let settings = test.settings.clone();
        let mut run = Run::open(disk, store_path(), settings, test.seed, model.clone(), Tolerance::Nothing)?;
        for _ in 0..test.settings.actions {
            let acted = run.act();
            trace.clone_from(&run.trace);
            acted?;
            if self.found.lock().violation.is_some() {
                return Ok(());
            }
        }
        run.compare_all()?;
        run.finish()
    }

    fn planted(&self, disk: &FaultyDisk) -> SharedDisk {
        match self.test.plant {
            Some(plant) => plant.over(disk.shared()),
            None => disk.shared(),
        }
    }

    fn recover(&self, image: &FaultyDisk, model: Model, random: &mut ChaCha8Rng, depth: u32) -> Result<()> {
        {
            let report = &mut self.found.lock().report;
            report.states += 1;
            report.within_recovery += u64::from(depth > 0);
        }
        let again = (depth < DEPTH_MAX).then(|| Arc::new(Sampler::new(random.random())));
        image.set_observer(again.clone().map(|sampler| sampler as Arc<dyn Observer>));
        let (path, settings) = (store_path(), self.test.settings.clone());
        let shared = SharedModel::default();
        *shared.0.lock() = model.clone();
        let run = Run::open(
            self.planted(image),
            path,
            settings,
            random.random(),
            shared.clone(),
            Tolerance::Nothing,
        );
        image.set_observer(None);
        if let Some((second, cut)) = again.and_then(|sampler| sampler.sampled.lock().take()) {
            self.recover(&second, model, random, depth + 1)
                .with_context(|| format!("recovery {depth} was cut at {cut}"))?;
        }
        let mut run = run.with_context(|| format!("recovery {depth}"))?;
        if depth < DEPTH_MAX && random.random_bool(0.3) {
            self.go_on(&mut run, image, random, depth).with_context(|| format!("after recovery {depth}"))?;
        }
        run.finish()
    }

    /// Works with what was recovered, and cuts again.
    fn go_on(&self, run: &mut Run, image: &FaultyDisk, random: &mut ChaCha8Rng, depth: u32) -> Result<()> {
        run.append_everywhere()?;
        for _ in 0..random.random_range(0..4_u8) {
            run.act()?;
        }
        if random.random_bool(0.7) {
            run.sync()?;
        }
        let (cut, how) = cut(image, random);
        let model = run.model.0.lock().after_power_cut();
        let actions = run.trace.join(", ");
        self.recover(&cut, model, random, depth + 1)
            .with_context(|| format!("cut again after {actions}, {how}"))
    }
}

/// Ends the power, or only the process: then what is unsynced may still be lost later.
fn cut(disk: &FaultyDisk, random: &mut ChaCha8Rng) -> (FaultyDisk, String) {
    if random.random_bool(0.2) {
        return (disk.kill(random), "kill".to_string());
    }
    let policy = CrashPolicy::sample(random);
    (disk.crash(policy, random), format!("{policy:?}"))
}

/// Keeps one of the states that cuts at the calls of a recovery leave, each call's as likely.
struct Sampler {
    random: Mutex<(ChaCha8Rng, u32)>,
    /// What the recovery has done with names so far.
    names: Mutex<Vec<String>>,
    sampled: Mutex<Option<(FaultyDisk, String)>>,
}

impl Sampler {
    fn new(seed: u64) -> Self {
        Self {
            random: Mutex::new((ChaCha8Rng::seed_from_u64(seed), 0)),
            names: Mutex::default(),
            sampled: Mutex::default(),
        }
    }
}

impl Observer for Sampler {
    fn called(&self, disk: &FaultyDisk, call: &Call<'_>) {
        let (random, seen) = &mut *self.random.lock();
        *seen += 1;
        let mut names = self.names.lock();
        if matches!(call.operation, Operation::Create | Operation::Rename | Operation::RemoveFile) {
            names.push(format!("{:?} {}", call.operation, call.path.display()));
        }
        if random.random_ratio(1, *seen) {
            let (image, how) = cut(disk, random);
            let (number, operation, path) = (call.number, call.operation, call.path.display());
            let done = names.join(", ");
            let place = format!("call {number} ({operation:?} {path}), {how}, after {done}");
            *self.sampled.lock() = Some((image, place));
        }
    }
}
