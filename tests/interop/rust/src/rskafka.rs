//! The adapter of the crate `rskafka`, which knows partitions, and neither groups nor numbered batches.

use adapter::{Arguments, Record, records_to_produce, say, say_record};
use anyhow::{Context as _, Result, bail};
use rskafka::client::{
    Client, ClientBuilder,
    partition::{Compression, PartitionClient, UnknownTopicHandling},
};
use serde_json::{Map, json};
use std::collections::BTreeMap;

const TIMEOUT_MS: i32 = 30_000;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse()?;
    match arguments.command.as_str() {
        "about" => about(),
        "metadata" => metadata(&arguments).await,
        "create" => create(&arguments).await,
        "produce" => produce(&arguments).await,
        "consume" => consume(&arguments).await,
        "delete-topic" => delete_topic(&arguments).await,
        other => bail!("unknown command: {other}"),
    }
}

async fn connect(arguments: &Arguments) -> Result<Client> {
    Ok(ClientBuilder::new(vec![arguments.get("bootstrap")?.to_owned()]).build().await?)
}

fn about() -> Result<()> {
    let no_groups = "it knows no groups";
    let header_map = "its headers are a map from names to bytes";
    say(&json!({
        "client": "rskafka",
        // Stands in its manifest, and in ours.
        "version": "0.6.0",
        "language": "Rust",
        "cannot": {
            "produce idempotently": "it does not number its batches",
            "write null header values": header_map,
            "write repeated header names": header_map,
            "read null header values": "it refuses a batch that has one",
            "read repeated header names": header_map,
            "consume in a group of three": no_groups,
            "commit and continue": no_groups,
            "list groups": no_groups,
            "delete a group": no_groups,
        },
    }))
}

async fn metadata(arguments: &Arguments) -> Result<()> {
    let topics: Map<_, _> = connect(arguments)
        .await?
        .list_topics()
        .await?
        .into_iter()
        .map(|topic| (topic.name, topic.partitions.len().into()))
        .collect();
    // It does not tell which brokers it knows.
    say(&json!({ "brokers": null, "topics": topics }))
}

async fn create(arguments: &Arguments) -> Result<()> {
    let controller = connect(arguments).await?.controller_client()?;
    let (topic, partitions) = (arguments.get("topic")?, arguments.number("partitions")?);
    Ok(controller.create_topic(topic, partitions, 1, TIMEOUT_MS).await?)
}

async fn delete_topic(arguments: &Arguments) -> Result<()> {
    let controller = connect(arguments).await?.controller_client()?;
    Ok(controller.delete_topic(arguments.get("topic")?, TIMEOUT_MS).await?)
}

async fn partition(client: &Client, arguments: &Arguments, index: i32) -> Result<PartitionClient> {
    Ok(client.partition_client(arguments.get("topic")?, index, UnknownTopicHandling::Retry).await?)
}

fn compression(codec: &str) -> Result<Compression> {
    Ok(match codec {
        "none" => Compression::NoCompression,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        other => bail!("unknown codec: {other}"),
    })
}

async fn produce(arguments: &Arguments) -> Result<()> {
    let client = connect(arguments).await?;
    let compression = compression(arguments.get("codec")?)?;
    let mut batches: BTreeMap<i32, Vec<rskafka::record::Record>> = BTreeMap::new();
    for record in records_to_produce()? {
        let header =
            |(name, value): (String, Option<Vec<u8>>)| Ok((name, value.context("a null in a header")?));
        batches.entry(record.partition).or_default().push(rskafka::record::Record {
            key: record.key,
            value: record.value,
            headers: record.headers.into_iter().map(header).collect::<Result<_>>()?,
            timestamp: chrono::Utc::now(),
        });
    }
    for (index, records) in batches {
        partition(&client, arguments, index).await?.produce(records, compression).await?;
    }
    Ok(())
}

async fn consume(arguments: &Arguments) -> Result<()> {
    let client = connect(arguments).await?;
    let mut left = arguments.count()?;
    let mut readers = Vec::new();
    for index in 0..arguments.number("partitions")? {
        readers.push((partition(&client, arguments, index).await?, 0));
    }
    while left > 0 {
        for (reader, next) in &mut readers {
            let (records, high_watermark) = reader.fetch_records(*next, 1..1 << 20, 100).await?;
            for found in records {
                *next = found.offset + 1;
                if left > 0 {
                    left -= 1;
                    say_record(&converted(reader.partition(), found))?;
                }
            }
            anyhow::ensure!(
                *next <= high_watermark,
                "{next} lies beyond the high watermark {high_watermark}"
            );
        }
    }
    Ok(())
}

fn converted(partition: i32, found: rskafka::record::RecordAndOffset) -> Record {
    Record {
        partition,
        offset: found.offset,
        key: found.record.key,
        value: found.record.value,
        headers: found.record.headers.into_iter().map(|(name, value)| (name, Some(value))).collect(),
    }
}
