//! `cairn bench end-to-end`: how long a record takes from its sender to a reader that waits at the end of the topic. Each
//! value begins with a stamp: the run's number, so that other writers do not disturb, and when the record was due.

use super::{
    LoadArgs, RECORD_BYTES_DEFAULT, RateArgs,
    payload::Payloads,
    report::{Latencies, Report},
    schedule::{Schedule, Ticker},
};
use crate::{
    failure::Failure,
    in_flight::InFlight,
    progress::Progress,
    sending::{AcksOption, BatchingArgs, CompressionOption, SendingArgs},
    session::Session,
    stopwatch::Stopwatch,
};
use bytes::{BufMut, Bytes, BytesMut};
use cairn_client::{
    ConsumeError, Consumer, Delivered, Delivery, ProduceError, Producer, Record, RecordRun, StartAt,
};
use clap::Args;
use std::{sync::Arc, time::Duration};

/// Bytes of the stamp in front of each value.
const STAMP_BYTES: usize = 16;
/// Records between two looks at what was acknowledged.
const SETTLE_EVERY: u64 = 64;
/// How long an acknowledged record may take to arrive before it counts as missing.
const ARRIVAL_WAIT: Duration = Duration::from_secs(30);

/// What to send and read back.
#[derive(Debug, Args)]
pub(crate) struct EndToEndBenchArgs {
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    rate: RateArgs,
}

/// Measures.
pub(super) async fn run(args: &EndToEndBenchArgs, session: &Session) -> Result<Report, Failure> {
    let (topic, records) = (&args.load.topic, args.load.records);
    session.describe(topic, None).await?;
    let reader = session.another_client().await?;
    let consumer = reader.consumer().assign_all(topic).from(StartAt::End).build().await?;
    let sending = SendingArgs { acks: AcksOption::All, compression: CompressionOption::None };
    let producer = sending.producer(&session.client, BatchingArgs::default()).await?;
    let (run_number, stopwatch) = (rand::random(), Stopwatch::start());
    let value_bytes = usize::try_from(RECORD_BYTES_DEFAULT).unwrap_or(usize::MAX);
    let sender = Sender {
        producer,
        topic: topic.as_str().into(),
        records,
        run_number,
        payloads: Payloads::new(value_bytes.saturating_sub(STAMP_BYTES), rand::random()),
        schedule: Schedule::share(args.rate.rate, 0, 1),
    };
    let (sent, all_sent) = tokio::sync::oneshot::channel();
    let sending = async {
        let outcome = sender.send_all(stopwatch).await;
        // The reader may have ended already.
        let _ = sent.send(());
        outcome
    };
    let mut arrivals = Arrivals { consumer, run_number, records, arrived: 0, latencies: Latencies::new() };
    tokio::try_join!(sending, arrivals.await_all(stopwatch, all_sent))?;
    let bytes = records.saturating_mul(RECORD_BYTES_DEFAULT.into());
    Ok(Report::new(records, bytes, stopwatch.elapsed(), &arrivals.latencies))
}

fn stamped(run_number: u64, due: Duration, rest: &[u8]) -> Bytes {
    let mut value = BytesMut::with_capacity(STAMP_BYTES + rest.len());
    value.put_u64(run_number);
    value.put_u64(u64::try_from(due.as_nanos()).unwrap_or(u64::MAX));
    value.put_slice(rest);
    value.freeze()
}

/// When a record of this run was due; `None` for somebody else's.
fn due_of(run_number: u64, value: &[u8]) -> Option<Duration> {
    let (stamp, _) = value.split_first_chunk::<STAMP_BYTES>()?;
    let [run, due] =
        [stamp.first_chunk::<8>()?, stamp.last_chunk::<8>()?].map(|part| u64::from_be_bytes(*part));
    (run == run_number).then(|| Duration::from_nanos(due))
}

struct Sender {
    producer: Producer,
    topic: Arc<str>,
    records: u64,
    run_number: u64,
    payloads: Payloads,
    schedule: Schedule,
}

impl Sender {
    async fn send_all(mut self, stopwatch: Stopwatch) -> Result<(), Failure> {
        let mut first_error: Option<ProduceError> = None;
        let mut settled = |(), outcome: Result<Delivered, ProduceError>| {
            if let Err(error) = outcome {
                first_error.get_or_insert(error);
            }
        };
        let mut in_flight: InFlight<(), Delivery> = InFlight::new();
        let ticker = Ticker::start_if(self.schedule.is_paced());
        for record in 0..self.records {
            let due = self.schedule.due(record);
            if let (Some(due), Some(ticker)) = (due, &ticker) {
                in_flight.meanwhile(ticker.wait_until(stopwatch, due), &mut settled).await;
            }
            let since = due.unwrap_or_else(|| stopwatch.elapsed());
            let value = stamped(self.run_number, since, &self.payloads.next_value());
            let send = self.producer.send(Record::to(Arc::clone(&self.topic)).value(value));
            let delivery = in_flight.meanwhile(send, &mut settled).await?;
            in_flight.push((), delivery);
            if (record + 1).is_multiple_of(SETTLE_EVERY) {
                in_flight.settle_ready(&mut settled).await;
                tokio::task::yield_now().await;
            }
        }
        in_flight.meanwhile(self.producer.flush(), &mut settled).await;
        in_flight.settle_down_to(0, &mut settled).await;
        first_error.map_or(Ok(()), |error| Err(error.into()))
    }
}

struct Arrivals {
    consumer: Consumer,
    run_number: u64,
    records: u64,
    arrived: u64,
    latencies: Latencies,
}

impl Arrivals {
    /// Waits for all records; once they are acknowledged no longer than it can take.
    async fn await_all(
        &mut self,
        stopwatch: Stopwatch,
        all_sent: tokio::sync::oneshot::Receiver<()>,
    ) -> Result<(), Failure> {
        let overdue = async {
            let _ = all_sent.await;
            tokio::time::sleep(ARRIVAL_WAIT).await;
        };
        tokio::pin!(overdue);
        let progress = Progress::records(self.records);
        while self.arrived < self.records {
            let run = tokio::select! {
                run = self.consumer.next_batch() => run.ok_or(ConsumeError::Closed)??,
                () = &mut overdue => return Err(self.missing()),
            };
            progress.advance(self.count(run, stopwatch.elapsed())?);
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn count(&mut self, run: RecordRun, now: Duration) -> Result<u64, ConsumeError> {
        let before = self.arrived;
        for record in run {
            let value = record?.value.unwrap_or_default();
            if let Some(due) = due_of(self.run_number, &value) {
                self.latencies.record(now.saturating_sub(due));
                self.arrived += 1;
            }
        }
        Ok(self.arrived - before)
    }

    fn missing(&self) -> Failure {
        let message = format!(
            "all {} records are acknowledged, but {} did not arrive within {} s",
            self.records,
            self.records - self.arrived,
            ARRIVAL_WAIT.as_secs()
        );
        Failure::failed(message).detail("arrived", self.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_and_others_are_not_mistaken_for_it() {
        let value = stamped(7, Duration::from_nanos(123), b"rest");
        assert_eq!(value.len(), STAMP_BYTES + 4);
        assert_eq!(due_of(7, &value), Some(Duration::from_nanos(123)));
        assert_eq!(due_of(8, &value), None);
        assert_eq!(due_of(7, &value[..15]), None);
        assert_eq!(due_of(7, b""), None);
    }
}
