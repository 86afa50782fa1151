//! A disk that fails or refuses at every call of a run, one after the other, and a disk that is full for a while. A failure
//! is final and known at once (I33); a refusal leaves everything as it was and goes away with its cause (I41); neither loses
//! what was reported durable.

use super::{
    Run, Settings, SharedModel, Tolerance,
    crashes::{caught, empty_disk, store_path},
};
use crate::faulty_disk::{CrashPolicy, Fault, FaultKind, FaultyDisk};
use anyhow::{Context, Result, ensure};
use cairn_broker::{
    ids::{LogId, Offset},
    storage::{AppendError, Residency},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// More than the journal's ring has files.
const STARTS_IN_A_ROW: usize = 12;

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultReport {
    /// Runs, each with one fault.
    pub runs: u64,
    /// Of these, runs that ended with a fenced directory.
    pub fenced: u64,
    /// Of these, runs in which the store did not even open at first.
    pub not_opened: u64,
}

/// Runs the workload of a seed again and again; each time another call fails.
///
/// # Errors
/// The store did what it must not do, with everything that is needed to see it again.
pub fn enumerate_faults(seed: u64, settings: &Settings, kind: FaultKind) -> Result<FaultReport> {
    let disk = empty_disk(seed)?;
    let before = disk.calls();
    let mut run = open(&disk, settings, seed, SharedModel::default(), Tolerance::Nothing)?;
    while run.trace.len() < settings.actions && run.act()? {}
    drop(run);
    let calls = disk.calls();
    let mut report = FaultReport::default();
    for call in before + 1..=calls {
        let outcome = caught(|| with_fault(seed, settings, Fault { call, kind, from_then_on: false }));
        let outcome = outcome.with_context(|| format!("seed {seed}, {kind:?} at call {call}"))?;
        report.runs += 1;
        report.fenced += u64::from(outcome == Outcome::Fenced);
        report.not_opened += u64::from(outcome == Outcome::NotOpened);
    }
    Ok(report)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    WentOn,
    Fenced,
    NotOpened,
}

fn open(
    disk: &FaultyDisk,
    settings: &Settings,
    seed: u64,
    model: SharedModel,
    tolerance: Tolerance,
) -> Result<Run> {
    Run::open(disk.shared(), store_path(), settings.clone(), seed, model, tolerance)
}

fn with_fault(seed: u64, settings: &Settings, fault: Fault) -> Result<Outcome> {
    let disk = empty_disk(seed)?;
    disk.set_fault(Some(fault));
    let model = SharedModel::default();
    let opened = open(&disk, settings, seed, model.clone(), Tolerance::Failures);
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ fault.call);
    let Ok(mut run) = opened else {
        disk.set_fault(None);
        power_cut(&disk, settings, &model, &mut random)?;
        return Ok(Outcome::NotOpened);
    };
    let mut acted = Ok(true);
    while run.trace.len() < settings.actions && matches!(acted, Ok(true)) {
        acted = run.act();
    }
    let last = run.trace.len().saturating_sub(20);
    let actions = run.trace.get(last..).unwrap_or_default().join(", ");
    // An opening again, in the middle of the run, may have met the fault.
    let reopening =
        run.trace.last().is_some_and(|action| action.starts_with("Restart") || action.starts_with("Close"));
    let hit = disk.fault_is_over();
    match acted {
        Err(error) if !(reopening && hit) => return Err(error.context(actions)),
        _ => {}
    }
    let fenced = run.model.0.lock().failed();
    if fenced {
        check_fenced(&mut run).with_context(|| actions.clone())?;
    }
    disk.set_fault(None);
    let model = run.model.clone();
    power_cut(&disk, settings, &model, &mut random).context(actions)?;
    Ok(if fenced { Outcome::Fenced } else { Outcome::WentOn })
}

