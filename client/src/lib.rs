//! The Rust client of Cairn: a [`Producer`] that is idempotent by default, a [`Consumer`] that is a stream, a
//! [`GroupConsumer`] that shares topics with others, and [`Admin`], over one [`Client`].
//!
//! ```no_run
//! use cairn_client::{Client, NewTopic, Record, StartAt};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("127.0.0.1:9095").await?;
//! client.admin().create_topic(NewTopic::named("orders").partitions(4)).await?;
//!
//! let producer = client.producer().build().await?;
//! let delivery = producer.send(Record::to("orders").key("7").value("two boxes")).await?;
//! println!("stored at offset {}", delivery.await?.offset);
//!
//! let mut consumer = client.consumer().assign_all("orders").from(StartAt::Beginning).build().await?;
//! while let Some(record) = consumer.next_record().await {
//!     println!("{:?}", record?.value);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What always holds: a delivery that resolves `Ok` under [`Acks::All`] names the offset of a record that every
//! in-sync replica holds durably; the records of one partition stand in the order of their sends, each once;
//! whatever cannot be known is said ([`ProduceError::OutcomeUnknown`]), never guessed. While a broker restarts the
//! application sees latency, not errors, until its own timeout. All tasks belong to the client and end with it.

#![forbid(unsafe_code)]

mod admin;
mod batcher;
mod client;
mod clock;
mod config;
mod connection;
mod consumer;
mod coordinator;
mod error;
mod partitioner;
mod producer;
mod record;
mod retry;
mod routing;

pub use admin::{
    Admin, BrokerStatus, ClusterStatus, ConfigEntry, ConfigSource, CreatedTopic, DirectoryStatus,
    GroupDescription, GroupKind, GroupLag, GroupMember, GroupOffset, GroupSummary, NewTopic, OffsetAt,
    PartitionDescription, PartitionOffset, TopicAlteration, TopicDescription, TopicSummary,
};
pub use cairn_proto::record::{Compression, Header, Headers};
pub use client::{Client, ClientBuilder};
pub use config::{Acks, Addresses, OffsetReset, OutOfRange, StartAt};
pub use consumer::{
    ConsumedRecord, Consumer, ConsumerBuilder, RecordRun,
    group::{Commit, GroupConsumer, GroupConsumerBuilder, GroupEvent, GroupPartition},
};
pub use error::{AdminError, ConnectError, ConsumeError, GroupError, ProduceError};
pub use producer::{Delivered, Delivery, Producer, ProducerBuilder};
pub use record::Record;
