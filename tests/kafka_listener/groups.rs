//! Consumer groups: members share, die, commit and come back, also over a broker that was killed.

use super::{Served, batch};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_proto::kafka::{
    ApiKey, ErrorCode,
    api_versions::ApiVersionsRequest,
    create_topics::{CreatableTopic, CreateTopicsRequest},
    delete_groups::DeleteGroupsRequest,
    delete_topics::{DeleteTopicState, DeleteTopicsRequest},
    describe_groups::{DescribeGroupsRequest, DescribedGroup},
    find_coordinator::FindCoordinatorRequest,
    heartbeat::HeartbeatRequest,
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
    leave_group::{LeaveGroupRequest, MemberIdentity},
    list_groups::ListGroupsRequest,
    offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    },
    sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
};
use cairn_tests::{
    kafka::{KafkaConnection, expect_code, metadata_request},
    process::BrokerProcess,
    scene::{Scene, stop_cleanly},
};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const GROUP: &str = "readers";
const TOPIC: &str = "read";
const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Short times, so that a test sees the end of a session.
const QUICK: [&str; 6] = [
    "--group-initial-rebalance-delay-ms",
    "300",
    "--group-session-timeout-min-ms",
    "100",
    "--offsets-topic-partitions",
    "3",
];
const SESSION_TIMEOUT_MS: i32 = 2000;
const LATE: Duration = Duration::from_secs(20);

/// The nearest version of an API that is served.
fn nearest(api: ApiKey, version: i16) -> i16 {
    version.clamp(*api.served().start(), *api.served().end())
}

fn join_request(version: i16, member_id: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: subscription() };
    JoinGroupRequest {
        group_id: GROUP.into(),
        session_timeout_ms: SESSION_TIMEOUT_MS,
        // What librdkafka says; version 0 cannot.
        rebalance_timeout_ms: if version == 0 { -1 } else { 300_000 },
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    }
}

/// One topic, and nothing else to say.
fn subscription() -> Bytes {
    Bytes::from(&b"\0\0\0\0\0\x01\0\x04read\xff\xff\xff\xff"[..])
}

/// One consumer with a connection of its own.
struct Member {
    kafka: KafkaConnection,
    version: i16,
    id: String,
    generation: i32,
    leads: bool,
    share: Bytes,
}

impl Member {
    async fn open(address: &str, version: i16) -> Result<Self> {
        let mut kafka = KafkaConnection::open(address).await?;
        let find = nearest(ApiKey::FindCoordinator, version);
        let request = match find {
            4.. => FindCoordinatorRequest { coordinator_keys: vec![GROUP.into()], ..Default::default() },
            _ => FindCoordinatorRequest { key: GROUP.into(), ..Default::default() },
        };
        let response = kafka.call(find, &request).await?;
        let (code, host, port) = match response.coordinators.first() {
            Some(found) => (found.error_code, &found.host, found.port),
            None => (response.error_code, &response.host, response.port),
        };
        expect_code(code, ErrorCode::NONE, "FindCoordinator")?;
        ensure!(format!("{host}:{port}") == address, "{response:?}");
        Ok(Self { kafka, version, id: String::new(), generation: -1, leads: false, share: Bytes::new() })
    }

    async fn join(&mut self) -> Result<JoinGroupResponse> {
        let version = nearest(ApiKey::JoinGroup, self.version);
        let mut response = self.kafka.call(version, &join_request(version, &self.id)).await?;
        if version >= 4 && self.id.is_empty() {
            expect_code(response.error_code, ErrorCode::MEMBER_ID_REQUIRED, "the first JoinGroup")?;
            ensure!(response.member_id.starts_with("raw-"), "{response:?}");
            response = self.kafka.call(version, &join_request(version, &response.member_id)).await?;
        }
        expect_code(response.error_code, ErrorCode::NONE, "JoinGroup")?;
        (self.id, self.generation) = (response.member_id.clone(), response.generation_id);
        self.leads = response.leader == response.member_id;
        Ok(response)
    }

