//! A record to send: bytes shared, never copied before they are encoded into their batch.

use bytes::Bytes;
use std::sync::Arc;

/// A record to send, built in one expression.
///
/// ```
/// use cairn_client::Record;
///
/// let record = Record::to("orders").key("customer 7").value("two boxes").header("source", "shop");
/// assert_eq!(record.topic(), "orders");
/// assert_eq!(record.payload_bytes(), 10 + 9 + 6 + 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: Option<u32>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(Arc<str>, Option<Bytes>)>,
}

impl Record {
    /// A record for this topic, with neither key nor value. An `Arc<str>` that is passed again and again saves the
    /// copy of the name.
    #[must_use]
    pub fn to(topic: impl Into<Arc<str>>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            timestamp_ms: None,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// Records with the same key go to the same partition, the one where Kafka's clients would put them.
    #[must_use]
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The payload.
    #[must_use]
    pub fn value(mut self, value: impl Into<Bytes>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// No payload, which a compacted topic takes as "delete this key". (A new record begins like this.)
    #[must_use]
    pub fn null_value(mut self) -> Self {
        self.value = None;
        self
    }

    /// One more header. Order and duplicate keys are kept.
    #[must_use]
    pub fn header(mut self, key: impl Into<Arc<str>>, value: impl Into<Bytes>) -> Self {
        self.headers.push((key.into(), Some(value.into())));
        self
    }

    /// One more header, whose value is null.
    #[must_use]
    pub fn null_header(mut self, key: impl Into<Arc<str>>) -> Self {
        self.headers.push((key.into(), None));
        self
    }

    /// Milliseconds since the epoch; otherwise the time of the send.
    #[must_use]
    pub fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// This partition, whatever the key.
    #[must_use]
    pub fn partition(mut self, partition: u32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Bytes of key, value and headers together.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let bytes = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter().map(|(key, value)| key.len() + bytes(value)).sum::<usize>();
        bytes(&self.key) + bytes(&self.value) + headers
    }
}
