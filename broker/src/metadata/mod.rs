//! What the cluster has agreed on: brokers, topics, partitions, configuration. Today one voter decides; nobody outside
//! sees how.
//!
//! ```text
//!  Handle::propose ─► queue ─► one thread: apply to the state ahead ─► append to the metadata log ─► one sync for all
//!                                                                      └─► publish the image ─► answer
//!  Handle::open    ─► snapshot (the better of two copies) ─► commands behind it ─► image
//! ```
//!
//! What always holds:
//! * [`ClusterState::apply`] is pure and deterministic; a refused command changes nothing.
//! * A command is one record of one batch: its offset is its index, the batch's leader epoch its term.
//! * An image that anybody sees is durable. Images share what did not change.
//! * Every change of a partition raises its partition epoch by one, and only from the epochs that its proposer saw.

mod apply_broker;
mod apply_partition;
mod apply_topic;
mod broker_set;
mod command;
mod command_log;
mod election;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod handle;
mod placement;
mod record;
mod snapshot;
mod state;
pub mod topic_config;
mod topic_name;
mod voter;

pub use broker_set::BrokerSet;
pub use command::{Command, Outcome, Registration};
pub use error::{MetadataError, MetadataFailure, ProposeError, Rejection};
pub use handle::{Committed, Handle, MetadataOptions, MetadataSetup};
pub use record::{
    BrokerRecord, DeletedTopic, Durability, Endpoints, LossCause, LossEvent, PartitionRecord, RecoveryState,
    Topic,
};
pub use state::ClusterState;
pub use topic_config::{CleanupPolicy, ConfigError, TimestampType, TopicConfig};
pub use topic_name::{NAME_LENGTH_MAX as TOPIC_NAME_LENGTH_MAX, TopicNameError, is_topic_name};