    async fn sync(&mut self, assignments: Vec<SyncGroupRequestAssignment>) -> Result<Bytes> {
        let version = nearest(ApiKey::SyncGroup, self.version);
        let named = |name: &str| (version >= 5).then(|| name.to_owned());
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            protocol_type: named("consumer"),
            protocol_name: named("range"),
            assignments,
            ..Default::default()
        };
        let response = self.kafka.call(version, &request).await?;
        expect_code(response.error_code, ErrorCode::NONE, "SyncGroup")?;
        Ok(response.assignment)
    }

    /// Joins and syncs; whoever leads gives everybody their own id as share.
    async fn take_part(mut self) -> Result<Self> {
        let joined = self.join().await?;
        let share = |id: &String| SyncGroupRequestAssignment {
            member_id: id.clone(),
            assignment: Bytes::from(id.clone()),
        };
        let shares = joined.members.iter().map(|member| share(&member.member_id)).collect();
        self.share = self.sync(shares).await?;
        ensure!(self.share == self.id.as_bytes(), "{} got {:?}", self.id, self.share);
        Ok(self)
    }

    async fn heartbeat(&mut self) -> Result<ErrorCode> {
        let request = HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            ..Default::default()
        };
        Ok(self.kafka.call(nearest(ApiKey::Heartbeat, self.version), &request).await?.error_code)
    }

    /// Commits one offset for partitions 0 to 2, with a note; the code of each.
    async fn commit(&mut self, generation: i32, offset: i64) -> Result<Vec<ErrorCode>> {
        let one = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: offset,
            committed_metadata: Some(format!("note {offset}")),
            ..Default::default()
        };
        let partitions = (0..3).map(one).collect();
        let request = OffsetCommitRequest {
            group_id: GROUP.into(),
            generation_id_or_member_epoch: generation,
            member_id: self.id.clone(),
            topics: vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions }],
            ..Default::default()
        };
        let response = self.kafka.call(nearest(ApiKey::OffsetCommit, self.version), &request).await?;
        let topic = response.topics.first().context("a topic")?;
        Ok(topic.partitions.iter().map(|partition| partition.error_code).collect())
    }

    async fn leave(&mut self) -> Result<()> {
        let version = nearest(ApiKey::LeaveGroup, self.version);
        let own = MemberIdentity { member_id: self.id.clone(), ..Default::default() };
        let request = match version {
            3.. => LeaveGroupRequest { group_id: GROUP.into(), members: vec![own], ..Default::default() },
            _ => {
                LeaveGroupRequest { group_id: GROUP.into(), member_id: self.id.clone(), ..Default::default() }
            }
        };
        let response = self.kafka.call(version, &request).await?;
        let own = response.members.first().map_or(ErrorCode::NONE, |member| member.error_code);
        expect_code(response.error_code, ErrorCode::NONE, "LeaveGroup")?;
        expect_code(own, ErrorCode::NONE, "LeaveGroup of a member")
    }
}

/// All of them take part in one round.
async fn together(members: Vec<Member>) -> Result<Vec<Member>> {
    let mut taking_part = JoinSet::new();
    for member in members {
        taking_part.spawn(member.take_part());
    }
    let mut members = Vec::new();
    while let Some(member) = taking_part.join_next().await {
        members.push(member??);
    }
    let generations: Vec<_> = members.iter().map(|member| member.generation).collect();
    ensure!(generations.windows(2).all(|pair| pair[0] == pair[1]), "generations {generations:?}");
    ensure!(members.iter().filter(|member| member.leads).count() == 1, "one leads");
    Ok(members)
}

