//! One line to one record: the key cut off at the delimiter, the null value recognised. Bytes stay slices of the input.

use bytes::Bytes;
use cairn_client::Record;
use std::sync::Arc;

/// A line that makes no record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    /// A key was promised.
    #[error("the line has no key delimiter '{delimiter}'")]
    NoDelimiter {
        /// What was looked for.
        delimiter: String,
    },
}

/// Makes records of lines.
#[derive(Debug)]
pub(super) struct LineParser {
    topic: Arc<str>,
    key_delimiter: Option<Bytes>,
    null_value: Option<Bytes>,
    headers: Vec<(Arc<str>, Bytes)>,
    partition: Option<u32>,
}

impl LineParser {
    /// The whole line is the value.
    pub(super) fn new(topic: &str) -> Self {
        let topic = topic.into();
        Self { topic, key_delimiter: None, null_value: None, headers: Vec::new(), partition: None }
    }

    /// What stands before the first delimiter is the key.
    pub(super) fn key_delimiter(mut self, delimiter: Option<Bytes>) -> Self {
        self.key_delimiter = delimiter;
        self
    }

    /// A value that is this text is null.
    pub(super) fn null_value(mut self, text: Option<&str>) -> Self {
        self.null_value = text.map(|text| Bytes::copy_from_slice(text.as_bytes()));
        self
    }

    /// Headers of every record.
    pub(super) fn headers(mut self, headers: &[(String, String)]) -> Self {
        let shared = |(key, value): &(String, String)| (Arc::from(key.as_str()), Bytes::from(value.clone()));
        self.headers = headers.iter().map(shared).collect();
        self
    }

    /// All records go to this partition.
    pub(super) fn partition(mut self, partition: Option<u32>) -> Self {
        self.partition = partition;
        self
    }

    /// The record of a line.
    pub(super) fn record(&self, line: Bytes) -> Result<Record, LineError> {
        let (key, value) = self.split(line)?;
        let mut record = Record::to(Arc::clone(&self.topic));
        if let Some(key) = key {
            record = record.key(key);
        }
        if self.null_value.as_ref() != Some(&value) {
            record = record.value(value);
        }
        for (key, value) in &self.headers {
            record = record.header(Arc::clone(key), value.clone());
        }
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        Ok(record)
    }

    fn split(&self, line: Bytes) -> Result<(Option<Bytes>, Bytes), LineError> {
        let Some(delimiter) = &self.key_delimiter else { return Ok((None, line)) };
        match line.windows(delimiter.len()).position(|window| window == delimiter) {
            Some(at) => Ok((Some(line.slice(..at)), line.slice(at + delimiter.len()..))),
            None => {
                let delimiter = String::from_utf8_lossy(delimiter).escape_debug().to_string();
                Err(LineError::NoDelimiter { delimiter })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser() -> LineParser {
        LineParser::new("t")
    }

    fn delimiter(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_plain_line_is_the_value_and_an_empty_one_an_empty_value() {
        let record = parser().record("a:b\r".into()).unwrap();
        assert_eq!(record, Record::to("t").value("a:b\r"));
        assert_eq!(parser().record(Bytes::new()).unwrap(), Record::to("t").value(""));
    }

    #[test]
    fn the_first_delimiter_ends_the_key() {
        let parser = parser().key_delimiter(delimiter(":"));
        assert_eq!(parser.record("k:v:w".into()).unwrap(), Record::to("t").key("k").value("v:w"));
        assert_eq!(parser.record(":".into()).unwrap(), Record::to("t").key("").value(""));
        let error = parser.record("kv".into()).unwrap_err();
        assert_eq!(error, LineError::NoDelimiter { delimiter: ":".into() });
        assert!(parser.record(Bytes::new()).is_err());
    }

    #[test]
    fn a_delimiter_may_be_long_and_is_shown_readably() {
        let parser = parser().key_delimiter(delimiter("\t="));
        assert_eq!(parser.record("k\t=v".into()).unwrap(), Record::to("t").key("k").value("v"));
        assert_eq!(
            parser.record("k".into()).unwrap_err().to_string(),
            "the line has no key delimiter '\\t='"
        );
    }

    #[test]
    fn null_values_headers_and_partition() {
        let headers = [("a".into(), "1".into()), ("a".into(), String::new())];
        let parser = parser()
            .key_delimiter(delimiter(":"))
            .null_value(Some("NULL"))
            .headers(&headers)
            .partition(Some(3));
        let expected = Record::to("t").key("k").header("a", "1").header("a", "").partition(3);
        assert_eq!(parser.record("k:NULL".into()).unwrap(), expected);
        assert_eq!(parser.record("k:null".into()).unwrap(), expected.value("null"));
    }
}
