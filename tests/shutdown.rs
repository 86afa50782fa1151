//! How a broker ends and how it refuses to begin: signals under load lose nothing and leave exit code 0; whatever makes
//! a start impossible is named, with its own exit code; and a broker with nothing to do does nothing.

#![cfg(test)]

use anyhow::{Context as _, Result, ensure};
use cairn_client::{Client, NewTopic};
use cairn_tests::{
    history::Recorder,
    load::{Load, LoadOptions},
    process::BrokerCommand,
    process_status::{processor_ticks, voluntary_switches, written_bytes},
    scene::{ENDS_WITHIN, Scene, judge, stop_cleanly},
};
use rustix::process::Signal;
use std::{fs, net::TcpListener, path::Path, time::Duration};

const TOPIC: &str = "stopped";
const REFUSES_WITHIN: Duration = Duration::from_secs(20);
const FREE_PORT: &str = "127.0.0.1:0";

fn scene() -> Result<Scene> {
    Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))
}

async fn stops_under_load(signal: Signal) -> Result<()> {
    let scene = scene()?;
    let mut broker = scene.small_broker().start()?;
    let address = broker.grpc_address().to_owned();
    let client = Client::connect(&address).await?;
    client.admin().create_topic(NewTopic::named(TOPIC).partitions(4)).await?;
    let recorder = Recorder::default();
    let load = Load::start(&client, &LoadOptions::to(TOPIC), &recorder).await?;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        ensure!(recorder.acknowledged() > 0, "there was no load");
        let status = tokio::task::block_in_place(|| broker.stop(signal, ENDS_WITHIN))?;
        ensure!(status.code() == Some(0), "ended with {status}");
        ensure!(scene.data().join("clean-shutdown").exists(), "no clean-shutdown file");
        broker = tokio::task::block_in_place(|| {
            scene.verify_clean()?;
            scene.small_broker().start_at(&address)
        })?;
        ensure!(!scene.data().join("clean-shutdown").exists(), "the clean-shutdown file outlived the start");
    }
    let report = load.stop().await?;
    ensure!(report.errors.is_empty(), "the application saw {:?}", report.errors.first());
    judge(&client, TOPIC, &recorder).await?;
    tokio::task::block_in_place(|| stop_cleanly(broker))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_nothing() -> Result<()> {
    stops_under_load(Signal::TERM).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigint_under_load_loses_nothing() -> Result<()> {
    stops_under_load(Signal::INT).await
}

/// Runs a broker that must refuse: with this exit code, and these texts in what it says.
fn refuses(command: &BrokerCommand, address: &str, code: i32, texts: &[&str]) -> Result<()> {
    let (status, said) = command.refused(address, REFUSES_WITHIN)?;
    ensure!(status.code() == Some(code), "ended with {status} instead of {code}; it said:\n{said}");
    for text in texts {
        ensure!(said.contains(text), "{text:?} is not in what it said:\n{said}");
    }
    ensure!(!said.contains("panicked"), "{said}");
    Ok(())
}

#[test]
fn a_second_broker_on_the_same_directory_is_refused() -> Result<()> {
    let scene = scene()?;
    let first = scene.broker().start()?;
    let directory = scene.data().display().to_string();
    refuses(&scene.broker(), FREE_PORT, 3, &["another broker", "--data-dir", &directory])?;
    scene.cairn(&first).run(["topic", "create", "still-there"])?.expect_code(0)?;
    let verified = scene.verify(&scene.data())?.expect_code(1)?;
    ensure!(verified.errors.contains("a broker is using"), "{}", verified.errors);
    stop_cleanly(first)
}

#[test]
fn a_port_in_use_is_named_with_its_listener() -> Result<()> {
    let scene = scene()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    refuses(&scene.broker(), &address, 5, &["listen-grpc", &address])?;
    let http = scene.broker_on(scene.path().join("other")).http_address(&address);
    refuses(&http, FREE_PORT, 5, &["listen-http", &address])?;
    Ok(())
}

#[test]
fn a_typo_in_the_configuration_is_answered_with_the_nearest_key() -> Result<()> {
    let scene = scene()?;
    let file = scene.path().join("broker.toml");
    fs::write(&file, "broker-id = 1\nlisten-htpp = \"off\"\n")?;
    let with_file = scene.broker().argument("--config").argument(&file);
    refuses(&with_file, FREE_PORT, 2, &["broker.toml:2", "listen-htpp", "listen-http"])?;
    let with_variable = scene.broker().environment("CAIRN_CONECTIONS_MAX", "7");
    refuses(&with_variable, FREE_PORT, 2, &["CAIRN_CONECTIONS_MAX", "CAIRN_CONNECTIONS_MAX"])?;
    let with_flag = scene.broker().argument("--broker-idd").argument("1");
    refuses(&with_flag, FREE_PORT, 2, &["--broker-id"])?;
    let out_of_range = scene.broker().argument("--append-lanes").argument("0");
    refuses(&out_of_range, FREE_PORT, 2, &["append-lanes", "from 1 to"])?;
    ensure!(!scene.data().exists(), "a refused configuration made a directory");
    Ok(())
}

#[test]
fn a_directory_of_a_newer_format_is_refused_and_left_alone() -> Result<()> {
    let scene = scene()?;
    stop_cleanly(scene.broker().start()?)?;
    let meta = scene.data().join("cairn.meta");
    let text = fs::read_to_string(&meta)?;
    let body = text.rsplit_once("crc32 = ").context("a sealed file")?.0.replace("format 1\n", "format 2\n");
    fs::write(&meta, format!("{body}crc32 = {:08x}\n", crc32fast::hash(body.as_bytes())))?;
    let before = listing(&scene.data())?;
    refuses(&scene.broker(), FREE_PORT, 3, &["cairn.meta", "format 2", "newer"])?;
    ensure!(listing(&scene.data())? == before, "a refused directory was changed");
    Ok(())
}

#[test]
fn a_directory_that_is_not_cairns_is_refused_and_left_alone() -> Result<()> {
    let scene = scene()?;
    fs::create_dir(scene.data())?;
    fs::write(scene.data().join("thesis.txt"), "forty pages")?;
    let before = listing(&scene.data())?;
    refuses(&scene.broker(), FREE_PORT, 3, &["thesis.txt", "--data-dir"])?;
    ensure!(listing(&scene.data())? == before, "a refused directory was changed");
    Ok(())
}

/// Every name below a directory, with the file's size and time of change.
fn listing(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let known = entry.metadata()?;
            if known.is_dir() {
                directories.push(entry.path());
            } else if entry.file_name() != "lock" {
                names.push(format!("{} {} {:?}", entry.path().display(), known.len(), known.modified()?));
            }
        }
    }
    names.sort();
    Ok(names)
}

#[test]
fn idle_means_idle() -> Result<()> {
    let scene = scene()?;
    let broker = scene.broker().start()?;
    let cairn = scene.cairn(&broker);
    cairn.run(["topic", "create", "quiet", "--partitions", "8"])?.expect_code(0)?;
    cairn.run_with_input(["produce", "quiet"], &b"a line\n".repeat(1000))?.expect_code(0)?;
    std::thread::sleep(Duration::from_secs(4));
    let measure = || -> Result<(u64, u64, u64)> {
        let id = broker.id();
        Ok((written_bytes(id)?, processor_ticks(id)?, voluntary_switches(id)?))
    };
    let before = measure()?;
    std::thread::sleep(Duration::from_secs(5));
    let after = measure()?;
    ensure!(after.0 == before.0, "an idle broker wrote {} bytes", after.0 - before.0);
    ensure!(after.1 <= before.1 + 1, "an idle broker used {} ticks of processor time", after.1 - before.1);
    ensure!(after.2 <= before.2 + 25, "an idle broker's threads woke {} times in 5 s", after.2 - before.2);
    stop_cleanly(broker)
}
