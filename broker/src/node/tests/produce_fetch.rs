//! Records in, records out: what is acknowledged is read back, in order, under credit, and after a restart.

use super::{
    client::{FetchStream, batch, request, subscribe, values_of},
    runtime, start,
};
use cairn_proto::v1::{ErrorCode, FetchRequest, offset_query::At};

#[test]
fn records_come_back_in_order_and_survive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    runtime().block_on(async {
        let (node, mut client) = start(&data).await;
        let topic = client.create("hello", 2).await;
        let requests = (0..20).map(|n| request(n, &topic, 0, batch(&[&format!("a{n}"), &format!("b{n}")])));
        let replies = client.produce(requests.collect()).await;
        let offsets: Vec<_> =
            replies.iter().map(|reply| (reply.request_id, reply.error, reply.base_offset)).collect();
        assert_eq!(
            offsets,
            (0..20).map(|n| (n, 0, 2 * i64::try_from(n).expect("small"))).collect::<Vec<_>>()
        );
        let expected: Vec<_> = (0..20).flat_map(|n| [format!("a{n}"), format!("b{n}")]).collect();
        let mut stream = client.fetch(subscribe(&topic, 0, 0, 1 << 20)).await;
        assert_eq!(stream.values(40).await, expected);
        assert_eq!(client.offset(&topic, At::Earliest(true)).await.offset, 0);
        assert_eq!(client.offset(&topic, At::Latest(true)).await.offset, 40);
        node.shutdown().await.expect("a clean shutdown");
        assert!(data.join("clean-shutdown").exists());

        let (node, mut client) = start(&data).await;
        assert!(!data.join("clean-shutdown").exists());
        let mut stream = client.fetch(subscribe(&topic, 0, 0, 1 << 20)).await;
        assert_eq!(stream.values(40).await, expected);
        let replies = client.produce(vec![request(7, &topic, 0, batch(&["again"]))]).await;
        assert_eq!((replies[0].error, replies[0].base_offset), (0, 40));
        node.shutdown().await.expect("a clean shutdown");
    });
}

#[test]
fn a_waiting_subscription_is_pushed_to_and_spends_its_credit() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        let topic = client.create("pushed", 1).await;
        let one = batch(&["x"]);
        let mut stream = client.fetch(subscribe(&topic, 0, 0, 1)).await;
        let first = stream.next().await;
        assert_eq!(
            (first.high_watermark, first.batches.len()),
            (0, 0),
            "the first answer tells where it stands"
        );
        client.produce(vec![request(1, &topic, 0, one.clone())]).await;
        assert_eq!(values_of(stream.next().await.batches), ["x"]);
        // The one byte of credit is overdrawn: nothing comes until there is more than the debt.
        client.produce(vec![request(2, &topic, 0, one.clone())]).await;
        assert_nothing_comes(&mut stream).await;
        let debt = u64::try_from(one.len()).expect("small");
        stream
            .requests
            .send(FetchRequest { add_credit_bytes: debt, ..Default::default() })
            .await
            .expect("open");
        assert_eq!(values_of(stream.next().await.batches), ["x"]);
        node.shutdown().await.expect("a clean shutdown");
    });
}

async fn assert_nothing_comes(stream: &mut FetchStream) {
    let wait = std::time::Duration::from_millis(150);
    let came = tokio::time::timeout(wait, stream.responses.message()).await;
    assert!(came.is_err(), "{came:?} without credit");
}

#[test]
fn an_error_ends_one_subscription_and_not_the_stream() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        let topic = client.create("errors", 2).await;
        let mut stream = client.fetch(subscribe(&topic, 0, 5, 1 << 20)).await;
        let answer = stream.next().await;
        assert_eq!(
            (answer.subscription_id, answer.error()),
            (100, ErrorCode::OffsetOutOfRange),
            "{}",
            answer.message
        );
        stream.requests.send(subscribe(&topic, 9, 0, 0)).await.expect("open");
        assert_eq!(stream.next().await.error(), ErrorCode::UnknownTopicOrPartition);
        stream.requests.send(subscribe(&topic, 1, 0, 0)).await.expect("open");
        assert_eq!(stream.next().await.error(), ErrorCode::None);
        client.produce(vec![request(1, &topic, 1, batch(&["still here"]))]).await;
        assert_eq!(stream.values(1).await, ["still here"]);
        node.shutdown().await.expect("a clean shutdown");
    });
}

#[test]
fn deleted_records_and_topics_are_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        let topic = client.create("shrinking", 1).await;
        client.produce((0..3).map(|n| request(n, &topic, 0, batch(&["r"]))).collect()).await;
        let delete = cairn_proto::v1::DeleteRecordsRequest {
            name: "shrinking".into(),
            partition: 0,
            before_offset: 2,
        };
        let deleted = client.admin.delete_records(delete).await.expect("answers").into_inner();
        assert_eq!((deleted.message.as_str(), deleted.log_start_offset), ("", 2));
        assert_eq!(client.offset(&topic, At::Earliest(true)).await.offset, 2);
        let delete = cairn_proto::v1::DeleteTopicRequest { name: "shrinking".into() };
        let deleted = client.admin.delete_topic(delete).await.expect("answers").into_inner();
        assert_eq!(deleted.message, "");
        let replies = client.produce(vec![request(1, &topic, 0, batch(&["late"]))]).await;
        assert_eq!(replies[0].error(), ErrorCode::UnknownTopicOrPartition);
        assert_ne!(client.create("shrinking", 1).await, topic, "another topic of the same name");
        node.shutdown().await.expect("a clean shutdown");
    });
}
