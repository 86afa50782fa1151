//! Connecting and administration: errors say what is wrong and what to do, and a lost answer is not taken for a refusal.

use crate::fake::FakeBroker;
use cairn_client::{AdminError, Client, ConnectError, NewTopic, OffsetAt, TopicAlteration};
use std::time::Duration;

fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn several_addresses_are_tried_in_turn() {
    let broker = FakeBroker::start(&[]);
    let client = Client::connect([closed_port().as_str(), broker.address().as_str()]).await.unwrap();
    assert_eq!(client.admin().cluster_status().await.unwrap().cluster_id, "fake");

    let dead = closed_port();
    let error = Client::connect(dead.clone()).await.unwrap_err();
    assert!(error.retryable() && error.to_string().contains(&dead), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert_eq!(Client::connect("").await.unwrap_err(), ConnectError::NoAddress);
    assert!(matches!(Client::connect("nohost").await, Err(ConnectError::InvalidAddress { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_about_to_start_can_be_waited_for() {
    let mut broker = FakeBroker::start(&[]);
    let address = broker.address();
    broker.kill();
    let builder = Client::builder(address).wait_for_broker(Duration::from_secs(20));
    let (client, _broker) = tokio::join!(builder.build(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        broker.restart();
        broker
    });
    client.unwrap();
}

#[tokio::test]
async fn topics_are_created_listed_page_by_page_and_deleted() {
    let broker = FakeBroker::start(&[]);
    let client = Client::connect(broker.address()).await.unwrap();
    let admin = client.admin();
    for name in ["e", "a", "d", "b", "c"] {
        assert_eq!(admin.create_topic(NewTopic::named(name).partitions(3)).await.unwrap().partitions, 3);
    }
    let names: Vec<String> = admin.list_topics().await.unwrap().into_iter().map(|topic| topic.name).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    let exists = admin.create_topic(NewTopic::named("a")).await.unwrap_err();
    assert_eq!(exists, AdminError::TopicExists { topic: "a".to_owned() });
    admin.delete_topic("a").await.unwrap();
    assert!(matches!(admin.delete_topic("a").await, Err(AdminError::UnknownTopic { .. })));
    let offsets = admin.list_offsets("b", &[2, 0], OffsetAt::Latest).await.unwrap();
    assert_eq!(
        offsets.iter().map(|one| (one.partition, one.offset)).collect::<Vec<_>>(),
        [(2, Some(0)), (0, Some(0))]
    );
    assert!(admin.list_offsets("b", &[3], OffsetAt::Latest).await.unwrap_err().to_string().contains("has 3"));
    assert!(admin.list_offsets("a", &[0], OffsetAt::Latest).await.is_err());
    let refused = admin.alter_topic(TopicAlteration::of("b").config("retention.ms", "x")).await.unwrap_err();
    assert!(refused.to_string().contains("allowed is"), "{refused}");
    assert!(admin.create_topic(NewTopic::named("z").partitions(0)).await.is_err(), "0 is not the default");
}

#[tokio::test]
async fn a_change_without_an_answer_has_an_unknown_outcome() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client =
        Client::builder(broker.address()).request_timeout(Duration::from_millis(100)).build().await.unwrap();
    let lost = client.admin().delete_records("t", 0, None).await.unwrap_err();
    assert!(matches!(lost, AdminError::OutcomeUnknown { .. }) && !lost.retryable(), "{lost}");
    assert!(
        client.admin().delete_records("t", 0, Some(-5)).await.unwrap_err().to_string().contains("below 0")
    );
    client.close().await;
    assert_eq!(client.admin().list_topics().await.unwrap_err(), AdminError::Closed);
}
