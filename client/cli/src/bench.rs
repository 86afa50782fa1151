//! `cairn bench`: measures a running broker from outside. It creates nothing: the topic must exist, because its partitions
//! and configuration are what is measured.

mod consume;
mod end_to_end;
mod payload;
mod produce;
mod report;
mod schedule;

use crate::{failure::Failure, session::Session};
use clap::{Subcommand, value_parser};

/// The size of a record where nothing else is said.
const RECORD_BYTES_DEFAULT: u32 = 1024;
/// Connections at most: each has a task and buffers.
const CONNECTIONS_MAX: u64 = 1024;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Send random records; latency is from a record's send, or with --rate from when it was due, to its acknowledgement
    Produce(produce::ProduceBenchArgs),
    /// Read records from the beginning; latency is the wait for each run of records
    Consume(consume::ConsumeBenchArgs),
    /// Send records and read them back; latency is from send, or with --rate from when it was due, to arrival
    EndToEnd(end_to_end::EndToEndBenchArgs),
}

/// Which topic, and how much.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// The topic's name; it must exist
    pub(crate) topic: String,
    /// How many records
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) records: u64,
}

/// How fast.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct RateArgs {
    /// Records a second in all [default: as fast as possible]
    #[arg(long, value_name = "PER_SECOND", value_parser = value_parser!(u64).range(1..))]
    pub(crate) rate: Option<u64>,
}

/// Over how many connections.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ConnectionArgs {
    /// Connections to share the work, each a client of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    pub(crate) connections: u64,
}

/// Measures and prints.
pub(crate) async fn run(command: &BenchCommand, session: &Session) -> Result<(), Failure> {
    let measured = async {
        match command {
            BenchCommand::Produce(args) => produce::run(args, session).await,
            BenchCommand::Consume(args) => consume::run(args, session).await,
            BenchCommand::EndToEnd(args) => end_to_end::run(args, session).await,
        }
    };
    let report = session.unless_interrupted(measured).await?;
    session.output.print(&report, || report.text())
}
