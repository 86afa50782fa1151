//! One broker a directory, one a port; readiness tells the truth; shutdown answers what is in flight.

use super::{
    StartError,
    client::{Connected, batch, get, request, subscribe},
    config, runtime, start,
};
use crate::{config::Listen, node::Node};
use cairn_proto::v1;
use tonic::Code;

#[test]
fn a_second_broker_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    runtime().block_on(async {
        let (node, _client) = start(&data).await;
        let refusal = Node::start(config(&data)).await.err().expect("is refused");
        assert!(matches!(refusal, StartError::Locked { .. }), "{refusal:?}");
        let said = refusal.to_string();
        assert!(said.contains(&*data.to_string_lossy()) && said.contains("--data-dir"), "{said}");
        node.shutdown().await.expect("a clean shutdown");
    });
}

#[test]
fn a_port_in_use_is_named_with_its_listener() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("bound").to_string();
        let mut config = config(&directory.path().join("data"));
        config.listen_http = Listen::At(address.clone());
        let said = Node::start(config).await.err().expect("is refused").to_string();
        assert!(said.contains("listen-http") && said.contains(&address) && said.contains("off"), "{said}");
    });
}

#[test]
fn listeners_beyond_loopback_need_consent_and_an_address_to_tell() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let mut config = config(&directory.path().join("data"));
        config.listen_grpc = Listen::At("0.0.0.0:0".into());
        let said = Node::start(config.clone()).await.err().expect("is refused").to_string();
        assert!(said.contains("--insecure"), "{said}");
        config.insecure = true;
        let said = Node::start(config.clone()).await.err().expect("is refused").to_string();
        assert!(said.contains("--advertise-grpc"), "{said}");
        assert!(!directory.path().join("data").exists(), "a refused start leaves nothing behind");
    });
}

#[test]
fn health_metrics_and_status_show_a_serving_broker() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        assert_eq!(get(&node, "/livez").await.0, "HTTP/1.1 200 OK");
        assert_eq!(get(&node, "/readyz").await, ("HTTP/1.1 200 OK".to_owned(), "ready\n".to_owned()));
        let topic = client.create("measured", 1).await;
        client.produce(vec![request(1, &topic, 0, batch(&["one", "two"]))]).await;
        let metrics = get(&node, "/metrics").await.1;
        assert!(
            metrics.contains("cairn_partition_high_watermark{topic=\"measured\",partition=\"0\"} 2"),
            "{metrics}"
        );
        assert!(metrics.contains("cairn_produce_requests_total 1"), "{metrics}");
        let status = client.cluster.status(v1::StatusRequest {}).await.expect("answers").into_inner();
        assert_eq!((status.topics, status.partitions, status.partitions_without_leader), (1, 1, 0));
        assert_eq!(status.brokers.len(), 1);
        assert!(status.brokers[0].directories[0].healthy && !status.brokers[0].fenced);
        node.shutdown().await.expect("a clean shutdown");
    });
}

#[test]
fn a_watch_tells_of_topics_that_come_and_go() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        let watch = v1::WatchRequest { topics: vec!["late".into()] };
        let mut news = client.cluster.watch(watch).await.expect("a stream").into_inner();
        let first = news.message().await.expect("no error").expect("news");
        assert_eq!(first.missing, ["late"]);
        assert_eq!(first.brokers[0].grpc_address, node.grpc_address().expect("on").to_string());
        let topic = client.create("late", 3).await;
        let second = news.message().await.expect("no error").expect("news");
        assert_eq!((second.topics[0].topic_id.clone(), second.topics[0].partitions.len()), (topic, 3));
        assert!(second.topics[0].partitions.iter().all(|partition| partition.leader == 1));
        node.shutdown().await.expect("a clean shutdown");
        let end = news.message().await.expect_err("the end has a reason");
        assert_eq!(end.code(), Code::Unavailable);
    });
}

#[test]
fn open_streams_do_not_hold_up_a_shutdown() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        let topic = client.create("open", 1).await;
        let mut fetch = client.fetch(subscribe(&topic, 0, 0, 1 << 20)).await;
        fetch.next().await;
        let (requests, stream) = tokio::sync::mpsc::channel(4);
        requests.send(request(1, &topic, 0, batch(&["in flight"]))).await.expect("room");
        let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
        let mut replies = client.log.produce(stream).await.expect("a stream").into_inner();
        assert_eq!(replies.message().await.expect("no error").expect("a reply").error, 0);
        node.shutdown().await.expect("a clean shutdown");
        assert_eq!(replies.message().await.expect_err("ends").code(), Code::Unavailable);
    });
}

#[test]
fn a_dropped_node_is_a_crash_that_loses_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let topic = runtime().block_on(async {
        let (node, mut client) = start(&data).await;
        let topic = client.create("kept", 1).await;
        let replies = client.produce(vec![request(1, &topic, 0, batch(&["acknowledged"]))]).await;
        assert_eq!(replies[0].error, 0);
        drop(node);
        topic
    });
    runtime().block_on(async {
        let node = Node::start(config(&data)).await.expect("starts again");
        let mut client = Connected::to(&node).await;
        let mut stream = client.fetch(subscribe(&topic, 0, 0, 1 << 20)).await;
        assert_eq!(stream.values(1).await, ["acknowledged"]);
        node.shutdown().await.expect("a clean shutdown");
    });
}
