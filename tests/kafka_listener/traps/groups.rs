//! The traps of consumer groups: old versions (4), the first JoinGroup (9), offsets (16).

use super::{LATE, Served, TOPIC, batch};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_proto::kafka::{
    ApiKey, ErrorCode,
    find_coordinator::FindCoordinatorRequest,
    heartbeat::HeartbeatRequest,
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
    leave_group::LeaveGroupRequest,
    metadata::{MetadataRequest, MetadataRequestTopic},
    offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    },
    sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
};
use cairn_tests::kafka::{KafkaConnection, expect_code};
use std::time::{Duration, Instant};

const GROUP: &str = "trapped-readers";
const DELAY: Duration = Duration::from_millis(400);
/// Short times, so that a test need not wait.
pub(super) const QUICK: [&str; 4] =
    ["--group-initial-rebalance-delay-ms", "400", "--offsets-topic-partitions", "2"];

fn join(group: &str, member_id: &str) -> JoinGroupRequest {
    let metadata = Bytes::from(&b"\0\0\0\0\0\x01\0\x07trapped\xff\xff\xff\xff"[..]);
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata }],
        ..Default::default()
    }
}

/// The first coordinator that is asked for makes the internal topic; its making is not what is measured here.
async fn coordinated(kafka: &mut KafkaConnection) -> Result<()> {
    let begun = Instant::now();
    loop {
        let found =
            kafka.call(0, &FindCoordinatorRequest { key: GROUP.into(), ..Default::default() }).await?;
        if found.error_code.is_none() {
            return Ok(());
        }
        ensure!(begun.elapsed() < LATE, "{found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// kafka-go and kafkajs send these versions whatever is advertised: a consumer's life in nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_04_a_group_in_the_oldest_versions() -> Result<()> {
    let mut served = Served::begin_with(&QUICK).await?;
    served.kafka.create_topic(TOPIC, 1).await?;
    served.kafka.produce(3, TOPIC, batch(&[b"a", b"b"])?).await?;
    let kafka = &mut served.kafka;
    let topic = MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() };
    let metadata =
        kafka.call(1, &MetadataRequest { topics: Some(vec![topic]), ..Default::default() }).await?;
    ensure!(metadata.topics[0].partitions.len() == 1, "{metadata:?}");
    coordinated(kafka).await?;
    let joined = kafka.call(0, &join(GROUP, "")).await?;
    expect_code(joined.error_code, ErrorCode::NONE, "JoinGroup 0")?;
    let (member_id, generation_id) = (joined.member_id.clone(), joined.generation_id);
    ensure!(joined.leader == member_id && joined.members.len() == 1 && generation_id > 0, "{joined:?}");
    let share = SyncGroupRequestAssignment {
        member_id: member_id.clone(),
        assignment: Bytes::from_static(b"everything"),
    };
    let sync = SyncGroupRequest {
        group_id: GROUP.into(),
        generation_id,
        member_id: member_id.clone(),
        assignments: vec![share],
        ..Default::default()
    };
    let synced = kafka.call(0, &sync).await?;
    expect_code(synced.error_code, ErrorCode::NONE, "SyncGroup 0")?;
    ensure!(synced.assignment.as_ref() == b"everything", "{synced:?}");
    let heartbeat = HeartbeatRequest {
        group_id: GROUP.into(),
        generation_id,
        member_id: member_id.clone(),
        ..Default::default()
    };
    expect_code(kafka.call(0, &heartbeat).await?.error_code, ErrorCode::NONE, "Heartbeat 0")?;
    let committed = commit(kafka, 2, (GROUP, generation_id, &member_id), &[(0, 2, "noted")]).await?;
    ensure!(committed == [ErrorCode::NONE], "{committed:?}");
    let found = fetched(kafka, 1, GROUP, &[0]).await?;
    ensure!(found == [(0, 2, Some("noted".into()), ErrorCode::NONE)], "{found:?}");
    let leave = LeaveGroupRequest { group_id: GROUP.into(), member_id, ..Default::default() };
    expect_code(kafka.call(0, &leave).await?.error_code, ErrorCode::NONE, "LeaveGroup 0")?;
    let gone = kafka.call(0, &heartbeat).await?;
    expect_code(gone.error_code, ErrorCode::UNKNOWN_MEMBER_ID, "a heartbeat behind it")?;
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_09_the_first_join_ends_with_the_initial_delay() -> Result<()> {
    let mut served = Served::begin_with(&QUICK).await?;
    served.kafka.create_topic(TOPIC, 1).await?;
    coordinated(&mut served.kafka).await?;
    for version in ApiKey::JoinGroup.served() {
        let group = format!("{GROUP}-{version}");
        let kafka = &mut served.kafka;
        // As librdkafka has it: five minutes.
        let rebalance_timeout_ms = if version == 0 { -1 } else { 300_000 };
        let mut request = JoinGroupRequest { rebalance_timeout_ms, ..join(&group, "") };
        if version >= 4 {
            let told = kafka.call(version, &request).await?;
            expect_code(told.error_code, ErrorCode::MEMBER_ID_REQUIRED, &format!("version {version}"))?;
            ensure!(!told.member_id.is_empty(), "{told:?}");
            request.member_id = told.member_id;
        }
        let begun = Instant::now();
        let joined = kafka.call(version, &request).await?;
        let waited = begun.elapsed();
        expect_code(joined.error_code, ErrorCode::NONE, &format!("version {version}"))?;
        ensure!(waited >= DELAY - Duration::from_millis(20), "version {version}: after {waited:?}");
        ensure!(waited < LATE, "version {version}: after {waited:?}");
        if version >= 5 {
            static_member(kafka, version).await?;
        }
    }
    served.end().await
}

/// A static member needs no id, and takes its place again without a new round; its former self is told.
async fn static_member(kafka: &mut KafkaConnection, version: i16) -> Result<()> {
    let group = format!("{GROUP}-static-{version}");
    let instance = Some("the-one".to_owned());
    let request = JoinGroupRequest {
        rebalance_timeout_ms: 300_000,
        group_instance_id: instance.clone(),
        ..join(&group, "")
    };
    let first: JoinGroupResponse = kafka.call(version, &request).await?;
    expect_code(first.error_code, ErrorCode::NONE, &format!("a static member, version {version}"))?;
    let sync = SyncGroupRequest {
        group_id: group.clone(),
        generation_id: first.generation_id,
        member_id: first.member_id.clone(),
        group_instance_id: instance.clone(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: first.member_id.clone(),
            assignment: Bytes::from_static(b"mine"),
        }],
    };
    let synced = kafka.call(5, &sync).await?;
    expect_code(synced.error_code, ErrorCode::NONE, "SyncGroup")?;
    let again: JoinGroupResponse = kafka.call(version, &request).await?;
    expect_code(again.error_code, ErrorCode::NONE, "the static member again")?;
    ensure!(again.generation_id == first.generation_id, "a new round: {again:?}");
    ensure!(again.member_id != first.member_id, "{again:?}");
    let former = HeartbeatRequest {
        group_id: group,
        generation_id: first.generation_id,
        member_id: first.member_id,
        group_instance_id: instance,
    };
    expect_code(kafka.call(4, &former).await?.error_code, ErrorCode::FENCED_INSTANCE_ID, "its former self")
}

/// Commits (partition, offset, note) in the topic; the code of each.
async fn commit(
    kafka: &mut KafkaConnection,
    version: i16,
    (group, generation, member): (&str, i32, &str),
    offsets: &[(i32, i64, &str)],
) -> Result<Vec<ErrorCode>> {
    let one = |(partition_index, offset, note): &(i32, i64, &str)| OffsetCommitRequestPartition {
        partition_index: *partition_index,
        committed_offset: *offset,
        committed_metadata: Some((*note).to_owned()),
        ..Default::default()
    };
    let partitions = offsets.iter().map(one).collect();
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: generation,
        member_id: member.into(),
        topics: vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions }],
        ..Default::default()
    };
    let response = kafka.call(version, &request).await?;
    let topic = response.topics.first().context("a topic")?;
    Ok(topic.partitions.iter().map(|partition| partition.error_code).collect())
}

