//! `cairn produce`: each line of the input becomes a record. The command succeeds only if every line is acknowledged;
//! otherwise it says how many were, how many were not, of how many nobody knows, and from which line on.

mod input;
mod record;
mod tally;

use crate::{
    command_line::key_value,
    escape,
    failure::Failure,
    in_flight::InFlight,
    interrupt::Interrupt,
    lines::{InputError, Lines},
    output::Output,
    progress::Progress,
    sending::{AcksOption, BatchingArgs, SendingArgs},
    session::Session,
    stopwatch::Stopwatch,
    table,
};
use bytes::Bytes;
use cairn_client::{Delivery, Producer, TopicDescription};
use clap::Args;
use input::Input;
use record::LineParser;
use std::{ops::ControlFlow, path::PathBuf, time::Duration};
use tally::{Stop, Tally};

/// Deliveries that may be unsettled, so that empty lines cannot use up memory.
const UNSETTLED_MAX: usize = 256 * 1024;
/// Lines between two looks at what was acknowledged.
const SETTLE_EVERY_LINES: u64 = 256;
/// How long Ctrl-C waits for the answers to what was sent.
const INTERRUPTED_WAIT: Duration = Duration::from_secs(5);

/// What to send, and how.
#[derive(Debug, Args)]
pub(crate) struct ProduceArgs {
    /// The topic's name
    topic: String,
    /// The file to read; standard input if it is missing or -
    file: Option<PathBuf>,
    /// A line's key is what stands before the first C; a line without it is an error
    #[arg(long, value_name = "C", value_parser = delimiter)]
    key_delimiter: Option<Bytes>,
    /// A header of every record; may be repeated
    #[arg(long, value_name = "K=V", value_parser = key_value)]
    header: Vec<(String, String)>,
    /// A value that is this text is sent as null, which deletes the key in a compacted topic
    #[arg(long, value_name = "TEXT")]
    null_value: Option<String>,
    /// The partition [default: by the key's hash, or spread evenly]
    #[arg(long, value_name = "P")]
    partition: Option<u32>,
    #[command(flatten)]
    sending: SendingArgs,
    #[command(flatten)]
    batching: BatchingArgs,
}

