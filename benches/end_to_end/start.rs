//! How long until a broker serves: empty, after a `kill -9` with a long log, and with very many partitions.

use super::machine::{Machine, cairn, create_topic, number};
use cairn_benches::{figures::median, process_usage::ProcessUsage};
use std::{path::Path, time::Instant};

fn seconds_to_ready(machine: &Machine, data_directory: &Path) -> anyhow::Result<f64> {
    let started = Instant::now();
    let broker = machine.broker(data_directory).start()?;
    let seconds = started.elapsed().as_secs_f64();
    broker.kill()?;
    Ok(seconds)
}

fn empty_start(machine: &Machine) -> anyhow::Result<f64> {
    let mut seconds = Vec::new();
    for _ in 0..15 {
        let directory = machine.directory()?;
        seconds.push(seconds_to_ready(machine, &directory.path().join("data"))?);
    }
    Ok(median(&seconds))
}

/// Empty directory to ready.
pub(crate) fn run(machine: &Machine) -> anyhow::Result<Vec<String>> {
    let milliseconds = empty_start(machine)? * 1e3;
    Ok(vec![format!("empty start to ready: {milliseconds:.1} ms; to reach: <= 50 ms")])
}

/// `kill -9` under load with a log of 10 GB.
pub(crate) fn run_recovery(machine: &Machine) -> anyhow::Result<Vec<String>> {
    let empty = empty_start(machine)?;
    let directory = machine.directory()?;
    let data = directory.path().join("data");
    let broker = machine.broker(&data).start()?;
    create_topic(&broker, "long", 16)?;
    let records = machine.amount(10_000_000).to_string();
    let report = cairn(&broker, &["bench", "produce", "long", "--records", &records])?;
    broker.kill()?;
    let after_kill = seconds_to_ready(machine, &data)?;
    let again = seconds_to_ready(machine, &data)?;
    let gigabytes = number(&report, "/bytes")? / 1e9;
    Ok(vec![format!(
        "ready after kill -9 with {gigabytes:.1} GB: {after_kill:.3} s, once more {again:.3} s, empty {empty:.3} s; to reach: \
         <= 0.5 s beyond the empty start"
    )])
}

/// 1,000 partitions in one topic; a start with 100,000, and what they cost.
pub(crate) fn run_many_partitions(machine: &Machine) -> anyhow::Result<Vec<String>> {
    let directory = machine.directory()?;
    let data = directory.path().join("data");
    let broker = machine.broker(&data).start()?;
    let started = Instant::now();
    create_topic(&broker, "topic-0", 1000)?;
    let created = started.elapsed().as_secs_f64();
    for topic in 1..100 {
        create_topic(&broker, &format!("topic-{topic}"), 1000)?;
    }
    broker.kill()?;
    let started = Instant::now();
    let broker = machine.broker(&data).start()?;
    let ready = started.elapsed().as_secs_f64();
    let usage = ProcessUsage::of(broker.id())?;
    broker.kill()?;
    Ok(vec![
        format!("1,000 partitions created in {created:.3} s; to reach: <= 1 s"),
        format!("start with 100,000 partitions: {ready:.3} s; to reach: <= 2 s"),
        format!(
            "with 100,000 empty partitions: {:.0} MiB resident, {} descriptors, {} maps; to reach: <= 1024, 1000, 1000",
            usage.resident_bytes as f64 / 1048576.0,
            usage.descriptors,
            usage.maps
        ),
    ])
}