type FetchedOffset = (i32, i64, Option<String>, ErrorCode);

/// Partition, offset, note and code of each partition.
async fn fetched(
    kafka: &mut KafkaConnection,
    version: i16,
    group: &str,
    indexes: &[i32],
) -> Result<Vec<FetchedOffset>> {
    let (name, partition_indexes) = (TOPIC.to_owned(), indexes.to_vec());
    if version >= 8 {
        let topics = Some(vec![OffsetFetchRequestTopics { name, partition_indexes }]);
        let groups = vec![OffsetFetchRequestGroup { group_id: group.into(), topics }];
        let response = kafka.call(version, &OffsetFetchRequest { groups, ..Default::default() }).await?;
        let topics = response.groups.into_iter().next().context("a group")?.topics;
        let partitions = topics.into_iter().flat_map(|topic| topic.partitions);
        return Ok(partitions
            .map(|it| (it.partition_index, it.committed_offset, it.metadata, it.error_code))
            .collect());
    }
    let topics = Some(vec![OffsetFetchRequestTopic { name, partition_indexes }]);
    let request = OffsetFetchRequest { group_id: group.into(), topics, ..Default::default() };
    let response = kafka.call(version, &request).await?;
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    Ok(partitions.map(|it| (it.partition_index, it.committed_offset, it.metadata, it.error_code)).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_16_offsets_are_never_an_empty_list() -> Result<()> {
    let mut served = Served::begin_with(&QUICK).await?;
    served.kafka.create_topic(TOPIC, 4).await?;
    let kafka = &mut served.kafka;
    coordinated(kafka).await?;
    // The text of a client comes back as it was, empty or not.
    let notes = [(0, 7, ""), (1, 8, "état: 水, \"quoted\"\n\0"), (2, 9, " ")];
    for version in ApiKey::OffsetCommit.served() {
        let group = format!("{GROUP}-{version}");
        let codes = commit(kafka, version, (&group, -1, ""), &notes).await?;
        ensure!(codes == [ErrorCode::NONE; 3], "version {version}: {codes:?}");
        for fetch in ApiKey::OffsetFetch.served() {
            let found = fetched(kafka, fetch, &group, &[0, 1, 2, 3, 99]).await?;
            let known = notes
                .iter()
                .map(|(index, offset, note)| (*index, *offset, Some((*note).to_owned()), ErrorCode::NONE));
            // Where nothing was committed there is -1, and no error.
            let unknown = [3, 99].map(|index| (index, -1, Some(String::new()), ErrorCode::NONE));
            let expected: Vec<_> = known.chain(unknown).collect();
            ensure!(found == expected, "versions {version} and {fetch}: {found:?}");
        }
    }
    for fetch in ApiKey::OffsetFetch.served() {
        for (group, code) in [("nobody", ErrorCode::NONE), ("", ErrorCode::INVALID_GROUP_ID)] {
            let found = fetched(kafka, fetch, group, &[0, 1]).await?;
            let expected = [0, 1].map(|index| (index, -1, Some(String::new()), code));
            ensure!(found == expected, "version {fetch}, {group:?}: {found:?}");
        }
    }
    served.end().await
}
