//! At least 200 MB of text that people wrote, line by line through `cairn produce` while the broker is killed again and
//! again, and back through `cairn consume`: byte for byte the same in every partition.

#![cfg(test)]

use anyhow::{Context as _, Result, ensure};
use cairn_tests::{
    command_line::finish,
    process::BrokerCommand,
    scene::{Scene, stop_cleanly},
    seed,
};
use rand::Rng as _;
use std::{
    fs::{self, File},
    io::{BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

const PARTITIONS: usize = 4;
const BYTES_MIN: u64 = 200_000_000;
/// Of distinct text; the rest repeats it under a running prefix.
const DISTINCT_BYTES_MAX: u64 = 60_000_000;
const KILLS_MIN: usize = 4;
const PRODUCE_WITHIN: Duration = Duration::from_secs(300);

/// Places where text lies: the toolchain's and the system's documentation, and sources.
fn places() -> Vec<PathBuf> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = sysroot.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut places: Vec<PathBuf> = sysroot.into_iter().map(|root| root.join("share")).collect();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    places.extend(home.map(|home| home.join("registry/src")));
    places.push("/usr/share/doc".into());
    places.extend(Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned));
    places
}

/// Appends text files below a place until there is enough.
fn collect(place: &Path, into: &mut Vec<u8>) {
    let mut entries: Vec<_> = fs::read_dir(place).into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        if into.len() as u64 >= DISTINCT_BYTES_MAX {
            return;
        }
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, into);
        }
        let text =
            [".rs", ".txt", ".md", ".html", ".toml", "copyright"].iter().any(|end| name.ends_with(end));
        if kind.is_file() && text && entry.metadata().is_ok_and(|known| known.len() < 4_000_000) {
            let before = into.len();
            let read = File::open(&path).and_then(|mut file| file.read_to_end(into));
            if read.is_err() || into[before..].split(|byte| *byte == b'\n').any(|line| line.len() > 200_000) {
                into.truncate(before);
            } else if into.last().is_some_and(|byte| *byte != b'\n') {
                into.push(b'\n');
            }
        }
    }
}

/// One file a partition, together as many bytes as wanted, each ending with a newline.
fn write_inputs(directory: &Path, text: &[u8]) -> Result<Vec<PathBuf>> {
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let paths: Vec<_> = (0..PARTITIONS).map(|partition| directory.join(format!("{partition}.txt"))).collect();
    let mut files: Vec<_> =
        paths.iter().map(|path| File::create(path).map(BufWriter::new)).collect::<Result<_, _>>()?;
    let mut bytes = 0;
    for lap in 0.. {
        for (number, line) in lines.iter().enumerate() {
            let file = &mut files[number * PARTITIONS / lines.len()];
            if lap > 0 {
                write!(file, "{lap}: ")?;
            }
            file.write_all(line)?;
        }
        files.iter_mut().try_for_each(BufWriter::flush)?;
        bytes = paths.iter().map(|path| path.metadata().map_or(0, |known| known.len())).sum();
        if bytes >= BYTES_MIN {
            break;
        }
    }
    println!("{} MB in {} lines, {} MB of them distinct", bytes >> 20, lines.len(), text.len() >> 20);
    Ok(paths)
}

/// Kills and restarts until all the commands have ended; how often that was.
fn kill_while_running(command: &BrokerCommand, address: &str, children: Vec<Child>) -> Result<usize> {
    let mut random = seed::random("real_data");
    scope(|threads| {
        let waiting: Vec<_> = children
            .into_iter()
            .map(|child| threads.spawn(move || finish(child, b"", PRODUCE_WITHIN)?.expect_code(0)))
            .collect();
        let mut kills = 0;
        let mut broker = command.start_at(address)?;
        loop {
            let until = Instant::now() + Duration::from_millis(random.random_range(150..700));
            while Instant::now() < until && !waiting.iter().all(|thread| thread.is_finished()) {
                sleep(Duration::from_millis(10));
            }
            if waiting.iter().all(|thread| thread.is_finished()) {
                break;
            }
            broker.kill()?;
            kills += 1;
            broker = command.start_at(address)?;
        }
        for thread in waiting {
            let finished = thread.join().ok().context("a thread panicked")??;
            ensure!(
                finished.json()?["records"].as_u64().is_some_and(|records| records > 0),
                "nothing was sent"
            );
        }
        stop_cleanly(broker)?;
        Ok(kills)
    })
}

#[test]
fn real_text_comes_back_byte_for_byte() -> Result<()> {
    let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
    let mut text = Vec::new();
    places().iter().for_each(|place| collect(place, &mut text));
    ensure!(text.len() > 100_000, "hardly any text on this machine");
    let inputs = write_inputs(scene.path(), &text)?;
    drop(text);
    // A kill between an index and the checkpoint that knows it leaves an index that is built again.
    let command = scene.broker();
    let broker = command.start()?;
    let address = broker.grpc_address().to_owned();
    let cairn = scene.cairn(&broker);
    cairn.run(["topic", "create", "text", "--partitions", "4"])?.expect_code(0)?;
    stop_cleanly(broker)?;

    let started = Instant::now();
    let mut children = Vec::new();
    let broker = command.start_at(&address)?;
    for (partition, input) in inputs.iter().enumerate() {
        let partition = partition.to_string();
        let words = ["--output", "json", "produce", "text", "--partition", &partition].map(Into::into);
        let words = words.into_iter().chain([input.clone().into_os_string()]);
        children.push(cairn.command(words).stdin(Stdio::null()).spawn()?);
    }
    sleep(Duration::from_millis(300));
    broker.kill()?;
    let kills = 1 + kill_while_running(&command, &address, children)?;
    println!("produced in {:?} under {kills} kills", started.elapsed());
    ensure!(kills >= KILLS_MIN, "only {kills} kills: there was too little to send");

    let started = Instant::now();
    let broker = command.start_at(&address)?;
    for (partition, input) in inputs.iter().enumerate() {
        let output = scene.path().join("back.txt");
        let partition = partition.to_string();
        let words = ["consume", "text", "--partition", &partition, "--from", "beginning", "--exit-at-end"];
        let child = cairn.command(words).stdout(File::create(&output)?).spawn()?;
        finish(child, b"", PRODUCE_WITHIN)?.expect_code(0)?;
        same_bytes(input, &output).with_context(|| format!("partition {partition}"))?;
    }
    println!("read back in {:?}", started.elapsed());
    stop_cleanly(broker)?;
    scene.verify_clean()
}

fn same_bytes(one: &Path, other: &Path) -> Result<()> {
    let (one, other) = (fs::read(one)?, fs::read(other)?);
    let differs = one.iter().zip(&other).position(|(a, b)| a != b);
    ensure!(differs.is_none(), "the bytes differ from byte {differs:?} on");
    ensure!(one.len() == other.len(), "{} bytes were sent, {} came back", one.len(), other.len());
    Ok(())
}
