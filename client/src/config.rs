//! What an application may choose, with defaults that need no choice, and the limits of the client with their units
//! in one place.

use std::time::Duration;

/// Batches of one partition that may be unanswered at once: what a broker remembers of each producer.
pub(crate) const IN_FLIGHT_BATCHES_MAX: u64 = 5;
/// Records wait this long for company, unless the application says otherwise.
pub(crate) const LINGER_DEFAULT: Duration = Duration::from_millis(5);
/// A batch is closed when it has reached this size.
pub(crate) const BATCH_BYTES_DEFAULT: usize = 256 * 1024;
/// Bytes of records that are not yet answered, before a send waits.
pub(crate) const BUFFER_BYTES_DEFAULT: usize = 64 * 1024 * 1024;
/// From a record's send to its last possible answer.
pub(crate) const DELIVERY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(120);
/// Bytes of batches that a broker may push ahead of the application.
pub(crate) const FETCH_BUFFER_BYTES_DEFAULT: usize = 16 * 1024 * 1024;
/// For one unary call.
pub(crate) const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// For the TCP connection and the HTTP/2 handshake.
pub(crate) const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// One message of the protocol: a request's worth of batches and its frame.
pub(crate) const DECODED_MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What one batch may decompress to.
pub(crate) const DECOMPRESSED_BATCH_BYTES_MAX: usize = 128 * 1024 * 1024;
/// What a record costs in the producer's buffer beyond its key, value and headers.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 64;

/// What must have happened before a send is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Acks {
    /// Every in-sync replica holds the record durably.
    #[default]
    All,
    /// The leader holds it. Excludes idempotence.
    Leader,
    /// Nothing: the record was handed to the connection. Excludes idempotence; deliveries carry offset -1.
    None,
}

/// Where a consumer begins to read a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StartAt {
    /// At the oldest record there is.
    Beginning,
    /// Behind the newest record there is now.
    #[default]
    End,
    /// At this offset.
    Offset(i64),
    /// This many offsets before the end; at the beginning if there are not as many.
    FromEnd(u64),
    /// At the first record with this timestamp or a later one, in ms since the epoch; at the end if there is none.
    Timestamp(i64),
}

/// What a consumer does when its offset is no longer (or not yet) in the log. Nothing is skipped unless this says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OutOfRange {
    /// Reports [`ConsumeError::OffsetOutOfRange`](crate::ConsumeError::OffsetOutOfRange).
    #[default]
    Error,
    /// Goes on at the oldest record.
    Earliest,
    /// Goes on behind the newest record.
    Latest,
}

/// Where a consumer of a group begins in a partition for which the group has committed nothing, or an offset that is no longer
/// in the log. Kafka calls it `auto.offset.reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OffsetReset {
    /// At the oldest record there is: nothing is skipped.
    #[default]
    Earliest,
    /// Behind the newest record there is then.
    Latest,
    /// It says so by an error; the application seeks.
    None,
}

impl std::str::FromStr for OffsetReset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            "none" => Ok(Self::None),
            _ => Err(format!("expected earliest, latest or none, not {text:?}")),
        }
    }
}

/// Addresses of brokers to begin with, each `HOST:PORT`, tried in turn. Text may hold several, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Addresses(pub(crate) Vec<String>);

impl Addresses {
    fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let pieces = texts.into_iter().flat_map(|text| text.split(','));
        Self(pieces.map(str::trim).filter(|piece| !piece.is_empty()).map(str::to_owned).collect())
    }
}

impl From<&str> for Addresses {
    fn from(text: &str) -> Self {
        Self::from_texts([text])
    }
}

impl From<String> for Addresses {
    fn from(text: String) -> Self {
        Self::from_texts([text.as_str()])
    }
}

impl From<&String> for Addresses {
    fn from(text: &String) -> Self {
        Self::from_texts([text.as_str()])
    }
}

impl From<Vec<String>> for Addresses {
    fn from(texts: Vec<String>) -> Self {
        Self::from_texts(texts.iter().map(String::as_str))
    }
}

impl From<&[String]> for Addresses {
    fn from(texts: &[String]) -> Self {
        Self::from_texts(texts.iter().map(String::as_str))
    }
}

impl<const N: usize> From<[&str; N]> for Addresses {
    fn from(texts: [&str; N]) -> Self {
        Self::from_texts(texts)
    }
}
