//! The command line end to end: what scripts rely on (bytes, exit codes, JSON), against a real broker.

#![cfg(test)]

use anyhow::{Context as _, Result, ensure};
use cairn_tests::{
    command_line::{CommandLine, Finished, finish},
    process::BrokerProcess,
    scene::{Scene, stop_cleanly},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

fn scene() -> Result<(Scene, BrokerProcess, CommandLine)> {
    let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
    let broker = scene.broker().start()?;
    let cairn = scene.cairn(&broker);
    Ok((scene, broker, cairn))
}

/// Runs a command that must succeed, as JSON.
fn json(cairn: &CommandLine, words: &str) -> Result<Vec<Value>> {
    let words = ["--output", "json"].into_iter().chain(words.split(' '));
    cairn.run(words)?.expect_code(0)?.json_lines()
}

fn run(cairn: &CommandLine, words: &str) -> Result<Finished> {
    cairn.run(words.split(' '))
}

#[test]
fn a_topic_from_its_creation_to_its_end() -> Result<()> {
    let (scene, broker, cairn) = scene()?;
    let created = json(&cairn, "topic create orders --partitions 3 --config retention.ms=3600000")?;
    ensure!(created[0]["partitions"] == 3 && created[0]["topic"] == "orders", "{created:?}");
    run(&cairn, "topic create orders")?.expect_code(1)?;
    json(&cairn, "topic create another")?;
    let names: Vec<_> = json(&cairn, "topic list")?.iter().map(|topic| topic["topic"].clone()).collect();
    ensure!(names == ["another", "orders"], "{names:?}");

    json(&cairn, "topic alter orders --partitions 5 --config max.message.bytes=100000")?;
    let described = json(&cairn, "topic describe orders")?.remove(0);
    ensure!(described["partition_details"].as_array().map(Vec::len) == Some(5), "{described}");
    let config = |name: &str| {
        let configs = described["configs"].as_array().into_iter().flatten();
        configs.clone().find(|config| config["name"] == name).map(|config| config["value"].clone())
    };
    ensure!(config("retention.ms") == Some("3600000".into()), "{described}");
    ensure!(config("max.message.bytes") == Some("100000".into()), "{described}");
    let fewer = run(&cairn, "topic alter orders --partitions 2")?.expect_code(1)?;
    ensure!(fewer.errors.contains('5'), "{}", fewer.errors);

    cairn.run_with_input(["produce", "orders", "--partition", "4"], b"a\nb\nc\n")?.expect_code(0)?;
    let start = json(&cairn, "topic delete-records orders --partition 4 --before 2")?.remove(0);
    ensure!(start["log_start_offset"] == 2, "{start}");
    let left = run(&cairn, "consume orders --partition 4 --exit-at-end")?.expect_code(0)?;
    ensure!(left.output == b"c\n", "{:?}", left.text());
    let gone = run(&cairn, "consume orders --partition 4 --from 0 --exit-at-end")?.expect_code(1)?;
    ensure!(gone.errors.contains("out of range"), "{}", gone.errors);

    json(&cairn, "topic delete orders")?;
    run(&cairn, "topic describe orders")?.expect_code(4)?;
    stop_cleanly(broker)?;
    scene.verify_clean()
}

#[test]
fn any_bytes_go_in_and_come_out() -> Result<()> {
    let (_scene, broker, cairn) = scene()?;
    run(&cairn, "topic create bytes")?.expect_code(0)?;
    let lines: &[u8] = b"\n\n\xff\xfe\0\x80 not UTF-8\ncarriage return\r\n \n\n";
    cairn.run_with_input(["produce", "bytes"], lines)?.expect_code(0)?;
    let back = run(&cairn, "consume bytes --from beginning --exit-at-end")?.expect_code(0)?;
    ensure!(back.output == lines, "{:?}", back.output);
    // Without a final newline the last line is a line all the same.
    let sent = cairn.run_with_input(["--output", "json", "produce", "bytes"], b"last")?.expect_code(0)?;
    ensure!(sent.json()?["acknowledged"] == 1, "{:?}", sent.text());
    let last = run(&cairn, "consume bytes --from -1 --exit-at-end")?.expect_code(0)?;
    ensure!(last.output == b"last\n", "{:?}", last.output);
    let nothing = cairn.run_with_input(["--output", "json", "produce", "bytes"], b"")?.expect_code(0)?;
    ensure!(nothing.json()?["records"] == 0, "{:?}", nothing.text());
    let records = json(&cairn, "consume bytes --from 2 --count 1")?.remove(0);
    ensure!(records["offset"] == 2 && records["key"].is_null(), "{records}");
    ensure!(records["value"] == "//4AgCBub3QgVVRGLTg=", "{records}");
    stop_cleanly(broker)
}

#[test]
fn keys_headers_nulls_and_templates() -> Result<()> {
    let (_scene, broker, cairn) = scene()?;
    run(&cairn, "topic create keyed --partitions 4")?.expect_code(0)?;
    let words = ["produce", "keyed", "--key-delimiter", ":", "--header", "from=test", "--null-value", "NULL"];
    cairn.run_with_input(words, b"k1:one\nk2:NULL\nk1:tw:o\n")?.expect_code(0)?;
    let words = ["consume", "keyed", "--exit-at-end", "--format", "%t %k=%v (%s) [%h] %%\\n"];
    let mut shown: Vec<_> = cairn.run(words)?.expect_code(0)?.text()?.lines().map(str::to_owned).collect();
    shown.sort();
    let expected =
        ["keyed k1=one (3) [from=test] %", "keyed k1=tw:o (4) [from=test] %", "keyed k2= (-1) [from=test] %"];
    ensure!(shown == expected, "{shown:?}");
    let missing = cairn.run_with_input(["produce", "keyed", "--key-delimiter", ":"], b"a:1\nno key\n")?;
    let missing = missing.expect_code(1)?;
    ensure!(missing.errors.contains("line 2"), "{}", missing.errors);
    let bad = cairn.run(["consume", "keyed", "--format", "%q"])?.expect_code(2)?;
    ensure!(bad.errors.contains("%q"), "{}", bad.errors);
    stop_cleanly(broker)
}

#[test]
fn where_to_begin_and_where_to_end() -> Result<()> {
    let (_scene, broker, cairn) = scene()?;
    run(&cairn, "topic create places")?.expect_code(0)?;
    cairn.run_with_input(["produce", "places"], b"0\n1\n2\n3\n4\n")?.expect_code(0)?;
    for (from, expected) in [
        ("beginning", "0\n1\n2\n3\n4\n"),
        ("3", "3\n4\n"),
        ("-2", "3\n4\n"),
        ("-100", "0\n1\n2\n3\n4\n"),
        ("end", ""),
        ("5", ""),
        ("@1970-01-01T00:00:00Z", "0\n1\n2\n3\n4\n"),
        ("@2999-01-01T00:00:00Z", ""),
    ] {
        let read = cairn.run(["consume", "places", "--from", from, "--exit-at-end"])?.expect_code(0)?;
        ensure!(read.text()? == expected, "from {from}: {:?}", read.text());
    }
    let two = run(&cairn, "consume places --count 2")?.expect_code(0)?;
    ensure!(two.text()? == "0\n1\n", "{:?}", two.text());
    run(&cairn, "consume places --from yesterday")?.expect_code(2)?;
    run(&cairn, "consume places --from 6 --exit-at-end")?.expect_code(1)?;
    run(&cairn, "consume places --partition 7")?.expect_code(4)?;
    stop_cleanly(broker)
}

#[test]
fn what_is_not_there_is_named_with_a_suggestion() -> Result<()> {
    let (_scene, broker, cairn) = scene()?;
    let first = run(&cairn, "produce orders")?.expect_code(4)?;
    ensure!(first.errors.contains("cairn topic create orders"), "{}", first.errors);
    run(&cairn, "topic create orders")?.expect_code(0)?;
    for words in ["produce order", "consume order", "topic describe order", "topic delete order"] {
        let unknown = run(&cairn, words)?.expect_code(4)?;
        ensure!(unknown.errors.contains("'orders'"), "{words}: {}", unknown.errors);
    }
    let machine = run(&cairn, "--output json consume order")?.expect_code(4)?;
    let error: Value = serde_json::from_str(&machine.errors)?;
    ensure!(error["error"]["code"] == "not-found" && error["error"]["exit_code"] == 4, "{error}");
    for (words, text) in [
        ("topic create ..", "cannot be called"),
        ("topic create a/b", "a/b"),
        ("topic create good --config retention.mss=1", "retention.ms"),
        ("topic create good --config segment.bytes=1", "segment.bytes"),
        ("topic create good --partitions 100000000", "partitions"),
        ("topic create good --replication-factor 3", "replication"),
    ] {
        let refused = run(&cairn, words)?.expect_code(1)?;
        ensure!(refused.errors.contains(text), "{words}: {}", refused.errors);
    }
    for words in
        ["topic", "topic crate x", "produce", "consume orders --count many", "--output xml topic list"]
    {
        run(&cairn, words)?.expect_code(2)?;
    }
    stop_cleanly(broker)
}

#[test]
fn nobody_at_the_address_is_an_exit_code_of_its_own() -> Result<()> {
    let cairn = CommandLine::new(env!("CARGO_BIN_EXE_test-cairn"), "127.0.0.1:1");
    let refused = cairn.run(["topic", "list"])?.expect_code(3)?;
    ensure!(refused.errors.contains("127.0.0.1:1"), "{}", refused.errors);
    Ok(())
}

#[test]
fn a_line_that_is_too_long_is_named() -> Result<()> {
    let (_scene, broker, cairn) = scene()?;
    run(&cairn, "topic create short --config max.message.bytes=10000")?.expect_code(0)?;
    let mut lines = b"fits\n".repeat(6);
    lines.extend([b'x'; 20_000]);
    lines.extend(b"\nnever sent\n");
    let refused = cairn.run_with_input(["--output", "json", "produce", "short"], &lines)?.expect_code(1)?;
    let error: Value = serde_json::from_str(&refused.errors)?;
    ensure!(error["error"]["acknowledged"] == 6, "{error}");
    ensure!(error["error"]["message"].as_str().is_some_and(|text| text.contains("line 7")), "{error}");
    let kept = run(&cairn, "consume short --exit-at-end")?.expect_code(0)?;
    ensure!(kept.output == b"fits\n".repeat(6), "{:?}", kept.text());
    stop_cleanly(broker)
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() -> Result<()> {
    let (_scene, broker, cairn) = scene()?;
    run(&cairn, "topic create pipe")?.expect_code(0)?;
    cairn.run_with_input(["produce", "pipe"], &b"a line of some length\n".repeat(50_000))?.expect_code(0)?;
    for words in ["consume pipe", "consume pipe --exit-at-end", "--output json consume pipe"] {
        let mut child = cairn.command(words.split(' ')).spawn()?;
        let mut output = child.stdout.take().context("piped")?;
        output.read_exact(&mut [0; 10])?;
        drop(output);
        let ended = finish(child, b"", Duration::from_secs(20))?.expect_code(141)?;
        ensure!(ended.errors.is_empty(), "{words}: {}", ended.errors);
    }
    // A reader that is gone is noticed even while there is nothing to print.
    let mut child = cairn.command(["consume", "pipe", "--from", "end"]).spawn()?;
    drop(child.stdout.take());
    finish(child, b"", Duration::from_secs(20))?.expect_code(141)?;
    stop_cleanly(broker)
}

#[test]
fn ctrl_c_has_its_exit_code() -> Result<()> {
    let (_scene, broker, cairn) = scene()?;
    run(&cairn, "topic create waiting")?.expect_code(0)?;
    cairn.run_with_input(["produce", "waiting"], b"seen\n")?.expect_code(0)?;
    let mut consuming = cairn.command(["consume", "waiting"]).spawn()?;
    let mut seen = [0; 5];
    consuming.stdout.as_mut().context("piped")?.read_exact(&mut seen)?;
    ensure!(&seen == b"seen\n", "what is there is printed before the wait");
    interrupt(consuming.id())?;
    finish(consuming, b"", Duration::from_secs(20))?.expect_code(130)?;

    // Lines that were sent before Ctrl-C are answered for.
    let mut producing = cairn.command(["produce", "waiting"]).spawn()?;
    producing.stdin.as_mut().context("piped")?.write_all(b"sent\n")?;
    wait_for_records(&cairn, "waiting", 2)?;
    interrupt(producing.id())?;
    let keep_open = producing.stdin.take();
    let ended = finish(producing, b"", Duration::from_secs(20))?.expect_code(130)?;
    drop(keep_open);
    ensure!(ended.errors.contains("acknowledged 1"), "{}", ended.errors);
    stop_cleanly(broker)
}

fn interrupt(process_id: u32) -> Result<()> {
    let id = Pid::from_raw(i32::try_from(process_id)?).context("a process id")?;
    Ok(kill_process(id, Signal::INT)?)
}

fn wait_for_records(cairn: &CommandLine, topic: &str, count: usize) -> Result<()> {
    for _ in 0..200 {
        let read = cairn.run(["consume", topic, "--exit-at-end"])?.expect_code(0)?;
        if read.text()?.lines().count() == count {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    anyhow::bail!("{count} records did not come")
}

#[test]
fn cluster_status_and_bench() -> Result<()> {
    let (_scene, broker, cairn) = scene()?;
    let status = json(&cairn, "cluster status")?.remove(0);
    ensure!(status["brokers"][0]["state"] == "up" && status["problems"] == serde_json::json!([]), "{status}");
    ensure!(status["brokers"][0]["grpc_address"] == broker.grpc_address(), "{status}");
    run(&cairn, "topic create measured --partitions 4")?.expect_code(0)?;
    for words in [
        "bench produce measured --records 5000 --record-size 200",
        "bench produce measured --records 1000 --record-size 200 --acks leader --compression lz4 --connections 2",
        "bench consume measured --records 5000",
        "bench end-to-end measured --records 300 --rate 1000",
    ] {
        let report = json(&cairn, words)?.remove(0);
        ensure!(report["records"].as_u64().is_some_and(|records| records >= 300), "{words}: {report}");
        for field in ["bytes", "seconds", "records_per_second", "mib_per_second"] {
            ensure!(report[field].as_f64().is_some_and(|value| value > 0.0), "{words}: {field}: {report}");
        }
        for field in ["p50", "p90", "p99", "p999", "max"] {
            ensure!(report["latency_us"][field].is_u64(), "{words}: {field}: {report}");
        }
    }
    let held = json(&cairn, "topic describe measured")?.remove(0);
    let ends = held["partition_details"].as_array().into_iter().flatten();
    let records: u64 = ends.filter_map(|partition| partition["high_watermark"].as_u64()).sum();
    ensure!(records == 6300, "bench sent {records} records");
    stop_cleanly(broker)
}

#[test]
fn help_version_and_completions_need_no_broker() -> Result<()> {
    let cairn = CommandLine::new(env!("CARGO_BIN_EXE_test-cairn"), "127.0.0.1:1");
    let help = cairn.run(["--help"])?.expect_code(0)?;
    ensure!(help.text()?.contains("Exit codes") && help.text()?.contains("130"), "{:?}", help.text());
    ensure!(cairn.run(["--version"])?.expect_code(0)?.text()?.starts_with("cairn "), "no version");
    for shell in ["bash", "zsh", "fish"] {
        ensure!(cairn.run(["completions", shell])?.expect_code(0)?.output.len() > 1000, "{shell}");
    }
    Ok(())
}
