//! Whatever a client sends: a proper error or a closed connection, in bounded time and memory, nothing appended, and a
//! well-behaved client on another connection notices nothing.

#![cfg(test)]

#[path = "bad_input/batches.rs"]
mod batches;
#[path = "bad_input/connections.rs"]
mod connections;
#[path = "bad_input/floods.rs"]
mod floods;
#[path = "bad_input/groups.rs"]
mod groups;
#[path = "bad_input/idle.rs"]
mod idle;
#[path = "bad_input/limits.rs"]
mod limits;
#[path = "bad_input/requests.rs"]
mod requests;

use anyhow::Result;
use bytes::Bytes;
use cairn_client::{Client, NewTopic};
use cairn_tests::{
    process::BrokerProcess,
    scene::{Scene, stop_cleanly},
    wire,
    witness::Witness,
};
use tonic::transport::Channel;

const TOPIC: &str = "target";

/// A broker with a topic to attack, and somebody who watches.
struct Attack {
    scene: Scene,
    broker: BrokerProcess,
    witness: Witness,
    channel: Channel,
    topic_id: Bytes,
}

impl Attack {
    async fn begin() -> Result<Self> {
        Self::begin_with(&[]).await
    }

    async fn begin_with(arguments: &[&str]) -> Result<Self> {
        let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
        let command = scene.small_broker().argument("--handshake-timeout-ms").argument("1000");
        let command = arguments.iter().fold(command, |command, argument| command.argument(*argument));
        let broker = tokio::task::block_in_place(|| command.start())?;
        let client = Client::connect(broker.grpc_address()).await?;
        client.admin().create_topic(NewTopic::named(TOPIC).partitions(2)).await?;
        let witness = Witness::start(broker.grpc_address(), broker.id()).await?;
        let channel = wire::channel(broker.grpc_address()).await?;
        let topic_id = wire::topic_id(&channel, TOPIC).await?;
        Ok(Self { scene, broker, witness, channel, topic_id })
    }

    fn address(&self) -> &str {
        self.broker.grpc_address()
    }

    async fn end(self) -> Result<()> {
        let Self { scene, broker, witness, channel, .. } = self;
        drop(channel);
        let observed = witness.finish().await?;
        println!("the witness: {observed:?}");
        tokio::task::block_in_place(|| {
            stop_cleanly(broker)?;
            scene.verify_clean()
        })
    }
}
