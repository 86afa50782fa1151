//! Which APIs there are, in which versions, and which of them the broker names to its clients: one table.

use super::{
    alter_configs, api_versions, create_partitions, create_topics, delete_groups, delete_records,
    delete_topics, describe_cluster, describe_configs, describe_groups, describe_log_dirs,
    describe_producers, describe_topic_partitions,
    error::{DecodeError, DecodeProblem, EncodeError, EncodeProblem},
    fetch, find_coordinator, heartbeat, incremental_alter_configs, init_producer_id, join_group, leave_group,
    list_groups, list_offsets, metadata, offset_commit, offset_delete, offset_fetch, offset_for_leader_epoch,
    primitives::Wire,
    produce,
    reader::Reader,
    sample::Entropy,
    sink::Sink,
    sync_group,
    table::Form,
};
use std::ops::RangeInclusive;

/// What the table says of one API.
#[derive(Debug, Clone, Copy)]
struct Row {
    number: i16,
    name: &'static str,
    version_min: i16,
    version_max: i16,
    advertised_min: i16,
    flexible_from: i16,
}

/// A body of one API: its request or its response.
pub trait Message: Wire + Default + Clone + PartialEq + std::fmt::Debug {
    /// The API.
    const API: ApiKey;

    /// Reads the body of a message whose header has been read, to the end of the frame.
    ///
    /// # Errors
    /// When the version is not served, or the bytes are not the message: see [`DecodeProblem`].
    fn decode_body(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        let Some(form) = Self::API.form(version) else {
            return Err(reader.error(DecodeProblem::Version { version }));
        };
        let body = Self::decode(reader, form)?;
        reader.finish()?;
        Ok(body)
    }
}

/// Writes a body behind its header.
pub(super) fn encode_body<M: Message>(body: &M, version: i16, sink: &mut Sink) -> Result<(), EncodeError> {
    let Some(form) = M::API.form(version) else {
        let problem = EncodeProblem::Version { version };
        return Err(EncodeError { field: M::API.name(), problem });
    };
    body.encode(sink, form)
}

/// A body that a client sends.
pub trait Request: Message {
    /// What the broker answers with.
    type Response: Response;
}

/// A body that a broker sends.
pub trait Response: Message {}

/// The APIs, by rising number: `Name = number, served versions [advertised from], flexible from, module::{request, response}`.
macro_rules! apis {
    ($(
        $name:ident = $number:literal, $min:literal - $max:literal $(advertised $advertised:literal)?,
        $flexible:expr, $module:ident::{$request:ident, $response:ident};
    )*) => {
        /// An API of the protocol that there is a codec for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("Number ", $number, ", served in versions ", $min, " to ", $max, ".")]
                $name = $number,
            )*
        }

        impl ApiKey {
            /// All of them, by rising number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        number: $number,
                        name: stringify!($name),
                        version_min: $min,
                        version_max: $max,
                        advertised_min: [$($advertised,)? $min][0],
                        flexible_from: $flexible,
                    },)*
                }
            }
        }

        /// The body of any request.
        #[derive(Debug, Clone, PartialEq)]
        pub enum RequestBody {
            $(
                #[doc = concat!("Of ", stringify!($name), ".")]
                $name($module::$request),
            )*
        }

        /// The body of any response.
        #[derive(Debug, Clone, PartialEq)]
        pub enum ResponseBody {
            $(
                #[doc = concat!("Of ", stringify!($name), ".")]
                $name($module::$response),
            )*
        }

        $(
            impl Message for $module::$request {
                const API: ApiKey = ApiKey::$name;
            }

            impl Request for $module::$request {
                type Response = $module::$response;
            }

            impl Message for $module::$response {
                const API: ApiKey = ApiKey::$name;
            }

            impl Response for $module::$response {}

            impl From<$module::$response> for ResponseBody {
                fn from(body: $module::$response) -> Self {
                    Self::$name(body)
                }
            }

            impl From<$module::$request> for RequestBody {
                fn from(body: $module::$request) -> Self {
                    Self::$name(body)
                }
            }
        )*

        any_body! { RequestBody, $($name $module::$request),* }
        any_body! { ResponseBody, $($name $module::$response),* }
    };
}