/// Offset, metadata and code of partitions 0 to 2, and the code of the whole.
async fn fetched(
    kafka: &mut KafkaConnection,
    version: i16,
    (group, all): (&str, bool),
) -> Result<(Vec<(i64, Option<String>, ErrorCode)>, ErrorCode)> {
    let (name, partition_indexes) = (TOPIC.to_owned(), vec![0, 1, 2]);
    let request = match version {
        8.. => {
            let topic = OffsetFetchRequestTopics { name, partition_indexes };
            let topics = (!all).then(|| vec![topic]);
            let groups = vec![OffsetFetchRequestGroup { group_id: group.into(), topics }];
            OffsetFetchRequest { groups, ..Default::default() }
        }
        _ => {
            let topic = OffsetFetchRequestTopic { name, partition_indexes };
            let topics = (!all).then(|| vec![topic]);
            OffsetFetchRequest { group_id: group.into(), topics, ..Default::default() }
        }
    };
    let response = kafka.call(version, &request).await?;
    if version >= 8 {
        let group = response.groups.into_iter().next().context("a group")?;
        let partitions = group.topics.into_iter().flat_map(|topic| topic.partitions);
        let one = partitions.map(|it| (it.committed_offset, it.metadata, it.error_code));
        return Ok((one.collect(), group.error_code));
    }
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    let one = partitions.map(|it| (it.committed_offset, it.metadata, it.error_code));
    Ok((one.collect(), response.error_code))
}

fn committed(offset: i64) -> Vec<(i64, Option<String>, ErrorCode)> {
    vec![(offset, Some(format!("note {offset}")), ErrorCode::NONE); 3]
}

async fn described(kafka: &mut KafkaConnection, version: i16, group: &str) -> Result<DescribedGroup> {
    let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
    let response = kafka.call(version, &request).await?;
    response.groups.into_iter().next().context("a group")
}

async fn delete_group(kafka: &mut KafkaConnection, version: i16, group: &str) -> Result<ErrorCode> {
    let request = DeleteGroupsRequest { groups_names: vec![group.into()] };
    let response = kafka.call(version, &request).await?;
    Ok(response.results.first().context("a result")?.error_code)
}

fn started(scene: &Scene) -> Result<BrokerProcess> {
    let command = QUICK.iter().fold(scene.small_broker(), |command, argument| command.argument(*argument));
    tokio::task::block_in_place(|| command.start())
}

