//! `cairn consume`: prints records as they come, in the order of each partition. Output is buffered while records keep
//! coming and written out the moment they do not.

mod grouped;
mod render;
mod until;

use crate::{
    closed_pipe,
    failure::Failure,
    format::{self, Template},
    output::{Output, print_bytes},
    session::Session,
    start::Start,
};
use cairn_client::{ConsumeError, Consumer, RecordRun, StartAt};
use clap::Args;
use render::Renderer;
use std::{future::poll_fn, pin::pin, task::Poll};
use until::Until;

/// Output that is collected before it is written, unless records stop coming.
const BUFFER_BYTES: usize = 64 * 1024;

/// What to read, and how to print it.
#[derive(Debug, Args)]
pub(crate) struct ConsumeArgs {
    /// The topic's name
    topic: String,
    /// Only this partition
    #[arg(long, value_name = "P")]
    partition: Option<u32>,
    /// Share the topic with the other members of a group, and go on where the group stopped; what is printed is committed
    #[arg(long, value_name = "NAME", conflicts_with_all = ["partition", "exit_at_end"])]
    group: Option<String>,
    /// Of a group's member: a process that is started anew with the same id has the same partitions
    #[arg(long, value_name = "ID", requires = "group")]
    instance_id: Option<String>,
    /// Of a group's member: silence for so long ends its membership [default: 45]
    #[arg(long, value_name = "SECONDS", requires = "group", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    session_timeout: Option<u64>,
    /// Where to begin in each partition; -N is the last N records of each. With --group only beginning or end: where the group
    /// has committed nothing
    #[arg(
        long,
        value_name = "beginning|end|OFFSET|-N|@RFC3339",
        default_value = "beginning",
        allow_hyphen_values = true
    )]
    from: Start,
    /// Stop after so many records
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Stop at the end that each partition had at the start, instead of waiting for more
    #[arg(long)]
    exit_at_end: bool,
    #[arg(long, value_name = "TEMPLATE", help = format::HELP)]
    format: Option<Template>,
}

impl ConsumeArgs {
    /// Whether the options go together; asked before anything is done.
    pub(crate) fn check(&self, output: Output) -> Result<(), Failure> {
        if self.format.is_some() && output.is_json() {
            return Err(Failure::usage("--format and --output json exclude each other")
                .advise("leave one of them out"));
        }
        if self.group.is_some() && !matches!(self.from, Start::Beginning | Start::End) {
            return Err(Failure::usage(
                "with --group, --from is beginning or end: where nothing is committed",
            )
            .advise("move a whole group with: cairn group reset-offsets"));
        }
        Ok(())
    }
}

/// Prints until there is a reason to stop.
pub(crate) async fn run(args: &ConsumeArgs, session: &Session) -> Result<(), Failure> {
    if let Some(group) = &args.group {
        return grouped::run(args, group, session).await;
    }
    let topic = session.unless_interrupted(session.describe(&args.topic, args.partition)).await?;
    let partitions = match args.partition {
        Some(partition) => partition..partition.saturating_add(1),
        None => 0..topic.summary.partitions,
    };
    let consumer =
        session.client.consumer().assign(&args.topic, partitions.clone()).from(start_at(args.from));
    let consumer = session.unless_interrupted(async { Ok(consumer.build().await?) }).await?;
    let mut until = Until::records(args.count);
    if args.exit_at_end {
        let ends = partitions.map(|partition| consumer.high_watermark(&args.topic, partition));
        until = until.ends(args.partition.unwrap_or(0), ends.map(Option::unwrap_or_default));
        for (partition, position) in positions(&consumer) {
            require_in_range(&consumer, &args.topic, partition, position)?;
            until.reached(partition, position);
        }
    }
    let renderer = Renderer::new(session.output, args.format.clone());
    let mut printer = Printer { consumer, until, renderer, buffer: Vec::with_capacity(2 * BUFFER_BYTES) };
    let printed = tokio::select! {
        printed = printer.print() => printed,
        () = session.interrupt.pressed() => Err(Failure::interrupted()),
        () = closed_pipe::reader_is_gone() => Err(closed_pipe::failure()),
    };
    // What came before the failure is printed before the failure.
    write_out(&mut printer.buffer).and(printed)
}

fn start_at(start: Start) -> StartAt {
    match start {
        Start::Beginning => StartAt::Beginning,
        Start::End => StartAt::End,
        Start::Offset(offset) => StartAt::Offset(offset),
        Start::Last(count) => StartAt::FromEnd(count),
        Start::Time(timestamp_ms) => StartAt::Timestamp(timestamp_ms),
    }
}

/// An offset behind the end is an error here as it is where the broker would be asked for it: not an empty success.
fn require_in_range(
    consumer: &Consumer,
    topic: &str,
    partition: u32,
    offset: i64,
) -> Result<(), ConsumeError> {
    let high_watermark = consumer.high_watermark(topic, partition).unwrap_or(i64::MAX);
    if offset <= high_watermark {
        return Ok(());
    }
    let topic = topic.to_owned();
    Err(ConsumeError::OffsetOutOfRange { topic, partition, offset, log_start: -1, high_watermark })
}

fn positions(consumer: &Consumer) -> Vec<(u32, i64)> {
    let assigned = consumer.assignment().into_iter();
    assigned
        .filter_map(|(topic, partition)| Some((partition, consumer.position(&topic, partition)?)))
        .collect()
}

struct Printer {
    consumer: Consumer,
    until: Until,
    renderer: Renderer,
    buffer: Vec<u8>,
}

impl Printer {
    async fn print(&mut self) -> Result<(), Failure> {
        while !self.until.is_done() {
            let run = match ready_now(self.consumer.next_batch()).await {
                Some(run) => run,
                None => {
                    write_out(&mut self.buffer)?;
                    self.consumer.next_batch().await
                }
            };
            self.print_run(run.ok_or(ConsumeError::Closed)??)?;
            if self.buffer.len() >= BUFFER_BYTES {
                write_out(&mut self.buffer)?;
                // Ctrl-C must be heard however fast the records come.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn print_run(&mut self, run: RecordRun) -> Result<(), Failure> {
        let (partition, next_offset) = (RecordRun::partition(&run), run.next_offset());
        let end = self.until.end_of(partition);
        for record in run {
            let record = record?;
            if record.offset >= end || !self.until.take_record() {
                break;
            }
            self.renderer.render(&record, &mut self.buffer)?;
            if self.buffer.len() >= BUFFER_BYTES {
                write_out(&mut self.buffer)?;
            }
        }
        self.until.reached(partition, next_offset);
        Ok(())
    }
}

/// Prints what is collected, and forgets it even if that fails: it is not printed twice.
fn write_out(buffer: &mut Vec<u8>) -> Result<(), Failure> {
    if buffer.is_empty() {
        return Ok(());
    }
    let written = print_bytes(buffer);
    buffer.clear();
    written
}

/// The output of a cancel-safe future if it is there without waiting.
async fn ready_now<Work: Future>(work: Work) -> Option<Work::Output> {
    let mut work = pin!(work);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_ready_is_not_waited_for() {
        assert_eq!(ready_now(std::future::pending::<()>()).await, None);
        assert_eq!(ready_now(async { 7 }).await, Some(7));
    }
}
