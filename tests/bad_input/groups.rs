//! Requests for groups whose fields lie: an error that says so, and nothing is left of them.

use super::{Attack, TOPIC};
use anyhow::{Result, ensure};
use cairn_proto::v1::{
    CommitOffsetsRequest, DeleteGroupRequest, DeleteOffsetsRequest, DescribeGroupRequest, ErrorCode,
    FetchOffsetsRequest, FindCoordinatorRequest, GroupHeartbeatRequest, LeaveGroupRequest, ListGroupsRequest,
    OffsetToCommit, TopicPartitions, groups_client::GroupsClient,
};
use tonic::transport::Channel;

const GROUP: &str = "attacked";

fn heartbeat() -> GroupHeartbeatRequest {
    GroupHeartbeatRequest {
        group: GROUP.into(),
        member_id: "member".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        topics: vec![TOPIC.into()],
        ..Default::default()
    }
}

fn wrong_heartbeats() -> Vec<GroupHeartbeatRequest> {
    let long = "x".repeat(250);
    let many = (0..1001).map(|number| format!("t{number}")).collect();
    vec![
        GroupHeartbeatRequest { group: String::new(), ..heartbeat() },
        GroupHeartbeatRequest { group: long.clone(), ..heartbeat() },
        GroupHeartbeatRequest { member_id: String::new(), ..heartbeat() },
        GroupHeartbeatRequest { member_id: long.clone(), ..heartbeat() },
        GroupHeartbeatRequest { instance_id: long.clone(), ..heartbeat() },
        GroupHeartbeatRequest { member_epoch: -1, ..heartbeat() },
        GroupHeartbeatRequest { known_epoch: i32::MIN, ..heartbeat() },
        GroupHeartbeatRequest { member_epoch: i32::MAX, known_epoch: i32::MAX, ..heartbeat() },
        GroupHeartbeatRequest { session_timeout_ms: 0, ..heartbeat() },
        GroupHeartbeatRequest { session_timeout_ms: u32::MAX, ..heartbeat() },
        GroupHeartbeatRequest { topics: Vec::new(), ..heartbeat() },
        GroupHeartbeatRequest { topics: vec![String::new()], ..heartbeat() },
        GroupHeartbeatRequest { topics: vec![long], ..heartbeat() },
        GroupHeartbeatRequest { topics: many, ..heartbeat() },
    ]
}

fn commit(offset: OffsetToCommit) -> CommitOffsetsRequest {
    CommitOffsetsRequest { group: GROUP.into(), offsets: vec![offset], ..Default::default() }
}

async fn wrong_commits(groups: &mut GroupsClient<Channel>) -> Result<()> {
    let good = || OffsetToCommit { topic: TOPIC.into(), offset: 1, leader_epoch: -1, ..Default::default() };
    let by_nobody = CommitOffsetsRequest { member_id: "nobody".into(), commit_number: 1, ..commit(good()) };
    let many = vec![good(); 200_000 / 8];
    for wrong in [
        commit(OffsetToCommit { offset: -1, ..good() }),
        commit(OffsetToCommit { leader_epoch: -2, ..good() }),
        commit(OffsetToCommit { partition: u32::MAX, ..good() }),
        commit(OffsetToCommit { metadata: "x".repeat(4097), ..good() }),
        CommitOffsetsRequest { group: String::new(), ..commit(good()) },
        CommitOffsetsRequest { offsets: many, ..commit(good()) },
        by_nobody,
    ] {
        let what: String = format!("{wrong:?}").chars().take(200).collect();
        let answer = groups.commit_offsets(wrong).await?.into_inner();
        ensure!(answer.error() != ErrorCode::None && !answer.message.is_empty(), "{what}: {answer:?}");
    }
    for refused in [
        OffsetToCommit { partition: 2_000_000, ..good() },
        OffsetToCommit { topic: "no-such-topic".into(), ..good() },
        OffsetToCommit { topic_id: vec![7; 16].into(), ..good() },
        OffsetToCommit { topic_id: vec![7; 1000].into(), ..good() },
    ] {
        let answer = groups.commit_offsets(commit(refused)).await?.into_inner();
        let [one] = &answer.refused[..] else { anyhow::bail!("{answer:?}") };
        ensure!(one.error() == ErrorCode::UnknownTopicOrPartition && !one.message.is_empty(), "{answer:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn group_requests_with_wrong_fields() -> Result<()> {
    let attack = Attack::begin().await?;
    let mut groups = GroupsClient::new(attack.channel.clone());
    for wrong in wrong_heartbeats() {
        let what: String = format!("{wrong:?}").chars().take(300).collect();
        let answer = groups.heartbeat(wrong).await?.into_inner();
        ensure!(answer.error() != ErrorCode::None && !answer.message.is_empty(), "{what}: {answer:?}");
        ensure!(answer.message.len() < 2000, "{what}: the message repeats {} bytes", answer.message.len());
    }
    wrong_commits(&mut groups).await?;
    for group in [String::new(), "x".repeat(250), "x".repeat(32 << 10)] {
        let found = groups.find_coordinator(FindCoordinatorRequest { group: group.clone() }).await?;
        let described = groups.describe_group(DescribeGroupRequest { group: group.clone() }).await?;
        let deleted = groups.delete_group(DeleteGroupRequest { group: group.clone() }).await?;
        let left = groups.leave(LeaveGroupRequest { group: group.clone(), ..Default::default() }).await?;
        let fetched = groups.fetch_offsets(FetchOffsetsRequest { group: group.clone(), topics: Vec::new() });
        let codes = [
            found.get_ref().error(),
            described.get_ref().error(),
            deleted.get_ref().error(),
            left.get_ref().error(),
            fetched.await?.get_ref().error(),
        ];
        ensure!(!codes.contains(&ErrorCode::None), "{} bytes: {codes:?}", group.len());
    }
    let topics = vec![TopicPartitions { topic: TOPIC.into(), partitions: vec![0; 100_000] }];
    let fetched =
        groups.fetch_offsets(FetchOffsetsRequest { group: GROUP.into(), topics: topics.clone() }).await?;
    ensure!(fetched.get_ref().error() == ErrorCode::InvalidRequest, "{:?}", fetched.get_ref().message);
    let forgotten = groups.delete_offsets(DeleteOffsetsRequest { group: GROUP.into(), topics }).await?;
    ensure!(forgotten.get_ref().error() == ErrorCode::InvalidRequest, "{:?}", forgotten.get_ref().message);
    let large = GroupHeartbeatRequest { topics: vec!["x".repeat(2 << 20)], ..heartbeat() };
    ensure!(groups.heartbeat(large).await.is_err(), "beyond any request");
    let listed = groups.list_groups(ListGroupsRequest {}).await?.into_inner();
    ensure!(listed.error() == ErrorCode::None && listed.groups.is_empty(), "something is left: {listed:?}");
    attack.end().await
}
