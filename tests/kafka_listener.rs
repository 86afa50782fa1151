//! The Kafka listener of the real broker, asked by a client that says exactly what a test wants it to say.

#![cfg(test)]

#[path = "kafka_listener/bad_input.rs"]
mod bad_input;
#[path = "kafka_listener/compaction.rs"]
mod compaction;
#[path = "kafka_listener/configs.rs"]
mod configs;
#[path = "kafka_listener/consuming.rs"]
mod consuming;
#[path = "kafka_listener/discovery.rs"]
mod discovery;
#[path = "kafka_listener/groups.rs"]
mod groups;
#[path = "kafka_listener/idle.rs"]
mod idle;
#[path = "kafka_listener/partitions.rs"]
mod partitions;
#[path = "kafka_listener/poison.rs"]
mod poison;
#[path = "kafka_listener/producing.rs"]
mod producing;
#[path = "kafka_listener/topics.rs"]
mod topics;
#[path = "kafka_listener/traps.rs"]
mod traps;

use anyhow::Result;
use bytes::Bytes;
use cairn_proto::record::{BatchOptions, Compression};
use cairn_tests::{
    kafka::KafkaConnection,
    process::BrokerProcess,
    scene::{Scene, stop_cleanly},
    wire,
};

/// A broker, and a Kafka client of it.
struct Served {
    scene: Scene,
    broker: BrokerProcess,
    kafka: KafkaConnection,
}

impl Served {
    async fn begin() -> Result<Self> {
        Self::begin_with(&[]).await
    }

    async fn begin_with(arguments: &[&str]) -> Result<Self> {
        let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
        let command = scene.small_broker();
        let command = arguments.iter().fold(command, |command, argument| command.argument(*argument));
        let broker = tokio::task::block_in_place(|| command.start())?;
        let kafka = KafkaConnection::open(broker.kafka_address()).await?;
        Ok(Self { scene, broker, kafka })
    }

    /// One more connection.
    async fn another(&self) -> Result<KafkaConnection> {
        KafkaConnection::open(self.broker.kafka_address()).await
    }

    async fn end(self) -> Result<()> {
        let Self { scene, broker, kafka } = self;
        drop(kafka);
        tokio::task::block_in_place(|| {
            stop_cleanly(broker)?;
            scene.verify_clean()
        })
    }
}

/// A batch of these values.
fn batch(values: &[&[u8]]) -> Result<Bytes> {
    Ok(wire::batch(BatchOptions::default(), values)?.into())
}

fn compressed(compression: Compression, values: &[&[u8]]) -> Result<Bytes> {
    Ok(wire::batch(BatchOptions { compression, ..BatchOptions::default() }, values)?.into())
}
