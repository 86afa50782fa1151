//! The options that `produce` and `bench produce` share, by the names that users know, and the producer they make.

use crate::failure::Failure;
use cairn_client::{Acks, Client, Compression, Producer};
use clap::{Args, ValueEnum};
use std::time::Duration;

/// What must have happened before a record counts as acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcksOption {
    /// Every in-sync replica holds it durably; retries make no duplicates.
    #[default]
    All,
    /// The leader holds it; a retry may make a duplicate.
    Leader,
    /// Nothing: it was sent.
    None,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionOption {
    /// Not at all.
    #[default]
    None,
    /// gzip
    Gzip,
    /// Snappy
    Snappy,
    /// LZ4
    Lz4,
    /// Zstandard
    Zstd,
}

/// Options of a producer.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SendingArgs {
    /// When a record counts as acknowledged; leader and none give up idempotence
    #[arg(long, value_enum, default_value_t, value_name = "all|leader|none")]
    pub(crate) acks: AcksOption,
    /// How batches are compressed
    #[arg(long, value_enum, default_value_t, value_name = "CODEC")]
    pub(crate) compression: CompressionOption,
}

/// What `produce` may choose beyond that.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct BatchingArgs {
    /// How long a record waits for others to share its batch [default: not at all while nothing is unanswered, else 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=600_000))]
    pub(crate) linger_ms: Option<u64>,
    /// The size in bytes at which a batch is sent [default: 262144]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub(crate) batch_bytes: Option<u32>,
}

impl SendingArgs {
    /// Makes the producer.
    pub(crate) async fn producer(
        &self,
        client: &Client,
        batching: BatchingArgs,
    ) -> Result<Producer, Failure> {
        let acks = match self.acks {
            AcksOption::All => Acks::All,
            AcksOption::Leader => Acks::Leader,
            AcksOption::None => Acks::None,
        };
        let compression = match self.compression {
            CompressionOption::None => Compression::None,
            CompressionOption::Gzip => Compression::Gzip,
            CompressionOption::Snappy => Compression::Snappy,
            CompressionOption::Lz4 => Compression::Lz4,
            CompressionOption::Zstd => Compression::Zstd,
        };
        let idempotent = self.acks == AcksOption::All;
        let mut builder = client.producer().acks(acks).idempotent(idempotent).compression(compression);
        if let Some(linger_ms) = batching.linger_ms {
            builder = builder.linger(Duration::from_millis(linger_ms));
        }
        if let Some(batch_bytes) = batching.batch_bytes.and_then(|bytes| usize::try_from(bytes).ok()) {
            builder = builder.batch_bytes(batch_bytes);
        }
        Ok(builder.build().await?)
    }
}