fn delimiter(text: &str) -> Result<Bytes, String> {
    match escape::unescape(text) {
        Ok(bytes) if bytes.is_empty() => Err("the delimiter must not be empty".into()),
        Ok(bytes) => Ok(bytes.into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Sends the input's lines and says what became of them.
pub(crate) async fn run(args: &ProduceArgs, session: &Session) -> Result<(), Failure> {
    let started = Stopwatch::start();
    let topic = session.unless_interrupted(session.describe(&args.topic, args.partition)).await?;
    let line_bytes_max = line_bytes_max(&topic);
    let input = Input::open(args.file.as_deref(), line_bytes_max)?;
    let mut batching = args.batching;
    if input.is_interactive && batching.linger_ms.is_none() {
        batching.linger_ms = Some(0);
    }
    let producer = args.sending.producer(&session.client, batching).await?;
    let progress = input.shows_progress.then(|| Progress::bytes(input.size_bytes));
    let mut run = Run {
        producer,
        parser: LineParser::new(&args.topic)
            .key_delimiter(args.key_delimiter.clone())
            .null_value(args.null_value.as_deref())
            .headers(&args.header)
            .partition(args.partition),
        in_flight: InFlight::new(),
        tally: Tally::default(),
        line_bytes_max,
        progress,
    };
    let stop = tokio::select! {
        stop = run.pump(input) => stop,
        () = session.interrupt.pressed() => Stop::Interrupted,
    };
    let (stop, tally) = run.finish(stop, &session.interrupt).await;
    report(args, &stop, &tally, started.elapsed(), session.output)
}

/// The topic's limit bounds a whole batch, so a longer line can never be sent.
fn line_bytes_max(topic: &TopicDescription) -> usize {
    let configured = topic.configs.iter().find(|config| config.name == "max.message.bytes");
    configured.and_then(|config| config.value.parse().ok()).unwrap_or(16 * 1024 * 1024)
}

struct Run {
    producer: Producer,
    parser: LineParser,
    /// By line number.
    in_flight: InFlight<u64, Delivery>,
    tally: Tally,
    line_bytes_max: usize,
    progress: Option<Progress>,
}

impl Run {
    /// Sends until the input ends or something goes wrong.
    async fn pump(&mut self, mut input: Input) -> Stop {
        loop {
            let Self { in_flight, tally, .. } = self;
            // Whoever types or pipes slowly is told of a failure at once, not at the next line.
            let next = in_flight.meanwhile_unless(input.next_block(), |line, outcome| {
                tally.settle(line, outcome);
                if tally.is_all_well() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            let block = match next.await {
                ControlFlow::Continue(Ok(Some(block))) => block,
                ControlFlow::Continue(Ok(None)) => return Stop::End,
                ControlFlow::Continue(Err(error)) => return self.input_stop(error),
                ControlFlow::Break(()) => return Stop::Undelivered,
            };
            let block_bytes = block.len();
            if let Err(stop) = self.send_block(block).await {
                return stop;
            }
            if let Some(progress) = &self.progress {
                progress.advance(u64::try_from(block_bytes).unwrap_or(u64::MAX));
            }
        }
    }

    async fn send_block(&mut self, block: Bytes) -> Result<(), Stop> {
        for line in Lines::new(block, self.line_bytes_max) {
            let line = line.map_err(|error| self.input_stop(error))?;
            let number = self.tally.lines_sent + 1;
            let record = self.parser.record(line).map_err(|error| Stop::BadLine { number, error })?;
            let Self { in_flight, tally, producer, .. } = self;
            let sent =
                in_flight.meanwhile(producer.send(record), |line, outcome| tally.settle(line, outcome)).await;
            let delivery = sent.map_err(|error| Stop::NotSent { number, error })?;
            self.tally.lines_sent = number;
            self.in_flight.push(number, delivery);
            if number.is_multiple_of(SETTLE_EVERY_LINES) {
                self.settle().await?;
            }
        }
        self.settle().await
    }

    /// Settles what is answered, and waits where too much is not.
    async fn settle(&mut self) -> Result<(), Stop> {
        let Self { in_flight, tally, .. } = self;
        in_flight.settle_ready(|line, outcome| tally.settle(line, outcome)).await;
        in_flight.settle_down_to(UNSETTLED_MAX, |line, outcome| tally.settle(line, outcome)).await;
        if tally.is_all_well() { Ok(()) } else { Err(Stop::Undelivered) }
    }

    fn input_stop(&self, error: InputError) -> Stop {
        Stop::Input { number: self.tally.lines_sent + 1, error }
    }

    /// Waits for every answer; after Ctrl-C only for a while.
    async fn finish(mut self, mut stop: Stop, interrupt: &Interrupt) -> (Stop, Tally) {
        let Self { in_flight, tally, producer, .. } = &mut self;
        let mut settled = |line, outcome| tally.settle(line, outcome);
        if !matches!(stop, Stop::Interrupted) {
            tokio::select! {
                () = in_flight.meanwhile(producer.flush(), &mut settled) => {}
                () = interrupt.pressed() => stop = Stop::Interrupted,
            }
        }
        if matches!(stop, Stop::Interrupted) {
            // What is not answered by then resolves as unknown, or as never sent.
            let _ = in_flight.meanwhile(producer.close(INTERRUPTED_WAIT), &mut settled).await;
        }
        in_flight.settle_down_to(0, &mut settled).await;
        (stop, self.tally)
    }
}

fn report(
    args: &ProduceArgs,
    stop: &Stop,
    tally: &Tally,
    took: Duration,
    output: Output,
) -> Result<(), Failure> {
    if let Some(failure) = tally.failure(&args.topic, stop) {
        return Err(failure);
    }
    assert_eq!(tally.acknowledged, tally.lines_sent, "every line sent has one outcome");
    let (seconds, acknowledges) = (took.as_secs_f64(), args.sending.acks != AcksOption::None);
    let value = serde_json::json!({
        "topic": args.topic,
        "records": tally.lines_sent,
        "acknowledged": if acknowledges { tally.acknowledged } else { 0 },
        "seconds": seconds,
    });
    output.print(&value, || {
        let verb = if acknowledges { "acknowledged" } else { "sent, not acknowledged" };
        format!("{} {verb} in {seconds:.2} s\n", table::counted(tally.lines_sent, "record"))
    })
}
