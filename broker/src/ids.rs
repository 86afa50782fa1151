//! Newtypes for every number and name that must not be swapped with another. A value of one of these types is always
//! within its range; arithmetic that could leave it is checked where it is done.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl $name {
            /// The number itself.
            pub const fn get(self) -> $inner {
                self.0
            }
            /// The next one. Overflow is a broken invariant, not an input.
            #[must_use]
            pub fn next(self) -> Self {
                match self.0.checked_add(1) {
                    Some(next) => Self(next),
                    None => panic!(concat!(stringify!($name), " overflows")),
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

number!(
    /// Position of a record in a partition, or an exclusive end; never negative.
    Offset(i64)
);
number!(
    /// +1 on every leader change of a partition (KIP-101). Stored in each batch.
    LeaderEpoch(i32)
);
number!(
    /// +1 on every change of a partition's record (KIP-497).
    PartitionEpoch(i32)
);
number!(
    /// Metadata-log index of a broker's registration: one per process life (KIP-903).
    BrokerEpoch(u64)
);
number!(
    /// A broker's configured number.
    BrokerId(u32)
);
number!(
    /// A log of one data directory's storage. Given by the metadata, never used again.
    LogId(u64)
);
number!(
    /// Index of a partition within its topic.
    PartitionIndex(u32)
);
number!(
    /// Index of a command in the metadata log.
    MetadataIndex(u64)
);
number!(
    /// An idempotent producer (KIP-98).
    ProducerId(i64)
);

impl Offset {
    /// The first offset of every log.
    pub const ZERO: Offset = Offset(0);

    /// This offset moved forward by a count of records.
    #[must_use]
    pub fn advance(self, records: i64) -> Self {
        match self.0.checked_add(records) {
            Some(sum) => Self(sum),
            None => panic!("an offset overflows"),
        }
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);
        impl $name {
            /// From 16 bytes as they travel on the wire; `None` for another length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
            /// As it travels on the wire.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

uuid_id!(
    /// A topic's identity: a re-created topic of the same name has another one (KIP-516).
    TopicId
);
uuid_id!(
    /// A cluster's identity, made once.
    ClusterId
);
uuid_id!(
    /// A data directory's identity, made when it is formatted.
    DirectoryId
);
uuid_id!(
    /// One process life of a broker: a retried registration carries the same.
    IncarnationId
);

/// A partition of a topic, by identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicId,
    /// Which of its partitions.
    pub partition: PartitionIndex,
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
