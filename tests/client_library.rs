//! The client library against the real broker: consumers that go on over a restart, seek and pause, and producers whose
//! broker stands still, or goes and comes back, with batches in flight. (What the library does when a broker misbehaves is
//! tested beside it, against a fake one.)

#![cfg(test)]

use anyhow::{Context as _, Result, bail, ensure};
use cairn_client::{Client, Consumer, NewTopic, ProduceError, Producer, Record, StartAt};
use cairn_tests::scene::{Scene, stop_cleanly};
use rustix::process::Signal;
use std::time::{Duration, Instant};

const TOPIC: &str = "library";
const WITHIN: Duration = Duration::from_secs(30);
/// No record comes for so long where none may come.
const QUIET: Duration = Duration::from_millis(300);
/// Records carry times of today: retention by age is on by default.
const SECOND_MS: i64 = 1000;

fn scene() -> Result<Scene> {
    Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))
}

async fn next(consumer: &mut Consumer) -> Result<(u32, i64, String)> {
    let next =
        tokio::time::timeout(WITHIN, consumer.next_record()).await.context("the consumer stands still")?;
    let record = next.context("the client is closed")??;
    let value = String::from_utf8(record.value.context("a value")?.to_vec())?;
    Ok((record.partition, record.offset, value))
}

/// The records `from..to` of partition 0, one after the other.
async fn expect(consumer: &mut Consumer, from: i64, to: i64) -> Result<()> {
    for number in from..to {
        let (partition, offset, value) = next(consumer).await?;
        ensure!(
            partition == 0 && offset == number && value == number.to_string(),
            "{partition} {offset} {value:?}"
        );
    }
    Ok(())
}

async fn expect_silence(consumer: &mut Consumer) -> Result<()> {
    match tokio::time::timeout(QUIET, consumer.next_record()).await {
        Err(_silent) => Ok(()),
        Ok(record) => bail!("{record:?} came"),
    }
}

/// Sends the numbers to partition 0, each with its time, and waits for none of them.
async fn send(producer: &Producer, from: i64, to: i64, base_ms: i64) -> Result<Vec<cairn_client::Delivery>> {
    let mut deliveries = Vec::new();
    for number in from..to {
        let record = Record::to(TOPIC).partition(0).value(number.to_string());
        deliveries.push(producer.send(record.timestamp_ms(base_ms + number * SECOND_MS)).await?);
    }
    Ok(deliveries)
}

fn hours_ago_ms() -> Result<i64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_millis())? - 10_000 * SECOND_MS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_seeks_pauses_and_goes_on_over_restarts() -> Result<()> {
    let scene = scene()?;
    let command = scene.small_broker();
    let mut broker = tokio::task::block_in_place(|| command.start())?;
    let address = broker.grpc_address().to_owned();
    let client = Client::connect(&address).await?;
    client.admin().create_topic(NewTopic::named(TOPIC).partitions(2)).await?;
    // Small batches without a wait: several are in flight at any time, also when the broker goes.
    let producer = client.producer().linger(Duration::ZERO).batch_bytes(256).build().await?;
    let base_ms = hours_ago_ms()?;
    let sent = send(&producer, 0, 100, base_ms).await?;
    let mut consumer = client.consumer().assign_all(TOPIC).from(StartAt::Beginning).build().await?;
    expect(&mut consumer, 0, 40).await?;

    for round in 0..2 {
        // Once as a crash, once in order; both in the middle of a stream, with records in flight.
        let in_flight = send(&producer, 100 + round * 100, 200 + round * 100, base_ms).await?;
        broker = tokio::task::block_in_place(|| {
            if round == 0 {
                broker.kill()?
            } else {
                stop_cleanly(broker)?
            }
            command.start_at(&address)
        })?;
        for (delivery, number) in in_flight.into_iter().zip(100 + round * 100..) {
            ensure!(delivery.await?.offset == number, "record {number} stands elsewhere");
        }
        expect(&mut consumer, 40 + round * 100, 140 + round * 100).await?;
    }
    for delivery in sent {
        delivery.await?;
    }
    expect(&mut consumer, 240, 300).await?;
    expect_silence(&mut consumer).await?;

    consumer.seek(TOPIC, 0, StartAt::Timestamp(base_ms + 170 * SECOND_MS - 1)).await?;
    expect(&mut consumer, 170, 180).await?;
    consumer.seek(TOPIC, 0, StartAt::Timestamp(base_ms + 100_000_000)).await?;
    expect_silence(&mut consumer).await?;
    consumer.seek(TOPIC, 0, StartAt::Offset(299)).await?;
    expect(&mut consumer, 299, 300).await?;

    consumer.pause(TOPIC, 0)?;
    for delivery in send(&producer, 300, 400, base_ms).await? {
        delivery.await?;
    }
    expect_silence(&mut consumer).await?;
    // The other partition goes on.
    producer.send(Record::to(TOPIC).partition(1).value("other")).await?.await?;
    ensure!(next(&mut consumer).await? == (1, 0, "other".into()), "the other partition");
    broker = tokio::task::block_in_place(|| {
        broker.kill()?;
        command.start_at(&address)
    })?;
    expect_silence(&mut consumer).await?;
    consumer.resume(TOPIC, 0)?;
    expect(&mut consumer, 300, 400).await?;
    producer.close(WITHIN).await?;
    tokio::task::block_in_place(|| stop_cleanly(broker))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_whose_broker_stands_still_ends_in_time_and_says_what_it_does_not_know() -> Result<()> {
    let scene = scene()?;
    let broker = tokio::task::block_in_place(|| scene.small_broker().start())?;
    let client = Client::connect(broker.grpc_address()).await?;
    client.admin().create_topic(NewTopic::named(TOPIC)).await?;
    let build = || client.producer().linger(Duration::ZERO).build();
    let (dropped, closed) = (build().await?, build().await?);
    let base_ms = hours_ago_ms()?;
    for (producer, number) in [(&dropped, 0), (&closed, 1)] {
        for delivery in send(producer, number, number + 1, base_ms).await? {
            delivery.await?;
        }
    }
    broker.signal(Signal::STOP)?;
    // Its threads stop one by one.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let pending = send(&dropped, 2, 3, base_ms).await?;
    let waiting = send(&closed, 3, 4, base_ms).await?;
    // Long enough to be sent, so that the outcome is not "never sent".
    tokio::time::sleep(Duration::from_millis(500)).await;

    let begun = Instant::now();
    drop(dropped);
    // It would wait for the broker, which stands still, until its delivery timeout.
    ensure!(begun.elapsed() < Duration::from_secs(2), "the drop took {:?}", begun.elapsed());
    for delivery in pending {
        let outcome = tokio::time::timeout(Duration::from_secs(10), delivery).await.context("no outcome")?;
        ensure!(matches!(outcome, Err(ProduceError::OutcomeUnknown { .. })), "{outcome:?}");
    }
    let begun = Instant::now();
    let result = closed.close(Duration::from_millis(700)).await;
    ensure!(result.is_err(), "a close with a record that nobody acknowledged: {result:?}");
    ensure!(begun.elapsed() < Duration::from_secs(5), "the close took {:?}", begun.elapsed());
    for delivery in waiting {
        let outcome = tokio::time::timeout(Duration::from_secs(10), delivery).await.context("no outcome")?;
        ensure!(matches!(outcome, Err(ProduceError::OutcomeUnknown { .. })), "{outcome:?}");
    }
    broker.signal(Signal::CONT)?;
    tokio::task::block_in_place(|| stop_cleanly(broker))
}