macro_rules! any_body {
    ($any:ident, $($name:ident $body:ty),*) => {
        impl $any {
            /// The API that it is of.
            #[must_use]
            pub fn api(&self) -> ApiKey {
                match self {
                    $(Self::$name(_) => ApiKey::$name,)*
                }
            }

            /// Reads the body of a message whose header has been read, to the end of the frame.
            ///
            /// # Errors
            /// When the version is not served, or the bytes are not the message: see [`DecodeProblem`].
            pub fn decode(api: ApiKey, version: i16, reader: &mut Reader) -> Result<Self, DecodeError> {
                match api {
                    $(ApiKey::$name => <$body>::decode_body(reader, version).map(Self::$name),)*
                }
            }

            pub(super) fn encode(&self, version: i16, sink: &mut Sink) -> Result<(), EncodeError> {
                match self {
                    $(Self::$name(body) => encode_body(body, version, sink),)*
                }
            }

            /// A body that can be written in this version, made from the bytes `entropy`: for tests and fuzz bodies.
            /// The same bytes make the same body, and any bytes make one. `None` if the version is not served.
            #[must_use]
            pub fn sample(api: ApiKey, version: i16, entropy: &[u8]) -> Option<Self> {
                let form = api.form(version)?;
                let mut entropy = Entropy::new(entropy);
                Some(match api {
                    $(ApiKey::$name => Self::$name(Wire::sample(&mut entropy, form)),)*
                })
            }
        }
    };
}

/// For an API whose versions are all from before KIP-482.
const NEVER: i16 = i16::MAX;

apis! {
    // An old librdkafka stops compressing when it does not see a Produce below 3.
    Produce = 0, 3-11 advertised 0, 9, produce::{ProduceRequest, ProduceResponse};
    Fetch = 1, 4-16, 12, fetch::{FetchRequest, FetchResponse};
    ListOffsets = 2, 1-9, 6, list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
    Metadata = 3, 0-12, 9, metadata::{MetadataRequest, MetadataResponse};
    OffsetCommit = 8, 2-8, 8, offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
    OffsetFetch = 9, 1-8, 6, offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
    FindCoordinator = 10, 0-6, 3, find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
    JoinGroup = 11, 0-9, 6, join_group::{JoinGroupRequest, JoinGroupResponse};
    Heartbeat = 12, 0-4, 4, heartbeat::{HeartbeatRequest, HeartbeatResponse};
    LeaveGroup = 13, 0-5, 4, leave_group::{LeaveGroupRequest, LeaveGroupResponse};
    SyncGroup = 14, 0-5, 4, sync_group::{SyncGroupRequest, SyncGroupResponse};
    DescribeGroups = 15, 0-5, 5, describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
    ListGroups = 16, 0-5, 3, list_groups::{ListGroupsRequest, ListGroupsResponse};
    ApiVersions = 18, 0-4, 3, api_versions::{ApiVersionsRequest, ApiVersionsResponse};
    CreateTopics = 19, 2-7, 5, create_topics::{CreateTopicsRequest, CreateTopicsResponse};
    DeleteTopics = 20, 1-6, 4, delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
    DeleteRecords = 21, 0-2, 2, delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
    InitProducerId = 22, 0-5, 2, init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
    OffsetForLeaderEpoch = 23, 2-4, 4,
        offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
    DescribeConfigs = 32, 1-4, 4, describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};
    AlterConfigs = 33, 0-2, 2, alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
    DescribeLogDirs = 35, 1-4, 2, describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
    CreatePartitions = 37, 0-3, 2, create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse};
    DeleteGroups = 42, 0-2, 2, delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
    IncrementalAlterConfigs = 44, 0-1, 1,
        incremental_alter_configs::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
    OffsetDelete = 47, 0-0, NEVER, offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
    DescribeCluster = 60, 0-1, 0, describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
    DescribeProducers = 61, 0-0, 0, describe_producers::{DescribeProducersRequest, DescribeProducersResponse};
    DescribeTopicPartitions = 75, 0-0, 0,
        describe_topic_partitions::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
}

impl ApiKey {
    /// The API of this number, if there is a codec for it.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|api| api.number() == number)
    }

    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> i16 {
        self.row().number
    }

    /// Its name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The versions that there is a codec for.
    #[must_use]
    pub fn served(self) -> RangeInclusive<i16> {
        self.row().version_min..=self.row().version_max
    }

    /// The versions that ApiVersions names: the served ones, and for some clients' sake lower ones that are not served.
    #[must_use]
    pub fn advertised(self) -> RangeInclusive<i16> {
        self.row().advertised_min..=self.row().version_max
    }

    /// Whether the version has compact lengths and tagged fields (KIP-482), in its body and in its headers.
    #[must_use]
    pub fn flexible(self, version: i16) -> bool {
        version >= self.row().flexible_from
    }

    /// How this version's bodies are written, if it is served.
    pub(super) fn form(self, version: i16) -> Option<Form> {
        let flexible = self.flexible(version);
        self.served().contains(&version).then_some(Form { version, flexible, nullable: false })
    }
}

impl std::fmt::Display for ApiKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}
