//! `cairn bench produce`: how many records a second are acknowledged, and how long each waits for it.

use super::{
    ConnectionArgs, LoadArgs, RECORD_BYTES_DEFAULT, RateArgs,
    payload::Payloads,
    report::{Latencies, Report},
    schedule::{Schedule, Ticker},
};
use crate::{
    failure::Failure,
    in_flight::InFlight,
    progress::Progress,
    sending::{BatchingArgs, SendingArgs},
    session::Session,
    stopwatch::Stopwatch,
};
use cairn_client::{Delivered, Delivery, ProduceError, Producer, Record};
use clap::Args;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Records between two looks at what was acknowledged.
const SETTLE_EVERY: u64 = 64;
/// With fewer records in all, each is timed.
const TIMED_ALL_BELOW: u64 = 100_000;
/// Otherwise, and without a rate, one in so many is, because reading the clock for each would be measured too.
const TIMED_ONE_IN: u64 = 16;

/// What to send.
#[derive(Debug, Args)]
pub(crate) struct ProduceBenchArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// Bytes of each record's value, random ones
    #[arg(long, value_name = "BYTES", default_value_t = RECORD_BYTES_DEFAULT, value_parser = clap::value_parser!(u32).range(..=16_777_216))]
    record_size: u32,
    #[command(flatten)]
    rate: RateArgs,
    #[command(flatten)]
    sending: SendingArgs,
    #[command(flatten)]
    connections: ConnectionArgs,
}

/// Measures.
pub(super) async fn run(args: &ProduceBenchArgs, session: &Session) -> Result<Report, Failure> {
    session.describe(&args.load.topic, None).await?;
    let (records, connections) = (args.load.records, args.connections.connections);
    let rate = args.rate.rate;
    let value_bytes = usize::try_from(args.record_size).unwrap_or(usize::MAX);
    let payloads = Payloads::new(value_bytes, rand::random());
    let progress = Arc::new(Progress::records(records));
    let (mut clients, mut senders) = (Vec::new(), Vec::new());
    for index in 0..connections {
        let client = if index == 0 { session.client.clone() } else { session.another_client().await? };
        senders.push(Sender {
            producer: args.sending.producer(&client, BatchingArgs::default()).await?,
            topic: args.load.topic.as_str().into(),
            records: share(records, index, connections),
            payloads: payloads.starting_at(usize::try_from(index).unwrap_or(0)),
            schedule: Schedule::share(rate, index, connections),
            timed_one_in: if rate.is_some() || records < TIMED_ALL_BELOW { 1 } else { TIMED_ONE_IN },
            progress: Arc::clone(&progress),
        });
        // A connection ends with its client.
        clients.push(client);
    }
    let stopwatch = Stopwatch::start();
    let mut tasks = JoinSet::new();
    for sender in senders {
        tasks.spawn(sender.send_all(stopwatch));
    }
    let mut outcomes = Outcomes::new();
    while let Some(joined) = tasks.join_next().await {
        outcomes.add(joined.map_err(|error| Failure::failed(error.to_string()))?);
    }
    let took = stopwatch.elapsed();
    outcomes.check(records)?;
    Ok(Report::new(records, records.saturating_mul(args.record_size.into()), took, &outcomes.latencies))
}

/// How many of all records this connection sends.
fn share(records: u64, index: u64, connections: u64) -> u64 {
    records / connections + u64::from(index < records % connections)
}

/// What became of the records.
#[derive(Debug)]
pub(super) struct Outcomes {
    acknowledged: u64,
    refused: u64,
    first_error: Option<ProduceError>,
    latencies: Latencies,
}

impl Outcomes {
    pub(super) fn new() -> Self {
        Self { acknowledged: 0, refused: 0, first_error: None, latencies: Latencies::new() }
    }

