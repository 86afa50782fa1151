//! The service `Admin`: topics and their configuration.

use super::{
    Services,
    convert::{self, Invalid, number},
    error_code::{Coded, Parts, success},
};
use crate::{
    ids::{BrokerId, PartitionIndex},
    metadata::{PartitionRecord, Topic},
    replication::PartitionStatus,
    service::{
        ConfigSource, Context, CreatedTopic, Deletion, DescribedConfig, DescribedTopic, NewTopic, Refusal,
        TopicChange, TopicError, topic_configs,
    },
};
use cairn_proto::v1::{self, ErrorCode, admin_server::Admin};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Admin for Services {
    async fn create_topic(
        &self,
        request: Request<v1::CreateTopicRequest>,
    ) -> Result<Response<v1::CreateTopicResponse>, Status> {
        let context = self.call(request.metadata());
        let response = match self.create(&context, request.into_inner()).await {
            Ok(created) => v1::CreateTopicResponse {
                topic_id: created.topic.as_bytes().to_vec().into(),
                partitions: created.partitions,
                replication_factor: created.replication_factor,
                ..v1::CreateTopicResponse::default()
            },
            Err((error, message)) => {
                v1::CreateTopicResponse { error, message, ..v1::CreateTopicResponse::default() }
            }
        };
        Ok(Response::new(response))
    }

    async fn delete_topic(
        &self,
        request: Request<v1::DeleteTopicRequest>,
    ) -> Result<Response<v1::DeleteTopicResponse>, Status> {
        let context = self.call(request.metadata());
        let outcome = self.broker.delete_topic(&context, &request.get_ref().name).await;
        let (error, message) = outcome.map_or_else(|error| error.parts(), |()| success());
        Ok(Response::new(v1::DeleteTopicResponse { error, message }))
    }

    async fn alter_topic(
        &self,
        request: Request<v1::AlterTopicRequest>,
    ) -> Result<Response<v1::AlterTopicResponse>, Status> {
        let context = self.call(request.metadata());
        let (error, message) = match self.alter(&context, request.into_inner()).await {
            Ok(()) => success(),
            Err(parts) => parts,
        };
        Ok(Response::new(v1::AlterTopicResponse { error, message }))
    }

    async fn list_topics(
        &self,
        request: Request<v1::ListTopicsRequest>,
    ) -> Result<Response<v1::ListTopicsResponse>, Status> {
        let context = self.call(request.metadata());
        let v1::ListTopicsRequest { after, limit } = request.into_inner();
        let (topics, more) = self
            .broker
            .list_topics(&context, &after, limit)
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let topics = topics.iter().map(|topic| summary(topic)).collect();
        Ok(Response::new(v1::ListTopicsResponse { topics, more }))
    }

    async fn describe_topic(
        &self,
        request: Request<v1::DescribeTopicRequest>,
    ) -> Result<Response<v1::DescribeTopicResponse>, Status> {
        let context = self.call(request.metadata());
        let response = match self.broker.describe_topic(&context, &request.get_ref().name) {
            Ok(described) => description(&described),
            Err(error) => {
                let (error, message) = error.parts();
                v1::DescribeTopicResponse { error, message, ..v1::DescribeTopicResponse::default() }
            }
        };
        Ok(Response::new(response))
    }

    async fn delete_records(
        &self,
        request: Request<v1::DeleteRecordsRequest>,
    ) -> Result<Response<v1::DeleteRecordsResponse>, Status> {
        let context = self.call(request.metadata());
        let response = match self.delete(&context, &request.into_inner()).await {
            Ok(log_start_offset) => {
                v1::DeleteRecordsResponse { log_start_offset, ..v1::DeleteRecordsResponse::default() }
            }
            Err((error, message)) => v1::DeleteRecordsResponse { error, message, log_start_offset: -1 },
        };
        Ok(Response::new(response))
    }
}

impl Services {
    async fn create(
        &self,
        context: &Context,
        request: v1::CreateTopicRequest,
    ) -> Result<CreatedTopic, Parts> {
        let count = |field, value, code: ErrorCode| {
            convert::count(field, value).map_err(|error| (code.into(), error.to_string()))
        };
        let new = NewTopic {
            partitions: count("partitions", request.partitions, ErrorCode::InvalidPartitions)?,
            replication_factor: count(
                "replication_factor",
                request.replication_factor,
                ErrorCode::InvalidReplicationFactor,
            )?,
            name: request.name,
            configs: request.configs.into_iter().collect(),
            validate_only: request.validate_only,
        };
        self.broker.create_topic(context, new).await.map_err(|error| error.parts())
    }

