//! A request of each API whose text is what a test wants: names of topics, of groups, of settings.

use bytes::Bytes;
use cairn_proto::kafka::{
    ApiKey, RequestBody, alter_configs, api_versions::ApiVersionsRequest, create_partitions, create_topics,
    delete_groups::DeleteGroupsRequest, delete_records, delete_topics,
    describe_cluster::DescribeClusterRequest, describe_configs, describe_groups::DescribeGroupsRequest,
    describe_log_dirs, describe_producers, describe_topic_partitions, fetch,
    find_coordinator::FindCoordinatorRequest, heartbeat::HeartbeatRequest, incremental_alter_configs,
    init_producer_id::InitProducerIdRequest, join_group, leave_group::LeaveGroupRequest,
    list_groups::ListGroupsRequest, list_offsets, metadata, offset_commit, offset_delete, offset_fetch,
    offset_for_leader_epoch, produce, sync_group::SyncGroupRequest,
};

/// A request that says `text` where there is place for text, if the version has such a place.
pub(super) fn saying(api: ApiKey, version: i16, text: &str) -> Option<RequestBody> {
    let of_partitions = partitions(api, version, text);
    of_partitions.or_else(|| of_topics(api, version, text)).or_else(|| of_groups(api, version, text))
}

/// APIs that name topics and partitions in them.
fn partitions(api: ApiKey, version: i16, text: &str) -> Option<RequestBody> {
    let name = text.to_owned();
    Some(match api {
        ApiKey::Produce => {
            let data = produce::PartitionProduceData { index: 0, records: Some(Bytes::from_static(b"x")) };
            let topic = produce::TopicProduceData { name, partition_data: vec![data] };
            produce::ProduceRequest { acks: -1, topic_data: vec![topic], ..Default::default() }.into()
        }
        ApiKey::Fetch if version < 13 => {
            let partitions = vec![fetch::FetchPartition::default()];
            let topic = fetch::FetchTopic { topic: name, partitions, ..Default::default() };
            fetch::FetchRequest { topics: vec![topic], ..Default::default() }.into()
        }
        ApiKey::ListOffsets => {
            let partitions = vec![list_offsets::ListOffsetsPartition::default()];
            let topics = vec![list_offsets::ListOffsetsTopic { name, partitions }];
            list_offsets::ListOffsetsRequest { topics, ..Default::default() }.into()
        }
        ApiKey::OffsetForLeaderEpoch => {
            let partitions = vec![offset_for_leader_epoch::OffsetForLeaderPartition::default()];
            let topics = vec![offset_for_leader_epoch::OffsetForLeaderTopic { topic: name, partitions }];
            offset_for_leader_epoch::OffsetForLeaderEpochRequest { topics, ..Default::default() }.into()
        }
        ApiKey::DeleteRecords => {
            let partitions = vec![delete_records::DeleteRecordsPartition::default()];
            let topics = vec![delete_records::DeleteRecordsTopic { name, partitions }];
            delete_records::DeleteRecordsRequest { topics, timeout_ms: 1000 }.into()
        }
        ApiKey::DescribeLogDirs => {
            let topic = describe_log_dirs::DescribableLogDirTopic { topic: name, partitions: vec![0] };
            describe_log_dirs::DescribeLogDirsRequest { topics: Some(vec![topic]) }.into()
        }
        ApiKey::DescribeProducers => {
            let topics = vec![describe_producers::TopicRequest { name, partition_indexes: vec![0] }];
            describe_producers::DescribeProducersRequest { topics }.into()
        }
        _ => return None,
    })
}