    fn settle(
        &mut self,
        since: Option<Duration>,
        outcome: Result<Delivered, ProduceError>,
        stopwatch: Stopwatch,
    ) {
        match outcome {
            Ok(_) => {
                self.acknowledged += 1;
                if let Some(since) = since {
                    self.latencies.record(stopwatch.elapsed().saturating_sub(since));
                }
            }
            Err(error) => self.refuse(error),
        }
    }

    fn refuse(&mut self, error: ProduceError) {
        self.refused += 1;
        self.first_error.get_or_insert(error);
    }

    fn add(&mut self, other: Outcomes) {
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.latencies.add(&other.latencies);
        self.first_error = self.first_error.take().or(other.first_error);
    }

    /// A measurement with failed records is none.
    pub(super) fn check(&mut self, records: u64) -> Result<(), Failure> {
        if let Some(error) = self.first_error.take() {
            let failure = Failure::from(error);
            let message = format!(
                "{} of {records} records are acknowledged; then: {}",
                self.acknowledged, failure.message
            );
            let failure = Failure { message, ..failure };
            return Err(failure.detail("acknowledged", self.acknowledged).detail("refused", self.refused));
        }
        assert_eq!(self.acknowledged, records, "every record has one outcome");
        Ok(())
    }
}

/// One connection's work.
struct Sender {
    producer: Producer,
    topic: Arc<str>,
    records: u64,
    payloads: Payloads,
    schedule: Schedule,
    timed_one_in: u64,
    progress: Arc<Progress>,
}

impl Sender {
    async fn send_all(mut self, stopwatch: Stopwatch) -> Outcomes {
        let mut outcomes = Outcomes::new();
        let mut in_flight: InFlight<Option<Duration>, Delivery> = InFlight::new();
        let ticker = Ticker::start_if(self.schedule.is_paced());
        for record in 0..self.records {
            let mut settled = |since, outcome| outcomes.settle(since, outcome, stopwatch);
            let due = self.schedule.due(record);
            if let (Some(due), Some(ticker)) = (due, &ticker) {
                in_flight.meanwhile(ticker.wait_until(stopwatch, due), &mut settled).await;
            }
            let is_timed = record.is_multiple_of(self.timed_one_in);
            let since = is_timed.then(|| due.unwrap_or_else(|| stopwatch.elapsed()));
            let value = Record::to(Arc::clone(&self.topic)).value(self.payloads.next_value());
            match in_flight.meanwhile(self.producer.send(value), &mut settled).await {
                Ok(delivery) => in_flight.push(since, delivery),
                Err(error) => {
                    outcomes.refuse(error);
                    break;
                }
            }
            if (record + 1).is_multiple_of(SETTLE_EVERY) {
                in_flight.settle_ready(&mut settled).await;
                self.progress.advance(SETTLE_EVERY);
                if outcomes.refused > 0 {
                    break;
                }
                // The connection's own tasks may wait for this thread.
                tokio::task::yield_now().await;
            }
        }
        let mut settled = |since, outcome| outcomes.settle(since, outcome, stopwatch);
        in_flight.meanwhile(self.producer.flush(), &mut settled).await;
        in_flight.settle_down_to(0, &mut settled).await;
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_all_records() {
        for (records, connections) in [(10, 3), (2, 5), (1_000_000, 16)] {
            let shares: Vec<u64> = (0..connections).map(|index| share(records, index, connections)).collect();
            assert_eq!(shares.iter().sum::<u64>(), records);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn one_refused_record_spoils_the_measurement() {
        let stopwatch = Stopwatch::start();
        let delivered = Delivered { topic: "t".into(), partition: 0, offset: 0, timestamp_ms: 0 };
        let mut outcomes = Outcomes::new();
        outcomes.settle(Some(Duration::ZERO), Ok(delivered), stopwatch);
        assert!(outcomes.check(1).is_ok());
        outcomes.settle(None, Err(ProduceError::Closed), stopwatch);
        let failure = outcomes.check(2).unwrap_err();
        assert!(
            failure.message.starts_with("1 of 2 records are acknowledged; then: "),
            "{}",
            failure.message
        );
        assert_eq!(failure.details["refused"], 1);
    }
}
