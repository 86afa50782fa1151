//! What may be typed: the commands, and the options that all of them have.

use crate::{
    bench::BenchCommand, consume::ConsumeArgs, exit, group::GroupCommand, output::OutputFormat,
    produce::ProduceArgs, topic::TopicCommand, verify::VerifyArgs,
};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// At the end of `cairn group --help`.
const GROUP_EXAMPLES: &str = "\
Examples:
  cairn consume orders --group billing                                        share a topic with others
  cairn group describe billing                                                lag, in records and in time
  cairn group reset-offsets billing --topic orders --to 2h --dry-run          where would that be?
  cairn group reset-offsets billing --topic orders --to @2026-01-31T09:30:00Z
  cairn group reset-offsets billing --topic orders --partition 3 --to +1      skip one record
";

/// Topics, records, groups and brokers of Cairn.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, after_help = exit::help(), arg_required_else_help = true)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct GlobalArgs {
    /// A broker's gRPC address; may be repeated, the first that answers is used
    #[arg(
        long,
        global = true,
        help_heading = "For every command",
        value_name = "HOST:PORT",
        env = "CAIRN_BROKER",
        value_delimiter = ',',
        default_value = "127.0.0.1:9095",
        value_parser = address
    )]
    pub(crate) broker: Vec<String>,
    /// Tables for people, or JSON: one object, or one a line where there are many; errors too
    #[arg(
        long,
        global = true,
        help_heading = "For every command",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: OutputFormat,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create, list, describe, alter and delete topics, and delete old records
    #[command(subcommand, arg_required_else_help = true)]
    Topic(TopicCommand),
    /// Send each line of a file or of standard input as a record
    Produce(ProduceArgs),
    /// Print the records of a topic
    Consume(ConsumeArgs),
    /// List, describe and delete consumer groups, and say where they go on
    #[command(subcommand, arg_required_else_help = true, after_help = GROUP_EXAMPLES)]
    Group(GroupCommand),
    /// Look at the brokers
    #[command(subcommand, arg_required_else_help = true)]
    Cluster(ClusterCommand),
    /// Measure throughput and latency against a running broker
    #[command(subcommand, arg_required_else_help = true)]
    Bench(BenchCommand),
    /// Check every checksum of a data directory, with its broker stopped; exit 1 if anything is damaged
    Verify(VerifyArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// What to see of the cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Brokers, their disks, and what is wrong
    Status,
}

/// An address must have a port: there is no default one that would be right for every listener.
fn address(text: &str) -> Result<String, String> {
    let text = text.trim();
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    match port.map(str::parse::<u16>) {
        Some(Ok(1..)) => Ok(text.to_owned()),
        _ => Err("expected HOST:PORT, for example 127.0.0.1:9095".into()),
    }
}

/// `NAME=VALUE`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

/// Whether `--output json` was typed, for errors in the rest of the line.
pub(crate) fn asks_for_json(arguments: impl Iterator<Item = String>) -> bool {
    let mut previous = String::new();
    for argument in arguments {
        if argument == "--output=json" || (previous == "--output" && argument == "json") {
            return true;
        }
        if argument == "--" {
            return false;
        }
        previous = argument;
    }
    false
}

#[cfg(test)]
mod tests;
