//! What the adapters in Rust have in common: the command line, and records as JSON lines. It knows no client and no
//! expectation.

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What every member of a group is configured with.
pub const SESSION_TIMEOUT_MS: &str = "6000";
/// The same.
pub const HEARTBEAT_INTERVAL_MS: &str = "1500";

/// One record; `None` is null.
#[derive(Debug)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The command line: a command and `--name value` pairs.
#[derive(Debug)]
pub struct Arguments {
    pub command: String,
    values: HashMap<String, String>,
}

impl Arguments {
    pub fn parse() -> Result<Self> {
        let mut words = std::env::args().skip(1);
        let command = words.next().context("no command")?;
        let mut values = HashMap::new();
        while let Some(name) = words.next() {
            let name = name.strip_prefix("--").context("an option")?.to_owned();
            values.insert(name, words.next().context("a value")?);
        }
        Ok(Self { command, values })
    }

    pub fn get(&self, name: &str) -> Result<&str> {
        self.values.get(name).map(String::as_str).with_context(|| format!("no --{name}"))
    }

    pub fn number(&self, name: &str) -> Result<i32> {
        Ok(self.get(name)?.parse()?)
    }

    /// `--count`, or without end.
    pub fn count(&self) -> Result<u64> {
        self.values.get("count").map_or(Ok(u64::MAX), |count| Ok(count.parse()?))
    }
}

/// One line of the result; it is out when this returns.
pub fn say(line: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

pub fn say_record(record: &Record) -> Result<()> {
    let encoded = |data: &Option<Vec<u8>>| data.as_ref().map(|data| STANDARD.encode(data));
    let headers: Vec<_> = record.headers.iter().map(|(name, value)| json!([name, encoded(value)])).collect();
    say(&json!({
        "partition": record.partition,
        "offset": record.offset,
        "key": encoded(&record.key),
        "value": encoded(&record.value),
        "headers": headers,
    }))
}

/// The records on standard input.
pub fn records_to_produce() -> Result<Vec<Record>> {
    std::io::stdin().lines().map(|line| record(&serde_json::from_str(&line?)?)).collect()
}

fn record(line: &Value) -> Result<Record> {
    let headers = line["headers"].as_array().context("headers")?;
    let header = |pair: &Value| Ok((pair[0].as_str().context("a name")?.to_owned(), decoded(&pair[1])?));
    Ok(Record {
        partition: line["partition"].as_i64().context("a partition")?.try_into()?,
        offset: -1,
        key: decoded(&line["key"])?,
        value: decoded(&line["value"])?,
        headers: headers.iter().map(header).collect::<Result<_>>()?,
    })
}

fn decoded(text: &Value) -> Result<Option<Vec<u8>>> {
    match text {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(STANDARD.decode(text)?)),
        other => bail!("{other} is neither bytes nor null"),
    }
}

/// Becomes true once standard input ends.
pub fn end_of_input() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let to_set = Arc::clone(&ended);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        to_set.store(true, Ordering::Release);
    });
    ended
}