/// Heartbeats of all until each of them is told to join again.
async fn until_rebalance(members: &mut [Member]) -> Result<()> {
    let begun = Instant::now();
    loop {
        let mut told = 0;
        for member in members.iter_mut() {
            match member.heartbeat().await? {
                ErrorCode::NONE => {}
                code => {
                    expect_code(code, ErrorCode::REBALANCE_IN_PROGRESS, "Heartbeat")?;
                    told += 1;
                }
            }
        }
        if told == members.len() {
            return Ok(());
        }
        ensure!(begun.elapsed() < LATE, "nobody noticed that a member is gone");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_outlives_a_member_and_a_killed_broker() -> Result<()> {
    let mut served = Served::begin_with(&QUICK).await?;
    served.kafka.create_topic(TOPIC, 3).await?;
    let address = served.broker.kafka_address().to_owned();
    let mut members = Vec::new();
    for version in [9, 0, 5] {
        members.push(Member::open(&address, version).await?);
    }
    let mut members = together(members).await?;
    let first = members[0].generation;
    ensure!(members[0].commit(first, 3).await? == [ErrorCode::NONE; 3], "a member may commit");
    // Its connection is gone; nobody says goodbye.
    drop(members.pop());
    until_rebalance(&mut members).await?;
    let mut members = together(members).await?;
    let second = members[0].generation;
    ensure!(second > first, "generation {second} after {first}");
    ensure!(members[0].commit(first, 4).await? == [ErrorCode::ILLEGAL_GENERATION; 3], "a fenced commit");
    ensure!(members[1].commit(second, 5).await? == [ErrorCode::NONE; 3], "a member may commit");

    let Served { scene, broker, kafka } = served;
    drop(kafka);
    tokio::task::block_in_place(|| broker.kill())?;
    let broker = started(&scene)?;
    for member in &mut members {
        let found = Member::open(broker.kafka_address(), member.version).await?;
        member.kafka = found.kafka;
        expect_code(member.heartbeat().await?, ErrorCode::NONE, "after the restart")?;
        ensure!(member.sync(Vec::new()).await? == member.share, "it keeps its share");
        let found = fetched(&mut member.kafka, 8, (GROUP, true)).await?;
        ensure!(found == (committed(5), ErrorCode::NONE), "after the restart: {found:?}");
    }
    let mut kafka = KafkaConnection::open(broker.kafka_address()).await?;
    let group = described(&mut kafka, 5, GROUP).await?;
    ensure!((group.group_state.as_str(), group.members.len()) == ("Stable", 2), "{group:?}");
    expect_code(delete_group(&mut kafka, 2, GROUP).await?, ErrorCode::NON_EMPTY_GROUP, "with members")?;
    for member in &mut members {
        member.leave().await?;
    }
    expect_code(delete_group(&mut kafka, 2, GROUP).await?, ErrorCode::NONE, "without members")?;
    let found = fetched(&mut kafka, 8, (GROUP, true)).await?;
    ensure!(found == (Vec::new(), ErrorCode::NONE), "after the deletion: {found:?}");
    tokio::task::block_in_place(|| broker.kill())?;
    let broker = started(&scene)?;
    let kafka = Member::open(broker.kafka_address(), 9).await?.kafka;
    let mut served = Served { scene, broker, kafka };
    let group = described(&mut served.kafka, 5, GROUP).await?;
    ensure!(group.group_state == "Dead", "it stays deleted: {group:?}");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_apis_of_groups_are_advertised() -> Result<()> {
    let mut served = Served::begin().await?;
    let request =
        ApiVersionsRequest { client_software_name: "raw".into(), client_software_version: "1.0".into() };
    let response = served.kafka.call(3, &request).await?;
    for (api, last) in [
        (ApiKey::FindCoordinator, 6),
        (ApiKey::JoinGroup, 9),
        (ApiKey::SyncGroup, 5),
        (ApiKey::Heartbeat, 4),
        (ApiKey::LeaveGroup, 5),
        (ApiKey::OffsetCommit, 8),
        (ApiKey::OffsetFetch, 8),
        (ApiKey::DescribeGroups, 5),
        (ApiKey::ListGroups, 5),
        (ApiKey::DeleteGroups, 2),
        (ApiKey::OffsetDelete, 0),
    ] {
        let row = response.api_keys.iter().find(|row| row.api_key == api.number()).context(api)?;
        let first = match api {
            ApiKey::OffsetCommit => 2,
            ApiKey::OffsetFetch => 1,
            _ => 0,
        };
        ensure!((row.min_version, row.max_version) == (first, last), "{api}: {row:?}");
    }
    served.end().await
}

/// Traps 4, 9 and 16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_served_in_every_version() -> Result<()> {
    let mut served = Served::begin_with(&QUICK).await?;
    served.kafka.create_topic(TOPIC, 3).await?;
    let address = served.broker.kafka_address().to_owned();
    for version in 0..=9 {
        let begun = Instant::now();
        let mut member = Member::open(&address, version).await?.take_part().await?;
        ensure!(begun.elapsed() < LATE, "version {version}: joined after {:?}", begun.elapsed());
        expect_code(member.heartbeat().await?, ErrorCode::NONE, "Heartbeat")?;
        let offset = i64::from(version);
        let codes = member.commit(member.generation, offset).await?;
        ensure!(codes == [ErrorCode::NONE; 3], "version {version}: {codes:?}");
        let fetch = nearest(ApiKey::OffsetFetch, version);
        for all in [false, true].into_iter().filter(|all| fetch > 1 || !all) {
            let found = fetched(&mut member.kafka, fetch, (GROUP, all)).await?;
            ensure!(found == (committed(offset), ErrorCode::NONE), "version {version}: {found:?}");
        }
        let unknown = vec![(-1, Some(String::new()), ErrorCode::NONE); 3];
        let found = fetched(&mut member.kafka, fetch, ("nobody", false)).await?;
        ensure!(found == (unknown, ErrorCode::NONE), "version {version}: {found:?}");
        let (found, code) = fetched(&mut member.kafka, fetch, ("", false)).await?;
        let invalid = vec![(-1, Some(String::new()), ErrorCode::INVALID_GROUP_ID); 3];
        ensure!(found == invalid && (fetch < 2 || code == ErrorCode::INVALID_GROUP_ID), "{found:?} {code}");

        let describe = nearest(ApiKey::DescribeGroups, version);
        let group = described(&mut member.kafka, describe, GROUP).await?;
        ensure!(
            (group.group_state.as_str(), group.protocol_data.as_str()) == ("Stable", "range"),
            "{group:?}"
        );
        let only = group.members.first().context("a member")?;
        ensure!(only.member_id == member.id && only.client_id == "raw", "{group:?}");
        ensure!(only.client_host == "/127.0.0.1" && only.member_assignment == member.share, "{group:?}");
        let group = described(&mut member.kafka, describe, "nobody").await?;
        ensure!(group.group_state == "Dead" && group.error_code.is_none(), "{group:?}");

        let list = nearest(ApiKey::ListGroups, version);
        let response = member.kafka.call(list, &ListGroupsRequest::default()).await?;
        let names: Vec<_> = response.groups.iter().map(|group| group.group_id.as_str()).collect();
        ensure!(names == [GROUP], "version {version}: {response:?}");
        if list >= 4 {
            let empty = ListGroupsRequest { states_filter: vec!["empty".into()], ..Default::default() };
            ensure!(member.kafka.call(list, &empty).await?.groups.is_empty(), "it is not empty");
        }
        expect_code(
            delete_offsets(&mut member.kafka).await?,
            ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
            "in use",
        )?;
        member.leave().await?;
        expect_code(delete_offsets(&mut member.kafka).await?, ErrorCode::NONE, "not in use")?;
        let found = fetched(&mut member.kafka, fetch, (GROUP, false)).await?.0;
        ensure!(found.iter().map(|one| one.0).eq([-1, offset, offset]), "one was deleted: {found:?}");
        let delete = nearest(ApiKey::DeleteGroups, version);
        for expected in [ErrorCode::NONE, ErrorCode::GROUP_ID_NOT_FOUND] {
            expect_code(delete_group(&mut member.kafka, delete, GROUP).await?, expected, "DeleteGroups")?;
        }
        let refused = member.heartbeat().await?;
        expect_code(refused, ErrorCode::UNKNOWN_MEMBER_ID, "a member of no group")?;
    }
    served.end().await
}

/// Forgets partition 0.
async fn delete_offsets(kafka: &mut KafkaConnection) -> Result<ErrorCode> {
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let topics = vec![OffsetDeleteRequestTopic { name: TOPIC.into(), partitions }];
    let response = kafka.call(0, &OffsetDeleteRequest { group_id: GROUP.into(), topics }).await?;
    expect_code(response.error_code, ErrorCode::NONE, "OffsetDelete")?;
    Ok(response.topics[0].partitions[0].error_code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_dies_while_it_waits_holds_nobody_up_for_ever() -> Result<()> {
    let served = Served::begin_with(&QUICK).await?;
    let address = served.broker.kafka_address().to_owned();
    let mut members = together(vec![Member::open(&address, 9).await?]).await?;
    let mut dying = Member::open(&address, 3).await?;
    dying.kafka.send(3, &join_request(3, "")).await?;
    until_rebalance(&mut members).await?;
    drop(dying);
    // The round with it begins, and ends when it has not been heard of for a session.
    let mut member = members.pop().context("the member")?;
    ensure!(member.join().await?.members.len() == 2, "the dead one joined");
    let begun = Instant::now();
    while member.heartbeat().await? == ErrorCode::NONE {
        ensure!(begun.elapsed() < LATE, "the dead one stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(member.take_part().await?.leads, "alone");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_member_does_not_hold_up_a_shutdown() -> Result<()> {
    let served = Served::begin_with(&QUICK).await?;
    let address = served.broker.kafka_address().to_owned();
    let mut members = together(vec![Member::open(&address, 9).await?]).await?;
    let mut waiting = Member::open(&address, 3).await?;
    waiting.kafka.send(3, &join_request(3, "")).await?;
    until_rebalance(&mut members).await?;
    let Served { scene, broker, kafka } = served;
    drop(kafka);
    let begun = Instant::now();
    tokio::task::block_in_place(|| stop_cleanly(broker))?;
    ensure!(begun.elapsed() < Duration::from_secs(5), "stopped after {:?}", begun.elapsed());
    let (_, response) = waiting.kafka.receive::<JoinGroupRequest>(3).await?;
    expect_code(response.error_code, ErrorCode::NOT_COORDINATOR, "it is to ask elsewhere")?;
    tokio::task::block_in_place(|| scene.verify_clean())
}

/// The journal goes round, and its ring makes room, also when nobody produces.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_alone_never_fill_the_journal() -> Result<()> {
    const PARTITIONS: i32 = 100;
    let mut served = Served::begin_with(&QUICK).await?;
    served.kafka.create_topic(TOPIC, PARTITIONS).await?;
    let mut kafka = Member::open(served.broker.kafka_address(), 8).await?.kafka;
    // Twice the ring of this broker.
    for round in 0..40 {
        let one = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: round,
            committed_metadata: Some("x".repeat(4096)),
            ..Default::default()
        };
        let partitions = (0..PARTITIONS).map(one).collect();
        let topics = vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions }];
        let request = OffsetCommitRequest { group_id: GROUP.into(), topics, ..Default::default() };
        let response = kafka.call(8, &request).await?;
        for partition in &response.topics.first().context("a topic")?.partitions {
            expect_code(partition.error_code, ErrorCode::NONE, &format!("round {round}"))?;
        }
    }
    let found = fetched(&mut kafka, 8, (GROUP, false)).await?.0;
    ensure!(found.iter().all(|one| one.0 == 39), "{found:?}");
    served.end().await
}

/// An offset belongs to a topic, not to whatever has its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_again_begins_without_offsets() -> Result<()> {
    let mut served = Served::begin_with(&QUICK).await?;
    served.kafka.create_topic(TOPIC, 3).await?;
    let mut member = Member::open(served.broker.kafka_address(), 8).await?;
    ensure!(member.commit(-1, 7).await? == [ErrorCode::NONE; 3], "without members anybody commits");
    let request = DeleteTopicsRequest { topic_names: vec![TOPIC.into()], ..Default::default() };
    expect_code(served.kafka.call(5, &request).await?.responses[0].error_code, ErrorCode::NONE, "deleted")?;
    let refused = member.commit(-1, 7).await?;
    ensure!(refused == [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION; 3], "{refused:?}");
    served.kafka.create_topic(TOPIC, 3).await?;
    let found = fetched(&mut served.kafka, 8, (GROUP, false)).await?.0;
    ensure!(found.iter().all(|one| one.0 == -1), "{found:?}");
    ensure!(member.commit(-1, 8).await? == [ErrorCode::NONE; 3], "and takes new ones");
    let found = fetched(&mut served.kafka, 8, (GROUP, true)).await?.0;
    ensure!(found == committed(8), "{found:?}");
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_internal_topic_is_the_brokers_own() -> Result<()> {
    let mut served = Served::begin_with(&QUICK).await?;
    let own = CreatableTopic {
        name: OFFSETS_TOPIC.into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![own], ..Default::default() };
    let refused = served.kafka.call(7, &request).await?.topics[0].error_code;
    expect_code(refused, ErrorCode::INVALID_TOPIC_EXCEPTION, "made by a client")?;
    Member::open(served.broker.kafka_address(), 9).await?;
    let metadata = served.kafka.call(12, &metadata_request(OFFSETS_TOPIC, false)).await?;
    let topic = metadata.topics.first().context("the topic")?;
    ensure!(topic.is_internal && topic.partitions.len() == 3, "{topic:?}");
    for acks in [-1, 1] {
        let request = cairn_tests::kafka::produce_request(OFFSETS_TOPIC, acks, batch(&[b"forged"])?);
        let response = served.kafka.call(11, &request).await?;
        let refused = response.responses[0].partition_responses[0].error_code;
        expect_code(refused, ErrorCode::INVALID_TOPIC_EXCEPTION, "written by a client")?;
    }
    for state in [
        DeleteTopicState { name: Some(OFFSETS_TOPIC.into()), ..Default::default() },
        DeleteTopicState { name: None, topic_id: topic.topic_id },
    ] {
        let request = DeleteTopicsRequest { topics: vec![state], ..Default::default() };
        let refused = served.kafka.call(6, &request).await?.responses[0].error_code;
        expect_code(refused, ErrorCode::INVALID_TOPIC_EXCEPTION, "deleted by a client")?;
    }
    served.end().await
}
