//! Clients of the Kafka protocol and these share what a name has committed, and never a group at one time.

use super::super::{
    GROUP, PARTITIONS, Reads, TOPIC, WITHIN, client, member, produce, read, scene, shares, start,
};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_client::{ConsumeError, GroupError, GroupKind};
use cairn_proto::kafka::{
    ErrorCode,
    describe_groups::DescribeGroupsRequest,
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
    leave_group::{LeaveGroupRequest, MemberIdentity},
    list_groups::ListGroupsRequest,
    offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup},
};
use cairn_tests::kafka::{KafkaConnection, expect_code};

fn join() -> JoinGroupRequest {
    // A subscription to the topic: version 0, one name, no data.
    let metadata =
        Bytes::from([&b"\0\0\0\0\0\x01\0\x06"[..], TOPIC.as_bytes(), b"\xff\xff\xff\xff"].concat());
    JoinGroupRequest {
        group_id: GROUP.into(),
        session_timeout_ms: 6000,
        rebalance_timeout_ms: 6000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata }],
        ..Default::default()
    }
}

async fn commit(kafka: &mut KafkaConnection, offset: i64) -> Result<ErrorCode> {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        committed_leader_epoch: -1,
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: TOPIC.into(),
            partitions: (0..i32::try_from(PARTITIONS)?).map(partition).collect(),
        }],
        ..Default::default()
    };
    let response = kafka.call(8, &request).await?;
    let topic = response.topics.first().context("a topic")?;
    Ok(topic.partitions.first().context("a partition")?.error_code)
}

async fn fetched(kafka: &mut KafkaConnection) -> Result<Vec<i64>> {
    let groups = vec![OffsetFetchRequestGroup { group_id: GROUP.into(), topics: None }];
    let response = kafka.call(8, &OffsetFetchRequest { groups, ..Default::default() }).await?;
    let group = response.groups.into_iter().next().context("a group")?;
    let partitions = group.topics.into_iter().flat_map(|topic| topic.partitions);
    Ok(partitions.map(|partition| partition.committed_offset).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_goes_on_where_the_other_stopped() -> Result<()> {
    let scene = scene()?;
    let broker = start(&scene, None)?;
    let client = client(&broker).await?;
    let mut kafka = KafkaConnection::open(broker.kafka_address()).await?;
    produce(&client, 0, 20).await?;
    let (mut reads, mut members) = (Reads::default(), vec![member(&client).build().await?]);
    read(&mut members, &mut reads, |reads, _| reads.is_complete(20)).await?;

    // While it has a member of this kind, Kafka's clients see what it is, and may not meddle.
    let described = kafka
        .call(5, &DescribeGroupsRequest { groups: vec![GROUP.into()], ..Default::default() })
        .await?
        .groups
        .remove(0);
    expect_code(described.error_code, ErrorCode::NONE, "DescribeGroups")?;
    ensure!(described.protocol_type == "consumer" && described.group_state == "Stable", "{described:?}");
    ensure!(described.members.len() == 1, "{described:?}");
    ensure!(described.members[0].member_assignment.windows(TOPIC.len()).any(|one| one == TOPIC.as_bytes()));
    let listed = kafka.call(5, &ListGroupsRequest::default()).await?.groups.remove(0);
    ensure!(listed.group_id == GROUP && listed.group_type == "consumer", "{listed:?}");
    let refused = kafka.call(9, &join()).await?.error_code;
    expect_code(refused, ErrorCode::INCONSISTENT_GROUP_PROTOCOL, "JoinGroup")?;
    expect_code(commit(&mut kafka, 3).await?, ErrorCode::UNKNOWN_MEMBER_ID, "OffsetCommit")?;

    members.remove(0).close().await?;
    ensure!(fetched(&mut kafka).await? == vec![20; PARTITIONS as usize], "where the Rust client stopped");
    expect_code(commit(&mut kafka, 15).await?, ErrorCode::NONE, "OffsetCommit of an empty group")?;
    let mut again = member(&client).build().await?;
    let record = tokio::time::timeout(WITHIN, again.next_record()).await?.context("open")??;
    ensure!(record.offset == 15, "it goes on where the Kafka client stopped: {record:?}");
    drop(again);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_kafka_clients_takes_no_others_until_it_is_empty() -> Result<()> {
    let scene = scene()?;
    let broker = start(&scene, None)?;
    let client = client(&broker).await?;
    let mut kafka = KafkaConnection::open(broker.kafka_address()).await?;
    // The group is made by whoever is first; its coordinator has to be there.
    ensure!(client.admin().list_groups().await?.is_empty());
    client.admin().set_group_offsets(GROUP, [(TOPIC.to_owned(), 0, 0)]).await?;
    let asked = kafka.call(9, &join()).await?;
    expect_code(asked.error_code, ErrorCode::MEMBER_ID_REQUIRED, "the first JoinGroup")?;
    let joined = kafka.call(9, &JoinGroupRequest { member_id: asked.member_id.clone(), ..join() }).await?;
    expect_code(joined.error_code, ErrorCode::NONE, "JoinGroup")?;
    let refused = member(&client).build().await.err();
    let other =
        matches!(&refused, Some(ConsumeError::Group(GroupError::OtherKind { group })) if group == GROUP);
    ensure!(other, "{refused:?}");
    ensure!(client.admin().describe_group(GROUP).await?.summary.kind == GroupKind::Classic);
    let members = vec![MemberIdentity { member_id: asked.member_id, ..Default::default() }];
    kafka.call(5, &LeaveGroupRequest { group_id: GROUP.into(), members, ..Default::default() }).await?;
    let mut members = vec![member(&client).build().await?];
    read(&mut members, &mut Reads::default(), |_, members| shares(members) == [6]).await?;
    ensure!(client.admin().describe_group(GROUP).await?.summary.kind == GroupKind::Native);
    drop(members);
    client.close().await;
    Ok(())
}