/// After a failure nothing is appended or reported durable, and what is durable can be read.
fn check_fenced(run: &mut Run) -> Result<()> {
    let live = run.model.0.lock().live();
    for id in live {
        let Some(log) = run.store()?.log(LogId(id)) else { continue };
        let (start, durable) = (log.start(), log.durable());
        ensure!(run.store()?.sync().is_err(), "a sync succeeded after a failure (I33)");
        let answer = run.append_anything(&log)?;
        ensure!(matches!(answer, Err(AppendError::Failed(_))), "log {id}: after a failure, {answer:?} (I33)");
        run.store()?.maintain();
        ensure!(log.durable() == durable, "log {id}: the durable end moved after a failure (I33)");
        if start < durable {
            let read = log.read(Offset(start.get()), durable, 1 << 20, Residency::MayBlock);
            if let Err(error) = read {
                run.settle_read(&error).context("reading what is durable, after a failure")?;
            }
        }
    }
    run.model.0.lock().check_reports()
}

/// Cuts the power, and finds the logs as the model allows; they can be worked with.
fn power_cut(
    disk: &FaultyDisk,
    settings: &Settings,
    model: &SharedModel,
    random: &mut ChaCha8Rng,
) -> Result<()> {
    let policy = CrashPolicy::sample(random);
    let image = disk.crash(policy, random);
    let shared = SharedModel::default();
    *shared.0.lock() = model.0.lock().after_power_cut();
    let mut run = open(&image, settings, random.random(), shared, Tolerance::Nothing)
        .with_context(|| format!("recovery after the fault, {policy:?}"))?;
    run.append_everywhere().context("after the recovery")?;
    run.sync()?;
    run.compare_all()?;
    run.finish()
}

/// Fills the disk in the middle of a run, cuts the power on the full disk, and gives the space back.
///
/// # Errors
/// The store failed where it should have refused, or does not resume.
pub fn fill_up(seed: u64, settings: &Settings) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let disk = empty_disk(seed)?;
    let mut run = open(&disk, settings, seed, SharedModel::default(), Tolerance::Refusals)?;
    let (before, full) = (settings.actions / 2, settings.actions / 2);
    act(&mut run, before).context("with space")?;
    disk.set_capacity(Some(disk.used_bytes() + random.random_range(0..20_000)));
    act(&mut run, full).context("on a full disk")?;
    ensure!(
        run.store()?.failure().is_none(),
        "a full disk was taken for a failure: {:?}",
        run.store()?.failure()
    );

    let image = disk.crash(CrashPolicy::EVERYTHING, &mut random);
    let shared = SharedModel::default();
    *shared.0.lock() = run.model.0.lock().after_power_cut();
    let mut recovered =
        open(&image, settings, seed, shared, Tolerance::Refusals).context("starting on a full disk")?;
    starts_in_a_row(&mut recovered)?;
    act(&mut recovered, full / 2).context("on a full disk, after starts")?;
    starts_in_a_row(&mut recovered)?;
    recovered.finish()?;

    disk.set_capacity(None);
    run.tolerance = Tolerance::Nothing;
    run.append_everywhere().context("when space has returned")?;
    run.sync()?;
    run.compare_all()?;
    run.finish()
}

/// Kills and starts the store again and again. Not one start needs what the one before it has used up.
fn starts_in_a_row(run: &mut Run) -> Result<()> {
    for start in 0..STARTS_IN_A_ROW {
        let started = run.append_everywhere().and_then(|()| run.restart());
        started.with_context(|| format!("{}; start {start} in a row on a full disk", last_of(run)))?;
    }
    Ok(())
}

fn act(run: &mut Run, actions: usize) -> Result<()> {
    let end = run.trace.len() + actions;
    while run.trace.len() < end {
        run.act().with_context(|| last_of(run))?;
    }
    Ok(())
}

fn last_of(run: &Run) -> String {
    let last = run.trace.len().saturating_sub(20);
    run.trace.get(last..).unwrap_or_default().join(", ")
}
