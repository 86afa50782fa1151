//! Brokers and topics, as clients look them up.

use crate::side::Side;
use anyhow::Result;
use cairn_proto::kafka::{
    ApiKey,
    describe_cluster::DescribeClusterRequest,
    metadata::{MetadataRequest, MetadataRequestTopic},
};
use cairn_tests::kafka::metadata_request;
use uuid::Uuid;

const BAD_NAMES: [(&str, &str); 6] = [
    ("an empty name", ""),
    ("a name with a slash", "a/b"),
    ("a name with a blank", "a b"),
    ("one dot", "."),
    ("two dots", ".."),
    ("a letter beyond ASCII", "thème"),
];

pub(crate) async fn description_of_the_cluster(side: &mut Side) -> Result<()> {
    for version in ApiKey::DescribeCluster.served() {
        for (case, include_cluster_authorized_operations) in [("plain", false), ("with operations", true)] {
            let request =
                DescribeClusterRequest { include_cluster_authorized_operations, ..Default::default() };
            side.ask(case, version, &request).await?;
        }
    }
    for (case, endpoint_type) in [("controllers", 2), ("endpoints of no type", 0), ("an unknown type", 9)] {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        side.ask(case, 1, &request).await?;
    }
    Ok(())
}

fn named(names: &[&str]) -> Vec<MetadataRequestTopic> {
    let one = |name: &&str| MetadataRequestTopic { name: Some((*name).into()), ..Default::default() };
    names.iter().map(one).collect()
}

pub(crate) async fn metadata(side: &mut Side) -> Result<()> {
    let id = side.topic("looked-up", 3, &[]).await?;
    side.topic("looked-up-too", 1, &[]).await?;
    for version in ApiKey::Metadata.served() {
        let all = MetadataRequest { topics: (version == 0).then(Vec::new), ..Default::default() };
        side.ask("all topics", version, &all).await?;
        let known = |topics| MetadataRequest { topics: Some(topics), ..Default::default() };
        side.ask("one topic", version, &known(named(&["looked-up"]))).await?;
        side.ask("two topics", version, &known(named(&["looked-up-too", "looked-up"]))).await?;
        side.ask("a topic twice", version, &known(named(&["looked-up", "looked-up"]))).await?;
        if version >= 1 {
            side.ask("no topic", version, &known(Vec::new())).await?;
        }
        if version >= 4 {
            side.ask("an unknown topic", version, &metadata_request("absent", false)).await?;
            for (case, name) in BAD_NAMES {
                side.ask(case, version, &metadata_request(name, false)).await?;
            }
            side.ask("a long name", version, &metadata_request(&"x".repeat(250), false)).await?;
        }
        if version >= 8 {
            let operations = MetadataRequest {
                include_topic_authorized_operations: true,
                include_cluster_authorized_operations: true,
                ..metadata_request("looked-up", false)
            };
            side.ask("with operations", version, &operations).await?;
            let unknown = MetadataRequest {
                include_topic_authorized_operations: true,
                ..metadata_request("absent", false)
            };
            side.ask("an unknown topic with operations", version, &unknown).await?;
        }
        if version >= 10 {
            for (case, name, topic_id) in [
                ("an id", None, id),
                ("an unknown id", None, Uuid::from_u128(7)),
                ("neither id nor name", None, Uuid::nil()),
                ("id and name", Some("looked-up".to_owned()), id),
                ("id and the name of another", Some("looked-up-too".to_owned()), id),
            ] {
                let topics = Some(vec![MetadataRequestTopic { topic_id, name }]);
                let request =
                    MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
                side.ask(case, version, &request).await?;
            }
        }
    }
    Ok(())
}

pub(crate) async fn making_topics_by_asking(side: &mut Side) -> Result<()> {
    for version in ApiKey::Metadata.served() {
        let name = format!("asked-for-in-{version}");
        side.ask("a topic that is not there yet", version, &metadata_request(&name, true)).await?;
        side.forget_ids();
        side.settled(&name, 1).await?;
        side.ask("the topic a little later", version, &metadata_request(&name, true)).await?;
        for (case, name) in BAD_NAMES {
            side.ask(case, version, &metadata_request(name, true)).await?;
        }
    }
    side.topic("collides.with", 1, &[]).await?;
    side.ask("a name like another", 12, &metadata_request("collides_with", true)).await?;
    Ok(())
}
