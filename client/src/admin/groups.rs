//! Consumer groups for administrators: what there is, how far each has read, and where it shall go on.

use super::{Admin, OffsetAt, OffsetsError, leader_offsets};
use crate::{
    ConsumeError, GroupError, clock,
    connection::groups_client,
    consumer::{first_timestamps, no_offset},
    coordinator::{Answer, Attempt, Coordinator, decided},
    retry::{Backoff, code_name},
    routing::RouteError,
};
use cairn_proto::v1::{
    self, CommitOffsetsRequest, CommitOffsetsResponse, DeleteGroupRequest, DeleteGroupResponse,
    DescribeGroupRequest, DescribeGroupResponse, ListGroupsRequest, ListGroupsResponse, OffsetToCommit,
    groups_client::GroupsClient,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tonic::{Response, Status, transport::Channel};

/// How long the oldest records that are not read yet are looked for.
const TIMES_WITHIN: Duration = Duration::from_secs(5);

/// What clients a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// Clients of the Kafka protocol.
    Classic,
    /// Clients like this one.
    Native,
}

/// One group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSummary {
    /// Its name.
    pub name: String,
    /// What clients it has, or had last.
    pub kind: GroupKind,
    /// `Empty`, `Stable`, `Reconciling` (native), `PreparingRebalance` or `CompletingRebalance` (classic).
    pub state: String,
    /// Rises with every change of the members; the generation of a classic one.
    pub epoch: i32,
    /// How the members share.
    pub protocol: String,
    /// How many there are.
    pub members: u32,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub member_id: String,
    /// Its name across restarts, if it is a static member.
    pub instance_id: Option<String>,
    /// As the client calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// The topics that it wants, where that can be told.
    pub topics: Vec<String>,
    /// What it may be reading, where that can be told.
    pub partitions: Vec<(String, u32)>,
}

/// How far a group has read a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffset {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The next offset to read.
    pub offset: i64,
    /// The client's note with it.
    pub metadata: String,
    /// When it was committed, in ms since the epoch.
    pub committed_ms: i64,
}

/// Everything about one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// As in a list.
    pub summary: GroupSummary,
    /// The broker that coordinates it.
    pub coordinator: u32,
    /// By id.
    pub members: Vec<GroupMember>,
    /// By topic and partition.
    pub offsets: Vec<GroupOffset>,
}

/// How far a group is behind in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLag {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The next offset to read, if anything is committed.
    pub committed: Option<i64>,
    /// The oldest offset there is.
    pub start: i64,
    /// Behind the last one that can be read.
    pub end: i64,
    /// Offsets that are there and not read, if anything is committed.
    pub records: Option<u64>,
    /// How old the oldest record is that is not read yet; zero if there is none, `None` if that could not be learnt.
    pub behind: Option<Duration>,
}

impl Admin {
    /// All groups by name.
    ///
    /// # Errors
    /// See [`GroupError`].
    pub async fn list_groups(&self) -> Result<Vec<GroupSummary>, GroupError> {
        let status =
            self.cluster_status().await.map_err(|error| GroupError::Unreachable(error.to_string()))?;
        let mut groups = BTreeMap::new();
        for broker in status.brokers.into_iter().filter(|broker| !broker.fenced) {
            let answer = self.list_at(&broker.grpc_address).await?;
            groups.extend(answer.groups.into_iter().map(|group| (group.group.clone(), summary(group))));
        }
        Ok(groups.into_values().collect())
    }

