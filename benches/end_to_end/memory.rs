//! Memory: of an idle broker, and of one under full load over 16 connections, watched for ten minutes.

use super::machine::{Machine, cairn};
use cairn_benches::process_usage::ProcessUsage;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

const MIB: f64 = 1024.0 * 1024.0;

/// The row.
pub(crate) fn run(machine: &Machine) -> anyhow::Result<Vec<String>> {
    let directory = machine.directory()?;
    let broker = machine.broker(&directory.path().join("data")).start()?;
    std::thread::sleep(Duration::from_secs(2));
    let idle = ProcessUsage::of(broker.id())?.resident_bytes as f64 / MIB;
    cairn(
        &broker,
        &["topic", "create", "load", "--partitions", "16", "--config", "retention.bytes=67108864"],
    )?;
    let minutes = if machine.quick { 0.2 } else { 10.0 };
    let stop = AtomicBool::new(false);
    let mut samples = Vec::new();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let load = scope.spawn(|| -> anyhow::Result<()> {
            while !stop.load(Ordering::Relaxed) {
                cairn(&broker, &["bench", "produce", "load", "--records", "500000", "--connections", "16"])?;
            }
            Ok(())
        });
        let started = Instant::now();
        while started.elapsed().as_secs_f64() < minutes * 60.0 {
            std::thread::sleep(Duration::from_secs(1));
            samples.push(ProcessUsage::of(broker.id())?.anonymous_bytes as f64 / MIB);
        }
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap_or_else(|_panic| Err(anyhow::anyhow!("the load panicked")))
    })?;
    let half = samples.len() / 2;
    let greatest = |samples: &[f64]| samples.iter().copied().fold(0.0, f64::max);
    let (first, second) = samples.split_at(half);
    Ok(vec![
        format!("resident when idle: {idle:.1} MiB; to reach: <= 30"),
        format!(
            "anonymous under load, 16 connections, {minutes} minutes: at most {:.0} MiB in the first half, {:.0} in the second; to \
             reach: <= 256, flat",
            greatest(first),
            greatest(second)
        ),
    ])
}
