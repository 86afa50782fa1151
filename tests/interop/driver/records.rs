//! The records that every client writes and reads: one of each kind, with the capability that it takes.

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::fmt;

/// The name of a header, and its value or null.
pub(crate) type Header = (String, Option<Vec<u8>>);

/// A record as an adapter says it; `None` is null.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    /// -1 before it is written.
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<Header>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |data: &Option<Vec<u8>>| {
            data.as_ref()
                .map(|data| format!("{} bytes {}", data.len(), data[..data.len().min(60)].escape_ascii()))
        };
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name, shown(value))).collect();
        let (key, value) = (shown(&self.key), shown(&self.value));
        write!(f, "{}/{}: key {key:?}, value {value:?}, headers {headers:?}", self.partition, self.offset)
    }
}

impl Record {
    pub(crate) fn parse(line: &str) -> Result<Self> {
        Self::from_json(&serde_json::from_str(line)?).with_context(|| format!("in {line}"))
    }

    fn from_json(line: &Value) -> Result<Self> {
        let headers = line["headers"].as_array().context("headers")?;
        let header = |pair: &Value| Ok((pair[0].as_str().context("a name")?.to_owned(), decoded(&pair[1])?));
        Ok(Self {
            partition: i32::try_from(line["partition"].as_i64().context("a partition")?)?,
            offset: line["offset"].as_i64().context("an offset")?,
            key: decoded(&line["key"])?,
            value: decoded(&line["value"])?,
            headers: headers.iter().map(header).collect::<Result<_>>()?,
        })
    }

    /// The line that tells an adapter to write it.
    pub(crate) fn line(&self) -> String {
        let encoded = |data: &Option<Vec<u8>>| data.as_ref().map(|data| STANDARD.encode(data));
        let headers: Vec<Value> =
            self.headers.iter().map(|(name, value)| json!([name, encoded(value)])).collect();
        let (key, value) = (encoded(&self.key), encoded(&self.value));
        json!({ "partition": self.partition, "key": key, "value": value, "headers": headers }).to_string()
            + "\n"
    }

    /// The same for a client that gives null and empty alike, a header's name once, or less than a header's value.
    pub(crate) fn as_seen_by_a_client_that_cannot(&self, kind: Kind) -> Self {
        let without_empty = |data: &Option<Vec<u8>>| data.clone().filter(|data| !data.is_empty());
        let headers = match kind {
            Kind::RepeatedHeaderNames => Vec::new(),
            Kind::BinaryHeaderValues => self.headers.iter().map(|(name, _)| (name.clone(), None)).collect(),
            _ => self.headers.iter().map(|(name, value)| (name.clone(), without_empty(value))).collect(),
        };
        Self { key: without_empty(&self.key), value: without_empty(&self.value), headers, ..*self }
    }
}

fn decoded(text: &Value) -> Result<Option<Vec<u8>>> {
    if text.is_null() {
        return Ok(None);
    }
    Ok(Some(STANDARD.decode(text.as_str().context("bytes or null")?)?))
}

/// What is peculiar about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Text,
    Large,
    Binary,
    NullKey,
    EmptyKey,
    NullValue,
    EmptyValue,
    Headers,
    BinaryHeaderValues,
    EmptyHeaderValues,
    NullHeaderValues,
    RepeatedHeaderNames,
}

impl Kind {
    pub(crate) const ALL: [Self; 12] = [
        Self::Text,
        Self::Large,
        Self::Binary,
        Self::NullKey,
        Self::EmptyKey,
        Self::NullValue,
        Self::EmptyValue,
        Self::Headers,
        Self::BinaryHeaderValues,
        Self::EmptyHeaderValues,
        Self::NullHeaderValues,
        Self::RepeatedHeaderNames,
    ];

    /// As it stands in the names of capabilities.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Large => "large records",
            Self::Binary => "binary keys and values",
            Self::NullKey => "null keys",
            Self::EmptyKey => "empty keys",
            Self::NullValue => "null values",
            Self::EmptyValue => "empty values",
            Self::Headers => "headers",
            Self::BinaryHeaderValues => "binary header values",
            Self::EmptyHeaderValues => "empty header values",
            Self::NullHeaderValues => "null header values",
            Self::RepeatedHeaderNames => "repeated header names",
        }
    }

    pub(crate) fn write(self) -> String {
        format!("write {}", self.name())
    }

    pub(crate) fn read(self) -> String {
        format!("read {}", self.name())
    }

    /// The record of this kind; `mark` tells the writers and codecs apart.
    pub(crate) fn record(self, partition: i32, mark: &str) -> Record {
        let (text, header) = (
            |text: String| Some(text.into_bytes()),
            |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec)),
        );
        let plain = Record {
            partition,
            offset: -1,
            key: text(format!("key of {mark}")),
            value: text(format!("{} by {mark}, as ever: 1 = 1", self.name())),
            headers: Vec::new(),
        };
        let every_byte = || (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect::<Vec<_>>();
        match self {
            Self::Text => plain,
            // Large enough for a second size of varint, and to be worth compressing.
            Self::Large => Record { value: text(format!("{mark}, again and again. ").repeat(1000)), ..plain },
            Self::Binary => Record { key: Some(every_byte()), value: Some(every_byte()), ..plain },
            Self::NullKey => Record { key: None, ..plain },
            Self::EmptyKey => Record { key: Some(Vec::new()), ..plain },
            Self::NullValue => Record { value: None, ..plain },
            Self::EmptyValue => Record { value: Some(Vec::new()), ..plain },
            Self::Headers => Record {
                headers: vec![header("first", Some(b"one")), header("second", Some(b"two"))],
                ..plain
            },
            Self::BinaryHeaderValues => {
                Record { headers: vec![header("binary", Some(&[0, 255, 254, 10, 128]))], ..plain }
            }
            Self::EmptyHeaderValues => Record { headers: vec![header("empty", Some(b""))], ..plain },
            Self::NullHeaderValues => Record { headers: vec![header("null", None)], ..plain },
            Self::RepeatedHeaderNames => {
                Record { headers: vec![header("same", Some(b"one")), header("same", Some(b"two"))], ..plain }
            }
        }
    }
}