    /// The groups that one broker coordinates.
    async fn list_at(&self, address: &str) -> Result<ListGroupsResponse, GroupError> {
        let core = &self.handle.core;
        let give_up = clock::now() + core.options.request_timeout;
        let mut backoff = Backoff::retrying();
        loop {
            let channel = core.connections.channel(address);
            let channel = channel.map_err(|error| GroupError::Unreachable(error.to_string()))?;
            let call = async { groups_client(channel).list_groups(ListGroupsRequest {}).await };
            let answered = tokio::select! {
                () = core.stop.cancelled() => return Err(GroupError::Closed),
                answered = crate::connection::call(address, core.options.request_timeout, call) => answered,
            };
            let reason = match decided(answered) {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Refused(code, reason)) => {
                    return Err(GroupError::Refused { code: code_name(code), reason });
                }
                Err(Attempt::Again(reason)) => reason,
            };
            let wait = backoff.wait(rand::random());
            if clock::now() + wait >= give_up {
                return Err(GroupError::Unreachable(reason));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Everything about one group but how far it is behind.
    ///
    /// # Errors
    /// See [`GroupError`].
    pub async fn describe_group(&self, name: &str) -> Result<GroupDescription, GroupError> {
        let answer: DescribeGroupResponse = self
            .ask_group(name, |mut client| {
                let request = DescribeGroupRequest { group: name.to_owned() };
                async move { client.describe_group(request).await }
            })
            .await?;
        Ok(GroupDescription {
            summary: summary(answer.summary.unwrap_or_default()),
            coordinator: answer.coordinator,
            members: answer.members.into_iter().map(member).collect(),
            offsets: answer.offsets.into_iter().map(offset).collect(),
        })
    }

    /// Deletes a group without members, with everything that it committed.
    ///
    /// # Errors
    /// See [`GroupError`].
    pub async fn delete_group(&self, name: &str) -> Result<(), GroupError> {
        let answer: Result<DeleteGroupResponse, GroupError> = self
            .ask_group(name, |mut client| {
                let request = DeleteGroupRequest { group: name.to_owned() };
                async move { client.delete_group(request).await }
            })
            .await;
        answer.map(drop)
    }

    /// Says where a group without members shall go on: by topic and partition, the next offset to read. All of it or nothing.
    ///
    /// # Errors
    /// See [`GroupError`].
    pub async fn set_group_offsets(
        &self,
        name: &str,
        offsets: impl IntoIterator<Item = (String, u32, i64)>,
    ) -> Result<(), GroupError> {
        let to_commit = |(topic, partition, offset)| OffsetToCommit {
            topic,
            partition,
            offset,
            leader_epoch: -1,
            ..OffsetToCommit::default()
        };
        let offsets: Vec<OffsetToCommit> = offsets.into_iter().map(to_commit).collect();
        let answer: CommitOffsetsResponse = self
            .ask_group(name, |mut client| {
                let (group, offsets) = (name.to_owned(), offsets.clone());
                let request = CommitOffsetsRequest { group, offsets, ..CommitOffsetsRequest::default() };
                async move { client.commit_offsets(request).await }
            })
            .await?;
        match answer.refused.into_iter().next() {
            None => Ok(()),
            Some(one) => Err(GroupError::Refused {
                code: code_name(crate::retry::code_of(one.error)),
                reason: one.message,
            }),
        }
    }

    /// How far a group is behind, in records and in time: in every partition of each topic in which it has committed or a
    /// member has a partition. Where nothing is committed, the lag is unknown: where a reader would begin is its own choice.
    ///
    /// # Errors
    /// See [`ConsumeError`].
    pub async fn group_lag(&self, group: &GroupDescription) -> Result<Vec<GroupLag>, ConsumeError> {
        let mut committed: BTreeMap<&str, BTreeMap<u32, i64>> = BTreeMap::new();
        for (topic, _) in group.members.iter().flat_map(|member| &member.partitions) {
            committed.entry(topic).or_default();
        }
        for one in &group.offsets {
            committed.entry(&one.topic).or_default().insert(one.partition, one.offset);
        }
        let mut lags = Vec::new();
        for (topic, offsets) in committed {
            match self.topic_lag(topic, &offsets).await {
                Ok(found) => lags.extend(found),
                // Deleted meanwhile.
                Err(OffsetsError::Route(RouteError::Missing)) => {}
                Err(error) => return Err(no_offset(topic, &[], error)),
            }
        }
        self.find_times(&mut lags).await?;
        Ok(lags)
    }

    /// How far these offsets are behind the ends of a topic's partitions.
    async fn topic_lag(
        &self,
        topic: &str,
        offsets: &BTreeMap<u32, i64>,
    ) -> Result<Vec<GroupLag>, OffsetsError> {
        let core = &self.handle.core;
        let partitions = 0..core.route(topic).await.map_err(OffsetsError::Route)?.partition_count();
        let queries = |at| partitions.clone().map(|partition| (partition, at)).collect::<Vec<_>>();
        let starts = leader_offsets(core, topic, &queries(OffsetAt::Earliest)).await?;
        let ends = leader_offsets(core, topic, &queries(OffsetAt::Latest)).await?;
        let lags = partitions.zip(starts).zip(ends).map(|((partition, start), end)| {
            let committed = offsets.get(&partition).copied();
            let (start, end) = (start.offset.unwrap_or(0), end.offset.unwrap_or(0));
            let records = committed.map(|offset| end.saturating_sub(offset.max(start)).max(0).unsigned_abs());
            let behind = records.filter(|records| *records == 0).map(|_| Duration::ZERO);
            GroupLag { topic: topic.to_owned(), partition, committed, start, end, records, behind }
        });
        Ok(lags.collect())
    }

    /// Looks at the oldest record of each partition that the group has not read to its end.
    async fn find_times(&self, lags: &mut [GroupLag]) -> Result<(), ConsumeError> {
        let is_behind = |lag: &&GroupLag| lag.records.is_some_and(|records| records > 0);
        let spots: Vec<_> = lags
            .iter()
            .filter(is_behind)
            .filter_map(|lag| Some((lag.topic.clone(), lag.partition, lag.committed?.max(lag.start))))
            .collect();
        let times = first_timestamps(&self.handle, &spots, TIMES_WITHIN).await?;
        let now_ms = clock::wall_ms();
        for lag in lags {
            let time_ms = times.get(&(lag.topic.clone(), lag.partition)).filter(|time_ms| **time_ms >= 0);
            if let Some(time_ms) = time_ms {
                // A clock that goes ahead of ours makes no record younger than new.
                let age_ms = now_ms.saturating_sub(*time_ms).max(0).unsigned_abs();
                lag.behind = Some(Duration::from_millis(age_ms));
            }
        }
        Ok(())
    }

    async fn ask_group<T: Answer, F>(
        &self,
        name: &str,
        request: impl FnMut(GroupsClient<Channel>) -> F,
    ) -> Result<T, GroupError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let core = &self.handle.core;
        let give_up = clock::now() + core.options.request_timeout;
        Coordinator::new(Arc::clone(core), name.to_owned()).ask(give_up, request).await
    }
}

fn summary(group: v1::GroupSummary) -> GroupSummary {
    let kind = match group.kind() {
        v1::GroupKind::Classic => GroupKind::Classic,
        v1::GroupKind::Native => GroupKind::Native,
    };
    GroupSummary {
        name: group.group,
        kind,
        state: group.state,
        epoch: group.epoch,
        protocol: group.protocol,
        members: group.members,
    }
}

fn member(member: v1::GroupMember) -> GroupMember {
    let partitions = member.assigned.into_iter().flat_map(|one| {
        let topic = one.topic;
        one.partitions.into_iter().map(move |partition| (topic.clone(), partition))
    });
    GroupMember {
        member_id: member.member_id,
        instance_id: Some(member.instance_id).filter(|instance| !instance.is_empty()),
        client_id: member.client_id,
        client_host: member.client_host,
        topics: member.topics,
        partitions: partitions.collect(),
    }
}

fn offset(one: v1::FetchedOffset) -> GroupOffset {
    GroupOffset {
        topic: one.topic,
        partition: one.partition,
        offset: one.offset,
        metadata: one.metadata,
        committed_ms: one.committed_ms,
    }
}
