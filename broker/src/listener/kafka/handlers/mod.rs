//! One file for each API: a request of it into calls of the broker, their answers into its response. A new one is a
//! file with a function `handle`, and a line in the table.

pub(super) mod produce;

use super::answering::Call;
use crate::service::Refusal;
use cairn_proto::kafka::{ApiKey, RequestBody, ResponseBody};

/// The APIs that are served, and advertised: `Name => file`. Produce is served besides.
macro_rules! handlers {
    ($($api:ident => $module:ident,)*) => {
        $(mod $module;)*

        /// What is served, and advertised.
        pub(super) const SERVED: &[ApiKey] = &[ApiKey::Produce, $(ApiKey::$api),*];

        /// The response.
        ///
        /// # Errors
        /// The broker is shutting down: the connection ends.
        pub(super) async fn answer(call: &Call, request: RequestBody) -> Result<ResponseBody, Refusal> {
            match request {
                // In boxes, so that a connection is not as large as the largest of them.
                $(RequestBody::$api(request) => Ok(Box::pin($module::handle(call, request)).await?.into()),)*
                other => unreachable!("{} was let in and has no handler", other.api()),
            }
        }
    };
}

handlers! {
    AlterConfigs => alter_configs,
    ApiVersions => api_versions,
    CreatePartitions => create_partitions,
    CreateTopics => create_topics,
    DeleteGroups => delete_groups,
    DeleteRecords => delete_records,
    DeleteTopics => delete_topics,
    DescribeCluster => describe_cluster,
    DescribeConfigs => describe_configs,
    DescribeGroups => describe_groups,
    DescribeLogDirs => describe_log_dirs,
    DescribeProducers => describe_producers,
    DescribeTopicPartitions => describe_topic_partitions,
    Fetch => fetch,
    FindCoordinator => find_coordinator,
    Heartbeat => heartbeat,
    IncrementalAlterConfigs => incremental_alter_configs,
    InitProducerId => init_producer_id,
    JoinGroup => join_group,
    LeaveGroup => leave_group,
    ListGroups => list_groups,
    ListOffsets => list_offsets,
    Metadata => metadata,
    OffsetCommit => offset_commit,
    OffsetDelete => offset_delete,
    OffsetFetch => offset_fetch,
    OffsetForLeaderEpoch => offset_for_leader_epoch,
    SyncGroup => sync_group,
}

/// Whether requests of this API are let in.
pub(super) fn serves(api: ApiKey) -> bool {
    SERVED.contains(&api)
}
