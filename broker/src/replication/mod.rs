//! Partitions: who may append, what counts as committed, who waits for it. Everything above asks here and never touches
//! a log.
//!
//! ```text
//!  Replicas::produce ─► lane (a plain thread; a partition always has the same) ─► checksum, framing
//!      ─► Partition: may this leader accept it? ─► Log::append ─► acknowledgement parked at the batch's end
//!  journal synced (with durability=async: written) ─► ReplicaTable::durable_advanced ─► own offset ─► high watermark ─► acknowledgements and fetches wake
//!  image changed ─► Replicas::apply_image ─► logs created, deleted by recorded cause, leadership taken
//! ```
//!
//! What always holds:
//! * The high watermark only moves through `leader::LeaderState`, which is pure and asserts its gate (I13).
//! * An acknowledgement is answered exactly once, in offset order per partition, outside every lock (I25).
//! * Nothing at or above the high watermark is shown to a consumer (I28), and none is told before it has reached what the
//!   leader had when it was elected (I14).
//! * The journal's thread takes a partition's state lock only; whoever holds that lock never waits for the journal.

mod error;
mod images;
mod lanes;
mod leader;
mod partition;
mod produce;
mod read;
mod replicas;
mod request;
mod retention;
mod setup;
mod status;
mod table;
mod waiters;

pub use error::{DeleteRecordsError, FetchError, ProduceError, ReplicationError};
pub use read::{OffsetAnswer, OffsetQuery, Read, ReadRequest};
pub use replicas::Replicas;
pub use request::{Acks, FetchWaker, OnDeleted, OnProduced, ProduceRequest, Produced};
pub use setup::{Lanes, ReplicasOptions, ReplicasSetup};
pub use status::{PartitionStatus, ReplicasStatus};

// What the layers above need of storage's words, so that they need not look further down.
pub use crate::storage::{CommitDriver, ProducerFacts, RecoveryReport, Residency, StoreOptions};
