//! Reading from the page cache through gRPC, on one connection.

use super::machine::{Machine, cairn, create_topic, number};
use cairn_benches::{
    figures::{median, row},
    process_usage::ProcessUsage,
};

/// The row.
pub(crate) fn run(machine: &Machine) -> anyhow::Result<Vec<String>> {
    let records = machine.amount(2 << 20).to_string();
    let directory = machine.directory()?;
    let broker = machine.broker(&directory.path().join("data")).start()?;
    create_topic(&broker, "consume", 16)?;
    cairn(&broker, &["bench", "produce", "consume", "--records", &records])?;
    let (mut rates, mut processor) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let before = ProcessUsage::of(broker.id())?;
        let report = cairn(&broker, &["bench", "consume", "consume", "--records", &records])?;
        let used = ProcessUsage::of(broker.id())?.processor - before.processor;
        let bytes = number(&report, "/bytes")?;
        rates.push(bytes / number(&report, "/seconds")? / 1e9);
        processor.push(used.as_secs_f64() / (bytes / 1e9));
    }
    Ok(vec![
        row(("consume from the page cache", median(&rates)), ("1 GB/s", 1.0), "GB/s", ">= 1"),
        format!("each run: {rates:.2?} GB/s; broker {:.2} CPU-seconds per GB", median(&processor)),
    ])
}
