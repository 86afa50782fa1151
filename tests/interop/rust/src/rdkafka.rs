//! The adapter of the crate `rdkafka`, with the librdkafka that it builds.

use adapter::{
    Arguments, HEARTBEAT_INTERVAL_MS, Record, SESSION_TIMEOUT_MS, end_of_input, records_to_produce, say,
    say_record,
};
use anyhow::{Context as _, Result, bail};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Header, Headers as _, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};
use serde_json::{Map, json};
use std::{sync::atomic::Ordering, time::Duration};

const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse()?;
    match arguments.command.as_str() {
        "about" => about(),
        "metadata" => metadata(&arguments),
        "create" => create(&arguments).await,
        "produce" => produce(&arguments).await,
        "consume" => consume(&arguments),
        "group" => group(&arguments),
        "groups" => groups(&arguments),
        "delete-group" => delete_group(&arguments).await,
        "delete-topic" => delete_topic(&arguments).await,
        other => bail!("unknown command: {other}"),
    }
}

fn configuration(arguments: &Arguments) -> Result<ClientConfig> {
    let mut configuration = ClientConfig::new();
    configuration.set("bootstrap.servers", arguments.get("bootstrap")?);
    Ok(configuration)
}

fn about() -> Result<()> {
    // The crate says the version of librdkafka only; its own stands in its manifest and in ours.
    let version = format!("0.39.0 (librdkafka {})", rdkafka::util::get_rdkafka_version().1);
    say(&json!({ "client": "rdkafka", "version": version, "language": "Rust", "cannot": {} }))
}

fn metadata(arguments: &Arguments) -> Result<()> {
    let consumer: BaseConsumer = configuration(arguments)?.create()?;
    let found = consumer.fetch_metadata(None, TIMEOUT)?;
    let topics: Map<_, _> = found
        .topics()
        .iter()
        .map(|topic| (topic.name().to_owned(), topic.partitions().len().into()))
        .collect();
    say(&json!({ "brokers": found.brokers().len(), "topics": topics }))
}

fn admin(arguments: &Arguments) -> Result<AdminClient<DefaultClientContext>> {
    Ok(configuration(arguments)?.create()?)
}

/// The outcome for the one thing that was asked for.
fn only<T, N: std::fmt::Debug>(outcomes: Vec<std::result::Result<T, (N, RDKafkaErrorCode)>>) -> Result<()> {
    match outcomes.into_iter().next().context("an outcome")? {
        Ok(_) => Ok(()),
        Err((name, code)) => bail!("{name:?}: {code}"),
    }
}

async fn create(arguments: &Arguments) -> Result<()> {
    let topic =
        NewTopic::new(arguments.get("topic")?, arguments.number("partitions")?, TopicReplication::Fixed(-1));
    only(admin(arguments)?.create_topics([&topic], &AdminOptions::new()).await?)
}

async fn delete_topic(arguments: &Arguments) -> Result<()> {
    only(admin(arguments)?.delete_topics(&[arguments.get("topic")?], &AdminOptions::new()).await?)
}

async fn delete_group(arguments: &Arguments) -> Result<()> {
    only(admin(arguments)?.delete_groups(&[arguments.get("group")?], &AdminOptions::new()).await?)
}

fn groups(arguments: &Arguments) -> Result<()> {
    let consumer: BaseConsumer = configuration(arguments)?.create()?;
    let found = consumer.fetch_group_list(None, TIMEOUT)?;
    let names: Vec<_> = found.groups().iter().map(|group| group.name()).collect();
    say(&json!({ "groups": names }))
}

async fn produce(arguments: &Arguments) -> Result<()> {
    let producer: FutureProducer = configuration(arguments)?
        .set("compression.type", arguments.get("codec")?)
        .set("enable.idempotence", arguments.get("idempotent")?)
        .set("linger.ms", "50")
        .create()?;
    let records = records_to_produce()?;
    let mut deliveries = Vec::new();
    for record in &records {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: value.as_deref() });
        }
        let mut sent = FutureRecord::<[u8], [u8]>::to(arguments.get("topic")?)
            .partition(record.partition)
            .headers(headers);
        sent.key = record.key.as_deref();
        sent.payload = record.value.as_deref();
        deliveries.push(producer.send_result(sent).map_err(|(error, _)| error)?);
    }
    for delivery in deliveries {
        delivery.await?.map_err(|(error, _)| error)?;
    }
    Ok(())
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
    });
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}

fn consume(arguments: &Arguments) -> Result<()> {
    let consumer: BaseConsumer =
        configuration(arguments)?.set("group.id", "unused").set("enable.auto.commit", "false").create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..arguments.number("partitions")? {
        assignment.add_partition_offset(arguments.get("topic")?, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut left = arguments.count()?;
    while left > 0 {
        if let Some(message) = consumer.poll(POLL) {
            say_record(&record(&message?))?;
            left -= 1;
        }
    }
    Ok(())
}

fn group(arguments: &Arguments) -> Result<()> {
    let ended = end_of_input();
    let consumer: BaseConsumer = configuration(arguments)?
        .set("group.id", arguments.get("group")?)
        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
        .set("heartbeat.interval.ms", HEARTBEAT_INTERVAL_MS)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[arguments.get("topic")?])?;
    let mut left = arguments.count()?;
    while left > 0 && !ended.load(Ordering::Acquire) {
        let Some(message) = consumer.poll(Timeout::After(POLL)) else { continue };
        let message = message?;
        say_record(&record(&message))?;
        match consumer.commit_message(&message, CommitMode::Sync) {
            Err(KafkaError::ConsumerCommit(code)) if rebalances(code) => {}
            outcome => outcome?,
        }
        left -= 1;
    }
    Ok(())
}

/// Whether a commit failed because the group rebalances: whoever has the partition next reads the record again.
fn rebalances(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{AssignmentLost, IllegalGeneration, RebalanceInProgress, UnknownMemberId};
    matches!(code, IllegalGeneration | RebalanceInProgress | UnknownMemberId | AssignmentLost)
}
