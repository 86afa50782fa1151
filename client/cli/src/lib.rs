//! The command line `cairn`. Pure parts (templates, lines, tables, tallies) stand in files of their own; a command's
//! `run` connects them to a `Session`. Whatever happens ends as an `Exit`: every byte of
//! output goes through `output`, and nothing panics because a reader went away.

mod bench;
mod client_errors;
mod closed_pipe;
mod cluster;
mod command_line;
mod consume;
mod escape;
mod exit;
mod failure;
mod format;
mod group;
mod in_flight;
mod interrupt;
mod lines;
mod output;
mod produce;
mod progress;
mod rfc3339;
mod sending;
mod session;
mod start;
mod stopwatch;
mod suggest;
mod table;
mod topic;
mod verify;

use clap::{CommandFactory, Parser};
use command_line::{ClusterCommand, Command, CommandLine};
use exit::Exit;
use failure::Failure;
use interrupt::Interrupt;
use output::{Output, OutputFormat};
use session::Session;
use std::process::ExitCode;
use tokio::task::JoinSet;

/// Parses the process's arguments and does what they say.
#[must_use]
pub fn run() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return answer(&error).into(),
    };
    let output = Output::new(line.global.output);
    match execute(&line, output) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            output.print_failure(&failure);
            failure.exit.into()
        }
    }
}

/// Help and version on standard output, usage errors on standard error.
fn answer(error: &clap::Error) -> Exit {
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
    if exit == Exit::Usage && command_line::asks_for_json(std::env::args().skip(1)) {
        let text = error.render().to_string();
        let message = text.trim().trim_start_matches("error: ");
        Output::new(OutputFormat::Json).print_failure(&Failure::usage(message));
        return exit;
    }
    match error.print() {
        Err(error) => Failure::output(&error).exit,
        Ok(()) => exit,
    }
}

fn execute(line: &CommandLine, output: Output) -> Result<(), Failure> {
    match &line.command {
        Command::Verify(args) => verify::run(args, output),
        Command::Completions { shell } => completions(*shell),
        Command::Consume(args) => args.check(output).and_then(|()| with_runtime(line)),
        _ => with_runtime(line),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    // Into memory first: the generator panics where a write fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "cairn", &mut script);
    output::print_bytes(&script)
}

fn with_runtime(line: &CommandLine) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    let done = runtime.block_on(connected(line));
    // A thread may sit in a read of standard input that never returns.
    runtime.shutdown_background();
    done
}

async fn connected(line: &CommandLine) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    let interrupt = Interrupt::listen(&mut tasks);
    let session = Session::connect(&line.global, interrupt).await?;
    match command(&line.command, &session).await {
        Ok(()) => Ok(()),
        Err(failure) => Err(session.explain(failure).await),
    }
}

async fn command(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Topic(command) => session.unless_interrupted(topic::run(command, session)).await,
        Command::Produce(args) => produce::run(args, session).await,
        Command::Consume(args) => consume::run(args, session).await,
        Command::Group(command) => session.unless_interrupted(group::run(command, session)).await,
        Command::Cluster(ClusterCommand::Status) => {
            session.unless_interrupted(cluster::status(session)).await
        }
        Command::Bench(command) => bench::run(command, session).await,
        Command::Verify(_) | Command::Completions { .. } => Ok(()),
    }
}
