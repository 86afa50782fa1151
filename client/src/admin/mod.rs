//! Topics, groups, offsets and the cluster's state: unary calls with a timeout each. A call that changes something is sent
//! once; if its answer is lost that is said, not guessed.

mod convert;
mod groups;
mod offsets;
mod types;

pub use groups::{GroupDescription, GroupKind, GroupLag, GroupMember, GroupOffset, GroupSummary};
pub use types::{
    BrokerStatus, ClusterStatus, ConfigEntry, ConfigSource, CreatedTopic, DirectoryStatus, NewTopic,
    OffsetAt, PartitionDescription, PartitionOffset, TopicAlteration, TopicDescription, TopicSummary,
};

use crate::{
    AdminError,
    client::Handle,
    connection::{CallError, admin_client, cluster_client},
    retry::{code_name, code_of, refused_for_now},
    routing::RouteError,
};
use cairn_proto::v1::{
    AlterTopicRequest, CreateTopicRequest, DeleteRecordsRequest, DeleteTopicRequest, DescribeTopicRequest,
    ErrorCode, ListTopicsRequest, StatusRequest, admin_client::AdminClient,
};
use std::sync::Arc;
use tonic::{Response, Status, transport::Channel};

pub(crate) use offsets::{OffsetsError, leader_offsets};

/// Administration. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admin {
    handle: Arc<Handle>,
}

impl Admin {
    pub(crate) fn new(handle: Arc<Handle>) -> Self {
        Self { handle }
    }

    async fn ask<T, F>(
        &self,
        repeatable: bool,
        mut request: impl FnMut(AdminClient<Channel>) -> F,
    ) -> Result<T, AdminError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let core = &self.handle.core;
        let call = core.ask_any(repeatable, |channel| request(admin_client(channel)));
        tokio::select! {
            () = core.stop.cancelled() => Err(AdminError::Closed),
            reply = call => reply.map_err(|error| unanswered(&error)),
        }
    }

    /// Creates a topic; it can be used when this returns.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn create_topic(&self, topic: NewTopic) -> Result<CreatedTopic, AdminError> {
        let name = topic.name.clone();
        let request = CreateTopicRequest {
            name: topic.name,
            partitions: count(topic.partitions)?,
            replication_factor: count(topic.replication_factor)?,
            configs: topic.configs.into_iter().collect(),
            validate_only: topic.validate_only,
        };
        let reply = self
            .ask(false, |mut client| {
                let request = request.clone();
                async move { client.create_topic(request).await }
            })
            .await?;
        decided(&name, reply.error, reply.message)?;
        Ok(CreatedTopic {
            topic_id: convert::topic_id(&reply.topic_id),
            partitions: reply.partitions,
            replication_factor: reply.replication_factor,
        })
    }

    /// Deletes a topic and its records for good.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn delete_topic(&self, name: &str) -> Result<(), AdminError> {
        let reply = self
            .ask(false, |mut client| {
                let request = DeleteTopicRequest { name: name.to_owned() };
                async move { client.delete_topic(request).await }
            })
            .await?;
        decided(name, reply.error, reply.message)
    }

    /// Changes a topic: all of the change or nothing.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn alter_topic(&self, alteration: TopicAlteration) -> Result<(), AdminError> {
        let name = alteration.name.clone();
        let request = AlterTopicRequest {
            name: alteration.name,
            partitions: count(alteration.partitions)?,
            set: alteration.set.into_iter().collect(),
            reset: alteration.reset,
        };
        let reply = self
            .ask(false, |mut client| {
                let request = request.clone();
                async move { client.alter_topic(request).await }
            })
            .await?;
        decided(&name, reply.error, reply.message)
    }

    /// All topics by name.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn list_topics(&self) -> Result<Vec<TopicSummary>, AdminError> {
        let mut topics: Vec<TopicSummary> = Vec::new();
        loop {
            let after = topics.last().map(|topic| topic.name.clone()).unwrap_or_default();
            let page = self
                .ask(true, |mut client| {
                    let request = ListTopicsRequest { after: after.clone(), limit: 0 };
                    async move { client.list_topics(request).await }
                })
                .await?;
            // A page that does not get on would go round for ever.
            let gets_on = page.topics.last().is_some_and(|last| last.name > after);
            topics.extend(page.topics.into_iter().map(convert::summary));
            if !page.more || !gets_on {
                return Ok(topics);
            }
        }
    }

    /// Everything about one topic.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn describe_topic(&self, name: &str) -> Result<TopicDescription, AdminError> {
        let reply = self
            .ask(true, |mut client| {
                let request = DescribeTopicRequest { name: name.to_owned() };
                async move { client.describe_topic(request).await }
            })
            .await?;
        decided(name, reply.error, reply.message)?;
        Ok(TopicDescription {
            summary: convert::summary(reply.topic.unwrap_or_default()),
            configs: reply.configs.into_iter().map(convert::config).collect(),
            partitions: reply.partitions.into_iter().map(convert::partition).collect(),
        })
    }

    /// Deletes the records before this offset, or all of them, for good. Returns the new log start once that is
    /// durable.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn delete_records(
        &self,
        name: &str,
        partition: u32,
        before: Option<i64>,
    ) -> Result<i64, AdminError> {
        if let Some(before) = before
            && before < 0
        {
            return Err(invalid(format!(
                "offset {before} is below 0: give 0 or more, or nothing for all records"
            )));
        }
        let request =
            DeleteRecordsRequest { name: name.to_owned(), partition, before_offset: before.unwrap_or(-1) };
        let reply = self
            .ask(false, |mut client| {
                let request = request.clone();
                async move { client.delete_records(request).await }
            })
            .await?;
        decided(name, reply.error, reply.message)?;
        Ok(reply.log_start_offset)
    }

    /// The same offset of several partitions, in the order asked.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn list_offsets(
        &self,
        name: &str,
        partitions: &[u32],
        at: OffsetAt,
    ) -> Result<Vec<PartitionOffset>, AdminError> {
        let queries: Vec<_> = partitions.iter().map(|partition| (*partition, at)).collect();
        leader_offsets(&self.handle.core, name, &queries).await.map_err(|error| match error {
            OffsetsError::Route(RouteError::Closed) => AdminError::Closed,
            OffsetsError::Route(RouteError::Unreachable(reason)) => AdminError::Unreachable(reason),
            OffsetsError::Route(RouteError::Missing) => {
                AdminError::UnknownTopic { topic: name.to_owned(), reason: "create it first".to_owned() }
            }
            OffsetsError::UnknownPartition { partition, partitions } => AdminError::Refused {
                code: code_name(ErrorCode::UnknownTopicOrPartition),
                reason: format!("{name:?} has no partition {partition}: it has {partitions}, counted from 0"),
                retryable: false,
            },
            OffsetsError::Refused { code, reason } => refusal(name, code, reason),
            OffsetsError::Unreachable(reason) => AdminError::Unreachable(reason),
        })
    }

    /// How the cluster is.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn cluster_status(&self) -> Result<ClusterStatus, AdminError> {
        let core = &self.handle.core;
        let ask = core
            .ask_any(true, |channel| async move { cluster_client(channel).status(StatusRequest {}).await });
        let reply = tokio::select! {
            () = core.stop.cancelled() => return Err(AdminError::Closed),
            reply = ask => reply.map_err(|error| unanswered(&error))?,
        };
        decided("", reply.error, reply.message.clone())?;
        Ok(convert::cluster(reply))
    }
}

