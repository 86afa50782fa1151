//! `kill -9` again and again under load by the real client: every acknowledged record is there exactly once and in
//! order, and the application has seen no error. Some kills hit a broker that is still recovering.

#![cfg(test)]

use anyhow::{Result, ensure};
use cairn_client::{Client, NewTopic};
use cairn_tests::{
    history::Recorder,
    load::{Load, LoadOptions, one_partition_per_key},
    scene::{Scene, judge, stop_cleanly},
    seed,
};
use rand::Rng as _;
use std::{thread::sleep, time::Duration};

const CYCLES: usize = 50;
const TOPIC: &str = "killed";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_record_outlives_fifty_kills() -> Result<()> {
    let mut random = seed::random("kill_nine");
    let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
    let command = scene.small_broker();
    let mut broker = command.start()?;
    let address = broker.grpc_address().to_owned();
    let client = Client::connect(&address).await?;
    let topic = NewTopic::named(TOPIC).partitions(4).config("segment.bytes", "1048576");
    client.admin().create_topic(topic).await?;
    let recorder = Recorder::default();
    let options = LoadOptions::to(TOPIC);
    let load = Load::start(&client, &options, &recorder).await?;

    let mut cycles_with_progress = 0;
    let mut slowest_start = Duration::ZERO;
    for cycle in 0..CYCLES {
        let before = recorder.acknowledged();
        tokio::time::sleep(Duration::from_millis(random.random_range(20..2000))).await;
        cycles_with_progress += usize::from(recorder.acknowledged() > before);
        broker = tokio::task::block_in_place(|| {
            broker.kill()?;
            if cycle % 5 == 4 {
                command.start_and_kill_after(&address, Duration::from_millis(random.random_range(1..60)))?;
            }
            sleep(Duration::from_millis(random.random_range(0..50)));
            command.start_at(&address)
        })?;
        slowest_start = slowest_start.max(broker.ready_after());
    }
    let report = load.stop().await?;
    println!(
        "{} records acknowledged over {CYCLES} kills; slowest answer {:?}, slowest start {slowest_start:?}",
        report.acknowledged, report.slowest
    );
    ensure!(report.errors.is_empty(), "the application saw {:?}", report.errors.first());
    ensure!(cycles_with_progress > CYCLES / 2, "only {cycles_with_progress} cycles saw an acknowledgement");
    one_partition_per_key(&recorder, options.keys)?;
    judge(&client, TOPIC, &recorder).await?;
    tokio::task::block_in_place(|| {
        stop_cleanly(broker)?;
        scene.verify_clean()
    })
}
