//! A broker that stands still for a while (SIGSTOP) is late, not wrong: the application waits, sees no error, and every
//! record is there once.

#![cfg(test)]

use anyhow::{Result, ensure};
use cairn_client::{Client, NewTopic};
use cairn_tests::{
    history::Recorder,
    load::{Load, LoadOptions},
    scene::{Scene, judge, stop_cleanly},
};
use rustix::process::Signal;
use std::time::Duration;

const TOPIC: &str = "paused";
const PAUSE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_stands_still_is_late_and_not_wrong() -> Result<()> {
    let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
    let broker = scene.broker().start()?;
    let client = Client::connect(broker.grpc_address()).await?;
    client.admin().create_topic(NewTopic::named(TOPIC).partitions(3)).await?;
    let recorder = Recorder::default();
    let load = Load::start(&client, &LoadOptions::to(TOPIC), &recorder).await?;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        broker.signal(Signal::STOP)?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let stopped = recorder.acknowledged();
        tokio::time::sleep(PAUSE).await;
        ensure!(recorder.acknowledged() == stopped, "a stopped broker acknowledged something");
        broker.signal(Signal::CONT)?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let report = load.stop().await?;
    ensure!(report.errors.is_empty(), "the application saw {:?}", report.errors.first());
    ensure!(report.slowest >= PAUSE / 2, "nobody noticed the pause: {:?}", report.slowest);
    judge(&client, TOPIC, &recorder).await?;
    tokio::task::block_in_place(|| stop_cleanly(broker))
}
