//! Bad input over the wire: each is answered with a number and a sentence that says what is allowed, and the broker goes on.

use super::{
    client::{batch, request},
    runtime, start,
};
use bytes::Bytes;
use cairn_proto::v1::{self, ErrorCode};

#[test]
fn topics_that_cannot_be_made() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        client.create("taken", 1).await;
        let long = "n".repeat(250);
        let cases = [
            ("taken", 1, 1, "", ErrorCode::TopicExists, "exists"),
            ("..", 1, 1, "", ErrorCode::InvalidTopic, ".."),
            ("a/b", 1, 1, "", ErrorCode::InvalidTopic, "/"),
            ("", 1, 1, "", ErrorCode::InvalidTopic, "249"),
            (long.as_str(), 1, 1, "", ErrorCode::InvalidTopic, "249"),
            ("p", -2, 1, "", ErrorCode::InvalidPartitions, "2147483647"),
            ("p", 10_001, 1, "", ErrorCode::InvalidPartitions, "partitions-per-topic-max"),
            ("r", 1, 2, "", ErrorCode::InvalidReplicationFactor, "1"),
            ("c", 1, 1, "retention.mss", ErrorCode::InvalidConfig, "retention.ms"),
        ];
        for (name, partitions, replication_factor, config, code, word) in cases {
            let mut request = v1::CreateTopicRequest {
                name: name.into(),
                partitions,
                replication_factor,
                ..Default::default()
            };
            if !config.is_empty() {
                request.configs.insert(config.into(), "1".into());
            }
            let response = client.admin.create_topic(request).await.expect("answers").into_inner();
            assert_eq!(response.error(), code, "{name}: {}", response.message);
            assert!(response.message.contains(word), "{name}: {}", response.message);
        }
        let only_checked =
            v1::CreateTopicRequest { name: "maybe".into(), validate_only: true, ..Default::default() };
        let response = client.admin.create_topic(only_checked).await.expect("answers").into_inner();
        assert_eq!((response.message.as_str(), response.partitions), ("", 1));
        assert_eq!(client.describe("maybe").await.error(), ErrorCode::UnknownTopicOrPartition);
        node.shutdown().await.expect("a clean shutdown");
    });
}

#[test]
fn batches_that_cannot_be_taken_do_not_end_the_stream() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        let topic = client.create("strict", 1).await;
        let good = batch(&["good"]);
        let mut flipped = good.to_vec();
        *flipped.last_mut().expect("bytes") ^= 1;
        let unknown = Bytes::from_static(&[7; 16]);
        let requests = vec![
            request(1, &Bytes::from_static(b"short"), 0, good.clone()),
            request(2, &unknown, 0, good.clone()),
            request(3, &topic, 5, good.clone()),
            request(4, &topic, 0, Bytes::from(flipped)),
            request(5, &topic, 0, Bytes::from_static(b"no batch")),
            request(6, &topic, 0, Bytes::new()),
            request(7, &topic, 0, batch(&["x".repeat(2 << 20).as_str()])),
            v1::ProduceRequest { acks: 9, ..request(8, &topic, 0, good.clone()) },
            v1::ProduceRequest { leader_epoch: -2, ..request(9, &topic, 0, good.clone()) },
            request(10, &topic, 0, good),
        ];
        let mut replies = client.produce(requests).await;
        replies.sort_by_key(|reply| reply.request_id);
        let codes: Vec<_> = replies.iter().map(v1::ProduceResponse::error).collect();
        let expected = [
            ErrorCode::InvalidRequest,
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::CorruptBatch,
            ErrorCode::CorruptBatch,
            ErrorCode::CorruptBatch,
            ErrorCode::BatchTooLarge,
            ErrorCode::InvalidRequest,
            ErrorCode::InvalidRequest,
            ErrorCode::None,
        ];
        assert_eq!(codes, expected, "{replies:#?}");
        assert!(replies[0].message.contains("exactly 16 bytes"), "{}", replies[0].message);
        assert_eq!(replies[9].base_offset, 0, "nothing of what was refused is in the log");
        node.shutdown().await.expect("a clean shutdown");
    });
}

#[test]
fn producer_ids_are_new_each_time_and_epochs_rise() {
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        let mut init = async |producer_id, producer_epoch| {
            let request = v1::InitProducerIdRequest { producer_id, producer_epoch };
            client.log.init_producer_id(request).await.expect("answers").into_inner()
        };
        let (first, second) = (init(-1, -1).await, init(-1, -1).await);
        assert_ne!(first.producer_id, second.producer_id);
        let again = init(first.producer_id, 0).await;
        assert_eq!((again.producer_id, again.producer_epoch), (first.producer_id, 1));
        for (id, epoch) in [(i64::MAX, 0), (-2, 0), (first.producer_id, -7), (first.producer_id, 40_000)] {
            let refused = init(id, epoch).await;
            assert_eq!(refused.error(), ErrorCode::InvalidRequest);
            assert!(refused.message.contains("-1 and -1"), "{}", refused.message);
        }
        node.shutdown().await.expect("a clean shutdown");
    });
}

#[test]
fn bytes_that_are_not_http2_are_closed_and_harm_nobody() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let directory = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let (node, mut client) = start(&directory.path().join("data")).await;
        for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096]] {
            let address = node.grpc_address().expect("on");
            let mut socket = tokio::net::TcpStream::connect(address).await.expect("connects");
            socket.write_all(garbage).await.expect("writes");
            socket.shutdown().await.expect("half-closes");
            let mut rest = Vec::new();
            // Closed or reset: both are an end.
            let _ = socket.read_to_end(&mut rest).await;
        }
        client.create("alive", 1).await;
        node.shutdown().await.expect("a clean shutdown");
    });
}
