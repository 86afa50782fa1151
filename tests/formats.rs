//! A data directory that an earlier build of this version wrote must still open, verify and read back, byte for byte.
//!
//! `fixtures/data-v1` holds its files without the zeros at their ends; `lengths.txt` says how long each was. The same
//! function that this test runs against today's build made it: with `WRITE_FIXTURE=DIRECTORY` in the environment it
//! leaves the directory there.

#![cfg(test)]

use anyhow::{Context as _, Result, ensure};
use cairn_tests::{
    command_line::CommandLine,
    process::BrokerCommand,
    scene::{Scene, stop_cleanly},
    tree,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

const LENGTHS: &str = "lengths.txt";

fn scene() -> Result<Scene> {
    Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data-v1")
}

fn broker(scene: &Scene) -> BrokerCommand {
    scene.small_broker().argument("--reserve-bytes").argument("65536")
}

fn lines(from: usize, to: usize) -> Vec<u8> {
    let line = |number: usize| format!("key {}:value {number} {}\n", number % 7, "abc ".repeat(number % 50));
    (from..to).flat_map(|number| line(number).into_bytes()).collect()
}

/// A directory with rolled segments, deleted records, an altered and a deleted topic, every codec, an idempotent
/// producer's state, frames in the journal that no checkpoint covers, and no clean end.
fn write_directory(scene: &Scene) -> Result<()> {
    let running = broker(scene).start()?;
    let cairn = scene.cairn(&running);
    let run = |words: &str, input: &[u8]| cairn.run_with_input(words.split(' '), input)?.expect_code(0);
    run("topic create plain --partitions 3 --config segment.bytes=65536", b"")?;
    run("topic create codecs --config message.timestamp.type=LogAppendTime", b"")?;
    run("topic create gone", b"")?;
    run("produce plain --partition 0 --batch-bytes 8192", &lines(0, 2000))?;
    run("topic alter plain --config retention.ms=-1", b"")?;
    run("topic delete-records plain --partition 0 --before 100", b"")?;
    run("topic delete gone", b"")?;
    stop_cleanly(running)?;
    let running = broker(scene).start()?;
    let cairn = scene.cairn(&running);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let words = ["produce", "codecs", "--compression", codec, "--key-delimiter", ":", "--header", "a=b"];
        cairn.run_with_input(words, &lines(0, 100))?.expect_code(0)?;
    }
    cairn.run_with_input(["produce", "plain", "--partition", "2"], &lines(5000, 5100))?.expect_code(0)?;
    running.kill()
}

/// What [`write_directory`] put there, and nothing else.
fn read_back(cairn: &CommandLine) -> Result<()> {
    let read = |words: &str| -> Result<Vec<u8>> {
        Ok(cairn.run(words.split(' ').chain(["--exit-at-end"]))?.expect_code(0)?.output)
    };
    let first: usize = lines(0, 100).len();
    ensure!(read("consume plain --partition 0")? == lines(0, 2000)[first..], "plain/0");
    ensure!(read("consume plain --partition 1")?.is_empty(), "plain/1");
    ensure!(read("consume plain --partition 2")? == lines(5000, 5100), "plain/2");
    let codecs = cairn.run(["consume", "codecs", "--exit-at-end", "--format", "%k:%v\\n"])?.expect_code(0)?;
    ensure!(codecs.output == lines(0, 100).repeat(5), "codecs");
    let headers = cairn.run(["consume", "codecs", "--count", "1", "--format", "%o %h"])?.expect_code(0)?;
    ensure!(headers.output == b"0 a=b", "headers: {:?}", headers.text());
    let topics = cairn.run(["--output", "json", "topic", "list"])?.expect_code(0)?.json_lines()?;
    ensure!(topics.len() == 2, "{topics:?}");
    let plain = cairn.run(["--output", "json", "topic", "describe", "plain"])?.expect_code(0)?.json()?;
    ensure!(plain["partition_details"][0]["log_start_offset"] == 100, "{plain}");
    ensure!(plain["partition_details"][0]["high_watermark"] == 2000, "{plain}");
    Ok(())
}

fn opens_and_reads_back(scene: &Scene) -> Result<()> {
    scene.verify_clean()?;
    for _ in 0..2 {
        let running = broker(scene).start()?;
        let cairn = scene.cairn(&running);
        read_back(&cairn)?;
        cairn.run(["topic", "create", "new"])?.expect_code(0)?;
        cairn.run_with_input(["produce", "new"], b"goes on\n")?.expect_code(0)?;
        cairn.run(["topic", "delete", "new"])?.expect_code(0)?;
        stop_cleanly(running)?;
    }
    scene.verify_clean()
}

#[test]
fn a_directory_of_this_build_reads_back() -> Result<()> {
    let scene = scene()?;
    write_directory(&scene)?;
    if let Some(to) = std::env::var_os("WRITE_FIXTURE") {
        store(&scene.data(), Path::new(&to))?;
    }
    opens_and_reads_back(&scene)
}

#[test]
fn the_kept_directory_of_format_1_reads_back() -> Result<()> {
    let scene = scene()?;
    restore(&fixture(), &scene.data())?;
    opens_and_reads_back(&scene)
}

/// Copies a directory without the zeros at the ends of its files.
fn store(directory: &Path, to: &Path) -> Result<()> {
    let mut lengths = String::new();
    for file in tree::files(directory)? {
        let (from, kept) = (directory.join(&file), to.join(&file));
        lengths.push_str(&format!("{} {}\n", from.metadata()?.len(), file.display()));
        fs::create_dir_all(kept.parent().context("below the directory")?)?;
        fs::copy(&from, &kept)?;
        File::options().write(true).open(&kept)?.set_len(tree::live_bytes(&from)?)?;
    }
    Ok(fs::write(to.join(LENGTHS), lengths)?)
}

fn restore(from: &Path, directory: &Path) -> Result<()> {
    for line in fs::read_to_string(from.join(LENGTHS))?.lines() {
        let (length, name) = line.split_once(' ').context("a length and a name")?;
        let file = directory.join(name);
        fs::create_dir_all(file.parent().context("below the directory")?)?;
        fs::copy(from.join(name), &file).with_context(|| name.to_owned())?;
        File::options().write(true).open(&file)?.set_len(length.parse()?)?;
    }
    Ok(())
}
