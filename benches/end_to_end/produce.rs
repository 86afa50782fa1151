//! Acknowledged, fsynced throughput: 1 KiB records over 16 partitions, against the lowest of three limits of the same machine:
//! a raw loop of synced 256 KiB groups, half its rate over twice the bytes (every byte is written twice), and the same
//! benchmark on a broker whose disk discards.

use super::machine::{Machine, cairn, create_topic, number};
use cairn_benches::{
    figures::{median, row},
    process_usage::ProcessUsage,
    raw_disk::PrewrittenFile,
};

const MIB: f64 = 1024.0 * 1024.0;
const ROUNDS: usize = 5;

/// Throughput in MiB/s and the broker's processor seconds per GB.
fn measure(machine: &Machine, records: u64, planted: Option<&str>) -> anyhow::Result<(f64, f64)> {
    let directory = machine.directory()?;
    let mut command = machine.broker(&directory.path().join("data"));
    if let Some(planted) = planted {
        command = command.environment("CAIRN_PLANTED_BUG", planted).expecting_complaint("PLANTED BUG");
    }
    let broker = command.start()?;
    create_topic(&broker, "bench", 16)?;
    let before = ProcessUsage::of(broker.id())?;
    let report = cairn(&broker, &["bench", "produce", "bench", "--records", &records.to_string()])?;
    let used = ProcessUsage::of(broker.id())?.processor - before.processor;
    broker.kill()?;
    let gigabytes = number(&report, "/bytes")? / 1e9;
    Ok((number(&report, "/mib_per_second")?, used.as_secs_f64() / gigabytes))
}

/// The row.
pub(crate) fn run(machine: &Machine) -> anyhow::Result<Vec<String>> {
    // Three laps of a journal ring of 1 GiB.
    let records = machine.amount(3 << 20);
    let bytes = records * 1024;
    let (mut raw, mut half, mut discarded, mut measured, mut processor) =
        (vec![], vec![], vec![], vec![], vec![]);
    let scratch = machine.directory()?;
    let mut file = PrewrittenFile::new(scratch.path(), 1 << 30)?;
    for _ in 0..ROUNDS {
        raw.push(file.synced_groups(256 << 10, bytes)? / MIB);
        let (rate, seconds) = measure(machine, records, None)?;
        measured.push(rate);
        processor.push(seconds);
        half.push(file.synced_groups(256 << 10, 2 * bytes)? / 2.0 / MIB);
        discarded.push(measure(machine, records, Some("discard-journal"))?.0);
    }
    let (raw, half, discarded) = (median(&raw), median(&half), median(&discarded));
    let limits = [
        (raw, "a raw loop of synced groups"),
        (half, "half its sustained rate"),
        (discarded, "a discarding disk"),
    ];
    let lowest = limits.iter().min_by(|one, other| one.0.total_cmp(&other.0)).copied().unwrap_or_default();
    Ok(vec![
        row(("acknowledged, fsynced", median(&measured)), (lowest.1, lowest.0), "MiB/s", ">= 0.8"),
        format!("limits: raw {raw:.0}, half sustained {half:.0}, discarding disk {discarded:.0} MiB/s"),
        format!("each run: {measured:.0?} MiB/s; broker {:.2} CPU-seconds per GB", median(&processor)),
    ])
}
