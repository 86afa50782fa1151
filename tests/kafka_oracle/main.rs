//! Apache Kafka as an oracle: the same requests, good and bad, go to a real Apache Kafka and to a real Cairn broker, and
//! what comes back must be the same, field by field, but for a list of differences that are wanted, each with its reason.
//! A difference that is not in the list fails the test; so does one in the list that no longer occurs.
//!
//! ```text
//! cases/*.rs ─► Side (Apache Kafka) ─► replies, normalised ─┐
//!          └──► Side (Cairn)        ─► replies, normalised ─┴► differences ── wanted.txt ─► none may be left
//!                                                                               └► docs/kafka-differences.md
//! ```
//!
//! Not compared: texts of errors, addresses, times, and ids that a broker makes up; ids are compared in so far as the same
//! one must come back in the same places.
//!
//! `CAIRN_KAFKA` names a program that runs Apache Kafka: `$CAIRN_KAFKA start --port P --set KEY=VALUE` prints the address
//! that it listens on, and keeps everything under the directory that `KAFKA_PEER_DIR` names.

#![cfg(test)]

mod cases;
mod comparison;
mod document;
mod peer;
mod reply;
mod side;
mod wanted;

use anyhow::{Context as _, Result, ensure};
use cairn_tests::scene::{Scene, stop_cleanly};
use cases::STOPPED;
use comparison::{differences, summary};
use peer::ApacheKafka;
use side::Side;

/// As the Apache Kafka here is set up: a group's first round is not held up, and the groups' topic is small.
const CAIRN_ARGUMENTS: [&str; 4] =
    ["--group-initial-rebalance-delay-ms", "0", "--offsets-topic-partitions", "8"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reply_is_that_of_apache_kafka_or_a_wanted_difference() -> Result<()> {
    let apache = tokio::task::block_in_place(ApacheKafka::start)?;
    let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
    let command =
        CAIRN_ARGUMENTS.iter().fold(scene.small_broker(), |command, argument| command.argument(*argument));
    let broker = tokio::task::block_in_place(|| command.start())?;

    let mut theirs = Side::open("Apache Kafka", apache.address()).await?;
    let mut ours = Side::open("Cairn", broker.kafka_address()).await?;
    let (asked_them, asked_us) = tokio::join!(cases::ask_all(&mut theirs), cases::ask_all(&mut ours));
    asked_them.context("asking Apache Kafka")?;
    asked_us.context("asking Cairn")?;

    let (theirs, ours) = (theirs.into_transcript(), ours.into_transcript());
    if let Ok(path) = std::env::var("KAFKA_ORACLE_TRANSCRIPTS") {
        std::fs::write(format!("{path}.apache"), side::as_text(&theirs))?;
        std::fs::write(format!("{path}.cairn"), side::as_text(&ours))?;
    }
    let stopped: Vec<_> = theirs.iter().chain(&ours).filter(|entry| entry.asked.ends_with(STOPPED)).collect();
    println!("{} replies of each side", theirs.len());
    ensure!(theirs.len() > 3000, "only {} replies", theirs.len());
    let found = differences(&theirs, &ours);
    let judged = wanted::judge(&found, &wanted::list()?);
    ensure!(
        judged.unwanted.is_empty() && judged.stale.is_empty() && stopped.is_empty(),
        "scenes that could not go on: {stopped:#?}\n{} differences are not wanted:\n{}\nwanted differences that do not occur: {:#?}",
        judged.unwanted.len(),
        summary(&judged.unwanted),
        judged.stale,
    );
    tokio::task::block_in_place(|| stop_cleanly(broker))
}

/// The committed document is the one that follows from the list.
#[test]
fn the_document_says_what_the_list_says() -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/kafka-differences.md");
    let generated = document::generate(&wanted::list()?);
    if std::env::var_os("KAFKA_ORACLE_WRITE").is_some() {
        std::fs::write(path, &generated)?;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    ensure!(
        committed == generated,
        "docs/kafka-differences.md is not what follows from the list: run this test with KAFKA_ORACLE_WRITE=1, and commit it"
    );
    Ok(())
}