/// A count on the wire: 0 leaves the choice to the broker, therefore an explicit 0 must not get there.
fn count(count: Option<u32>) -> Result<i32, AdminError> {
    match count.map(i32::try_from) {
        None => Ok(0),
        Some(Ok(count)) if count > 0 => Ok(count),
        _ => Err(invalid(format!("{} is no possible count: give 1 or more", count.unwrap_or(0)))),
    }
}

fn invalid(reason: String) -> AdminError {
    AdminError::Refused { code: code_name(ErrorCode::InvalidRequest), reason, retryable: false }
}

fn unanswered(error: &CallError) -> AdminError {
    match error {
        CallError::NotSent(reason) => AdminError::Unreachable(reason.clone()),
        CallError::TurnedAway(reason) => invalid(reason.clone()),
        CallError::Lost(reason) => AdminError::OutcomeUnknown { reason: reason.clone() },
    }
}

fn decided(topic: &str, error: i32, reason: String) -> Result<(), AdminError> {
    match code_of(error) {
        ErrorCode::None => Ok(()),
        code => Err(refusal(topic, code, reason)),
    }
}

fn refusal(topic: &str, code: ErrorCode, reason: String) -> AdminError {
    let topic = topic.to_owned();
    match code {
        ErrorCode::UnknownTopicOrPartition => AdminError::UnknownTopic { topic, reason },
        ErrorCode::TopicExists => AdminError::TopicExists { topic },
        ErrorCode::OutcomeUnknown | ErrorCode::TimedOut => AdminError::OutcomeUnknown { reason },
        code => AdminError::Refused { code: code_name(code), reason, retryable: refused_for_now(code) },
    }
}