/// APIs that name topics.
fn of_topics(api: ApiKey, version: i16, text: &str) -> Option<RequestBody> {
    let name = text.to_owned();
    let (resource_type, resource_name) = (2, text.to_owned());
    Some(match api {
        ApiKey::Metadata => {
            let topic = metadata::MetadataRequestTopic { name: Some(name), ..Default::default() };
            metadata::MetadataRequest { topics: Some(vec![topic]), ..Default::default() }.into()
        }
        ApiKey::CreateTopics => {
            let config =
                create_topics::CreatableTopicConfig { name: name.clone(), value: Some(name.clone()) };
            let configs = vec![config];
            let topic = create_topics::CreatableTopic {
                name,
                num_partitions: 1,
                replication_factor: 1,
                configs,
                ..Default::default()
            };
            create_topics::CreateTopicsRequest { topics: vec![topic], ..Default::default() }.into()
        }
        ApiKey::DeleteTopics if version < 6 => {
            delete_topics::DeleteTopicsRequest { topic_names: vec![name], ..Default::default() }.into()
        }
        ApiKey::DeleteTopics => {
            let topic = delete_topics::DeleteTopicState { name: Some(name), ..Default::default() };
            delete_topics::DeleteTopicsRequest { topics: vec![topic], ..Default::default() }.into()
        }
        ApiKey::CreatePartitions => {
            let topic = create_partitions::CreatePartitionsTopic { name, count: 2, assignments: None };
            create_partitions::CreatePartitionsRequest { topics: vec![topic], ..Default::default() }.into()
        }
        ApiKey::DescribeTopicPartitions => {
            let topics = vec![describe_topic_partitions::TopicRequest { name }];
            describe_topic_partitions::DescribeTopicPartitionsRequest { topics, ..Default::default() }.into()
        }
        ApiKey::DescribeConfigs => {
            let configuration_keys = Some(vec![name]);
            let resource = describe_configs::DescribeConfigsResource {
                resource_type,
                resource_name,
                configuration_keys,
            };
            describe_configs::DescribeConfigsRequest { resources: vec![resource], ..Default::default() }
                .into()
        }
        ApiKey::AlterConfigs => {
            let configs = vec![alter_configs::AlterableConfig { name: name.clone(), value: Some(name) }];
            let resource = alter_configs::AlterConfigsResource { resource_type, resource_name, configs };
            alter_configs::AlterConfigsRequest { resources: vec![resource], validate_only: false }.into()
        }
        ApiKey::IncrementalAlterConfigs => {
            let config = incremental_alter_configs::AlterableConfig {
                name: name.clone(),
                config_operation: 2,
                value: Some(name),
            };
            let resource = incremental_alter_configs::AlterConfigsResource {
                resource_type: 4,
                resource_name: "1".into(),
                configs: vec![config],
            };
            let resources = vec![resource];
            incremental_alter_configs::IncrementalAlterConfigsRequest { resources, validate_only: false }
                .into()
        }
        _ => return None,
    })
}

/// APIs that name groups, and those that name nothing else.
fn of_groups(api: ApiKey, version: i16, text: &str) -> Option<RequestBody> {
    let (group_id, member_id) = (text.to_owned(), text.to_owned());
    Some(match api {
        ApiKey::ApiVersions if version >= 3 => {
            ApiVersionsRequest { client_software_name: group_id, client_software_version: member_id }.into()
        }
        ApiKey::ApiVersions => ApiVersionsRequest::default().into(),
        ApiKey::DescribeCluster => DescribeClusterRequest::default().into(),
        ApiKey::InitProducerId => {
            InitProducerIdRequest { transactional_id: Some(group_id), ..Default::default() }.into()
        }
        ApiKey::FindCoordinator if version < 4 => {
            FindCoordinatorRequest { key: group_id, ..Default::default() }.into()
        }
        ApiKey::FindCoordinator => {
            FindCoordinatorRequest { coordinator_keys: vec![group_id], ..Default::default() }.into()
        }
        ApiKey::JoinGroup => {
            let protocol =
                join_group::JoinGroupRequestProtocol { name: member_id.clone(), metadata: Bytes::new() };
            let protocols = vec![protocol];
            join_group::JoinGroupRequest { group_id, member_id, protocols, ..Default::default() }.into()
        }
        ApiKey::SyncGroup => SyncGroupRequest { group_id, member_id, ..Default::default() }.into(),
        ApiKey::Heartbeat => HeartbeatRequest { group_id, member_id, ..Default::default() }.into(),
        ApiKey::LeaveGroup => LeaveGroupRequest { group_id, ..Default::default() }.into(),
        ApiKey::DescribeGroups => {
            DescribeGroupsRequest { groups: vec![group_id], ..Default::default() }.into()
        }
        ApiKey::DeleteGroups => DeleteGroupsRequest { groups_names: vec![group_id] }.into(),
        ApiKey::ListGroups if version >= 4 => {
            ListGroupsRequest { states_filter: vec![group_id], ..Default::default() }.into()
        }
        ApiKey::ListGroups => ListGroupsRequest::default().into(),
        ApiKey::OffsetCommit => {
            let partition = offset_commit::OffsetCommitRequestPartition {
                committed_metadata: Some(member_id.clone()),
                ..Default::default()
            };
            let topic = offset_commit::OffsetCommitRequestTopic {
                name: text.to_owned(),
                partitions: vec![partition],
            };
            offset_commit::OffsetCommitRequest {
                group_id,
                member_id,
                topics: vec![topic],
                ..Default::default()
            }
            .into()
        }
        ApiKey::OffsetFetch if version < 8 => {
            let topic =
                offset_fetch::OffsetFetchRequestTopic { name: text.to_owned(), partition_indexes: vec![0] };
            offset_fetch::OffsetFetchRequest { group_id, topics: Some(vec![topic]), ..Default::default() }
                .into()
        }
        ApiKey::OffsetFetch => {
            let group = offset_fetch::OffsetFetchRequestGroup { group_id, topics: None };
            offset_fetch::OffsetFetchRequest { groups: vec![group], ..Default::default() }.into()
        }
        ApiKey::OffsetDelete => {
            let partitions = vec![offset_delete::OffsetDeleteRequestPartition::default()];
            let topics = vec![offset_delete::OffsetDeleteRequestTopic { name: text.to_owned(), partitions }];
            offset_delete::OffsetDeleteRequest { group_id, topics }.into()
        }
        _ => return None,
    })
}
