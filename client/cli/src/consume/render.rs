//! One consumed record as bytes: by the template for people, as one JSON object a line for machines.

use crate::{
    failure::Failure,
    format::{Shown, Template},
    output::Output,
};
use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use cairn_client::{ConsumedRecord, Headers};
use serde::{Serialize, Serializer, ser::SerializeSeq};

/// How records are printed.
#[derive(Debug)]
pub(super) enum Renderer {
    /// By a template.
    Template(Template),
    /// As JSON.
    Json,
}

impl Renderer {
    /// JSON if that is wanted, else the template, else the value and a newline.
    pub(super) fn new(output: Output, template: Option<Template>) -> Self {
        if output.is_json() {
            Self::Json
        } else {
            Self::Template(template.unwrap_or_else(Template::value_line))
        }
    }

    /// Appends the record.
    pub(super) fn render(&self, record: &ConsumedRecord, into: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Template(template) => {
                let headers = record.headers.iter().map(|header| (header.key, header.value));
                let shown = Shown {
                    topic: &record.topic,
                    partition: record.partition,
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
                    key: record.key.as_deref(),
                    value: record.value.as_deref(),
                    headers,
                };
                template.render(&shown, into);
                Ok(())
            }
            Self::Json => {
                serde_json::to_writer(&mut *into, &JsonRecord::new(record))
                    .map_err(|error| Failure::failed(format!("cannot write the record as JSON: {error}")))?;
                into.push(b'\n');
                Ok(())
            }
        }
    }
}

/// A record as machines read it: bytes are base64, a null stays a null.
#[derive(Serialize)]
struct JsonRecord<'a> {
    topic: &'a str,
    partition: u32,
    offset: i64,
    /// Milliseconds since 1970; null for none.
    timestamp: Option<i64>,
    #[serde(serialize_with = "base64")]
    key: Option<&'a [u8]>,
    #[serde(serialize_with = "base64")]
    value: Option<&'a [u8]>,
    #[serde(serialize_with = "headers")]
    headers: &'a Headers,
}

impl<'a> JsonRecord<'a> {
    fn new(record: &'a ConsumedRecord) -> Self {
        Self {
            topic: &record.topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: Some(record.timestamp_ms).filter(|timestamp_ms| *timestamp_ms != -1),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &record.headers,
        }
    }
}

#[derive(Serialize)]
struct JsonHeader<'a> {
    #[serde(serialize_with = "base64")]
    key: Option<&'a [u8]>,
    #[serde(serialize_with = "base64")]
    value: Option<&'a [u8]>,
}

fn base64<S: Serializer>(bytes: &Option<&[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => serializer.collect_str(&Base64Display::new(bytes, &STANDARD)),
        None => serializer.serialize_none(),
    }
}

fn headers<S: Serializer>(headers: &Headers, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(headers.len()))?;
    for header in headers {
        list.serialize_element(&JsonHeader { key: Some(&header.key), value: header.value.as_deref() })?;
    }
    list.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputFormat;

    fn record() -> ConsumedRecord {
        ConsumedRecord {
            topic: "t".into(),
            partition: 1,
            offset: 42,
            timestamp_ms: -1,
            key: None,
            value: Some(vec![0xff, 0, b'\n'].into()),
            headers: Headers::default(),
        }
    }

    #[test]
    fn json_is_a_line_with_base64_and_nulls() {
        let mut line = Vec::new();
        Renderer::new(Output::new(OutputFormat::Json), None).render(&record(), &mut line).unwrap();
        let expected = r#"{"topic":"t","partition":1,"offset":42,"timestamp":null,"key":null,"value":"/wAK","headers":[]}"#;
        assert_eq!(String::from_utf8(line).unwrap(), format!("{expected}\n"));
    }

    #[test]
    fn the_default_is_the_value_as_it_is_and_a_newline() {
        let mut line = Vec::new();
        let renderer = Renderer::new(Output::new(OutputFormat::Table), None);
        renderer.render(&record(), &mut line).unwrap();
        assert_eq!(line, b"\xff\0\n\n");
    }
}
