//! That the cost of durability does not grow with the partitions: 20,000 records a second over 1,000 partitions and over one.

use super::machine::{Machine, cairn, create_topic, number};
use cairn_benches::figures::row;

const RATE_PER_SECOND: u64 = 20_000;

fn p99_us(machine: &Machine, partitions: u32) -> anyhow::Result<f64> {
    let directory = machine.directory()?;
    let broker = machine.broker(&directory.path().join("data")).start()?;
    create_topic(&broker, "wide", partitions)?;
    let records = (machine.amount(120) * RATE_PER_SECOND).to_string();
    let rate = RATE_PER_SECOND.to_string();
    let report = cairn(&broker, &["bench", "produce", "wide", "--records", &records, "--rate", &rate])?;
    number(&report, "/latency_us/p99")
}

/// The row.
pub(crate) fn run(machine: &Machine) -> anyhow::Result<Vec<String>> {
    let one = p99_us(machine, 1)?;
    let many = p99_us(machine, 1000)?;
    let one_again = p99_us(machine, 1)?;
    let limit = (one + one_again) / 2.0;
    Ok(vec![
        row(("p99 over 1,000 partitions", many), ("that over one", limit), "us", "<= 1.2"),
        format!("over one partition: {one:.0} us before, {one_again:.0} us after"),
    ])
}
