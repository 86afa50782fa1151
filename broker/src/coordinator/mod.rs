//! Consumer groups: who shares the partitions of a topic, and how far each group has read. [`group`] decides and knows
//! neither time nor disk; [`groups`] keeps all of them with their offsets; [`record`] is what is written of both. A
//! [`Coordinator`] is the thin rest: it finds the shard, takes its lock, and waits.

mod error;
pub mod group;
pub mod groups;
mod handle;
pub mod native;
mod native_record;
pub mod record;
mod shard;
pub mod subscription;
mod worker;

pub use error::CoordinatorError;
pub use group::GroupOptions;
pub use handle::{Coordinator, FoundOffsets, METADATA_BYTES_MAX};
pub use worker::{CoordinatorParts, OFFSETS_TOPIC, Worker};