    async fn alter(&self, context: &Context, request: v1::AlterTopicRequest) -> Result<(), Parts> {
        let partitions = match request.partitions {
            0 => None,
            given => Some(u32::try_from(given).map_err(|_negative| {
                let error =
                    convert::invalid("partitions", given, "0 (unchanged) or the new total, at least 1");
                (ErrorCode::InvalidPartitions.into(), error.to_string())
            })?),
        };
        let set = request.set.into_iter().collect();
        let v1::AlterTopicRequest { name, reset, .. } = request;
        let change = TopicChange { name, partitions, set, reset, validate_only: false };
        self.broker.alter_topic(context, change).await.map_err(|error| error.parts())
    }

    async fn delete(&self, context: &Context, request: &v1::DeleteRecordsRequest) -> Result<i64, Parts> {
        let before = match request.before_offset {
            -1 => Ok(None),
            given => convert::offset("before_offset", given).map(Some),
        };
        let before = before.map_err(|error: Invalid| {
            (ErrorCode::InvalidRequest.into(), format!("{error}, or -1 for the high watermark"))
        })?;
        let partition = PartitionIndex(request.partition);
        let deletion = Deletion { topic: request.name.clone(), partition, before };
        let outcomes = self.broker.delete_records(context, vec![deletion]).await;
        let outcome = outcomes.map_err(|refusal| refusal.parts())?.pop();
        let outcome = outcome.unwrap_or_else(|| Err(TopicError::Refused(Refusal::ShuttingDown).into()));
        outcome.map(|start| start.get()).map_err(|error| error.parts())
    }
}

fn summary(topic: &Topic) -> v1::TopicSummary {
    v1::TopicSummary {
        name: topic.name.clone(),
        topic_id: topic.id.as_bytes().to_vec().into(),
        partitions: number(topic.partitions.len()),
        replication_factor: topic.replication_factor,
        internal: topic.internal,
    }
}

fn description(described: &DescribedTopic) -> v1::DescribeTopicResponse {
    let numbered = described.topic.numbered().zip(&described.partitions);
    v1::DescribeTopicResponse {
        error: ErrorCode::None.into(),
        message: String::new(),
        topic: Some(summary(&described.topic)),
        configs: topic_configs(&described.topic.configs, described.topic.internal)
            .iter()
            .map(config)
            .collect(),
        partitions: numbered
            .map(|((index, record), status)| partition(index, record, status.as_ref()))
            .collect(),
    }
}

fn config(described: &DescribedConfig) -> v1::ConfigEntry {
    let source = match described.source() {
        ConfigSource::Topic => v1::ConfigSource::Topic,
        ConfigSource::Broker | ConfigSource::Default => v1::ConfigSource::Default,
    };
    v1::ConfigEntry {
        name: described.name.to_owned(),
        value: described.value().to_owned(),
        default_value: described.default_value().to_owned(),
        source: source.into(),
        documentation: described.documentation.to_owned(),
    }
}

fn partition(
    index: PartitionIndex,
    record: &PartitionRecord,
    status: Option<&PartitionStatus>,
) -> v1::PartitionDescription {
    let numbers = |set: &crate::metadata::BrokerSet| set.iter().map(BrokerId::get).collect();
    v1::PartitionDescription {
        partition: index.get(),
        leader: leader(record),
        leader_epoch: record.leader_epoch.get(),
        partition_epoch: record.partition_epoch.get(),
        replicas: numbers(&record.replicas),
        isr: numbers(&record.isr),
        elr: numbers(&record.elr),
        log_start_offset: status.map_or(-1, |status| status.log_start.get()),
        high_watermark: status.map_or(-1, |status| status.high_watermark.get()),
        log_end_offset: status.map_or(-1, |status| status.log_end.get()),
        size_bytes: status.map_or(0, |status| status.size_bytes),
        problems: status.map(|status| status.problems.clone()).unwrap_or_default(),
    }
}

/// -1 for none.
pub(super) fn leader(record: &PartitionRecord) -> i32 {
    record.leader.and_then(|leader| i32::try_from(leader.get()).ok()).unwrap_or(-1)
}
