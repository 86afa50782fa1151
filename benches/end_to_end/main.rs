//! Whole broker, whole client, real sockets, real disk: one function a row of the table of promises, each held against its own
//! limit measured in the same run. `cargo bench -p cairn-benches --bench end_to_end -- [ROW]… [--quick]`; without a row all of
//! them run, which takes a while.
#![expect(clippy::print_stdout, reason = "it prints its figures")]

mod consume;
mod idle_connections;
mod latency;
mod machine;
mod memory;
mod partitions;
mod produce;
mod start;

use machine::Machine;

/// A row: its name, and what measures it and gives the lines to print.
type Row = (&'static str, fn(&Machine) -> anyhow::Result<Vec<String>>);

const ROWS: &[Row] = &[
    ("produce", produce::run),
    ("latency", latency::run),
    ("consume", consume::run),
    ("partitions", partitions::run),
    ("start", start::run),
    ("recovery", start::run_recovery),
    ("many-partitions", start::run_many_partitions),
    ("memory", memory::run),
    ("idle-connections", idle_connections::run),
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    if let Some(unknown) = wanted.iter().find(|name| !ROWS.iter().any(|row| row.0 == name.as_str())) {
        let names: Vec<_> = ROWS.iter().map(|row| row.0).collect();
        anyhow::bail!("there is no row {unknown}; there are: {}", names.join(", "));
    }
    let machine = Machine::new(quick)?;
    for (name, measure) in ROWS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("== {name}");
            for line in measure(&machine)? {
                println!("   {line}");
            }
        }
    }
    Ok(())
}
