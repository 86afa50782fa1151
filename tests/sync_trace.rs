//! A `kill -9` cannot show a missing sync, because the kernel keeps what was written. So the system calls of the real
//! broker are traced under load: no acknowledgement leaves before the completed sync that covers it. The same test is
//! shown failing on a broker that skips its syncs.

#![cfg(test)]

use anyhow::{Context as _, Result, ensure};
use cairn_client::{Client, NewTopic};
use cairn_proto::{
    record::BatchOptions,
    v1::{ErrorCode, ProduceRequest, log_client::LogClient},
};
use cairn_tests::{
    process::BrokerCommand,
    scene::{ENDS_WITHIN, Scene},
    system_calls::{Finding, MARKED_REQUEST, judge, marker, parse, strace},
    wire,
};
use rustix::process::Signal;
use std::{collections::BTreeMap, fs};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

const REQUESTS: u64 = 400;
const PARTITIONS: u32 = 4;
/// Requests in flight, so that groups form and replies come while further syncs run.
const IN_FLIGHT: usize = 8;

fn scene() -> Result<Scene> {
    Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))
}

/// The finding for each acknowledgement of a traced broker.
async fn trace(scene: &Scene, command: BrokerCommand) -> Result<BTreeMap<u64, Finding>> {
    let output = scene.path().join("trace");
    let command = command.wrapped_in(strace(&output));
    let broker = tokio::task::block_in_place(|| command.start()).context("is strace there?")?;
    let client = Client::connect(broker.grpc_address()).await?;
    client.admin().create_topic(NewTopic::named("traced").partitions(PARTITIONS)).await?;
    send_marked(broker.grpc_address()).await?;
    client.close().await;
    tokio::task::block_in_place(|| broker.stop(Signal::TERM, ENDS_WITHIN))?;
    let text = tokio::task::block_in_place(|| finished_trace(&output))?;
    Ok(judge(&parse(&text)))
}

/// The tracer ends after the broker does; its last line tells of that.
fn finished_trace(path: &std::path::Path) -> Result<String> {
    for _ in 0..200 {
        let text = fs::read_to_string(path)?;
        if text.trim_end().ends_with("+++ exited with 0 +++") {
            return Ok(text);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    anyhow::bail!("the trace has no end")
}

async fn send_marked(address: &str) -> Result<()> {
    let channel = wire::channel(address).await?;
    let topic_id = wire::topic_id(&channel, "traced").await?;
    let (sender, requests) = tokio::sync::mpsc::channel(IN_FLIGHT);
    let own = wire::channel(address).await?;
    let sending = async {
        for number in 0..REQUESTS {
            let request_id = MARKED_REQUEST + number;
            let batch = wire::batch(BatchOptions::default(), &[marker(request_id).as_bytes()])?;
            let request = wire::produce_request(request_id, topic_id.clone(), batch.into());
            let partition = u32::try_from(number)? % PARTITIONS;
            sender.send(ProduceRequest { partition, ..request }).await?;
            if number % 50 == 49 {
                // Now and then the journal is idle, so that single groups are seen too.
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            }
        }
        drop(sender);
        Ok::<_, anyhow::Error>(())
    };
    let receiving = async {
        let mut replies = LogClient::new(own).produce(ReceiverStream::new(requests)).await?.into_inner();
        let mut count = 0;
        while let Some(reply) = replies.next().await {
            ensure!(reply?.error() == ErrorCode::None, "a request failed");
            count += 1;
        }
        ensure!(count == REQUESTS, "{count} replies to {REQUESTS} requests");
        Ok(())
    };
    let (sent, received) = tokio::join!(sending, receiving);
    sent.and(received)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledgement_leaves_before_its_sync() -> Result<()> {
    let scene = scene()?;
    let findings = trace(&scene, scene.small_broker()).await?;
    ensure!(findings.len() as u64 == REQUESTS, "only {} acknowledgements are in the trace", findings.len());
    let bad: Vec<_> = findings.iter().filter(|(_, finding)| **finding != Finding::Covered).take(5).collect();
    ensure!(bad.is_empty(), "acknowledged before their sync: {bad:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_skips_its_syncs_is_found() -> Result<()> {
    let scene = scene()?;
    let buggy = scene.small_broker().environment("CAIRN_PLANTED_BUG", "skip-sync");
    let findings = trace(&scene, buggy.expecting_complaint("PLANTED BUG")).await?;
    ensure!(findings.len() as u64 == REQUESTS, "only {} acknowledgements are in the trace", findings.len());
    let found = findings.values().filter(|finding| **finding == Finding::BeforeItsSync).count() as u64;
    ensure!(found == REQUESTS, "only {found} of {REQUESTS} are found");
    Ok(())
}
