//! A thin client over the generated one: what each test says about a topic in one line.

use crate::node::Node;
use bytes::Bytes;
use cairn_proto::{
    record::{Batch, BatchBuilder, BatchOptions, DecompressLimit},
    v1::{
        self, admin_client::AdminClient, cluster_client::ClusterClient, log_client::LogClient,
        offset_query::At,
    },
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

/// Longer than anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Connected {
    pub(super) log: LogClient<Channel>,
    pub(super) admin: AdminClient<Channel>,
    pub(super) cluster: ClusterClient<Channel>,
}

impl Connected {
    pub(super) async fn to(node: &Node) -> Self {
        let address = node.grpc_address().expect("the gRPC listener is on");
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URI");
        let channel = endpoint.connect().await.expect("connects");
        Self {
            log: LogClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            admin: AdminClient::new(channel.clone()),
            cluster: ClusterClient::new(channel),
        }
    }

    pub(super) async fn create(&mut self, name: &str, partitions: i32) -> Bytes {
        let request = v1::CreateTopicRequest { name: name.into(), partitions, ..Default::default() };
        let response = self.admin.create_topic(request).await.expect("answers").into_inner();
        assert_eq!(response.message, "");
        response.topic_id
    }

    pub(super) async fn describe(&mut self, name: &str) -> v1::DescribeTopicResponse {
        let request = v1::DescribeTopicRequest { name: name.into() };
        self.admin.describe_topic(request).await.expect("answers").into_inner()
    }

    /// Sends all requests on one stream, half-closes, and returns every reply.
    pub(super) async fn produce(&mut self, requests: Vec<v1::ProduceRequest>) -> Vec<v1::ProduceResponse> {
        let stream = tokio_stream::iter(requests);
        let mut replies = self.log.produce(stream).await.expect("a stream").into_inner();
        let mut all = Vec::new();
        while let Some(reply) =
            tokio::time::timeout(PATIENCE, replies.message()).await.expect("in time").expect("no error")
        {
            all.push(reply);
        }
        all
    }

    pub(super) async fn fetch(&mut self, first: v1::FetchRequest) -> FetchStream {
        let (requests, stream) = mpsc::channel(16);
        requests.send(first).await.expect("room");
        let responses = self.log.fetch(ReceiverStream::new(stream)).await.expect("a stream").into_inner();
        FetchStream { requests, responses }
    }

    pub(super) async fn offset(&mut self, topic_id: &Bytes, at: At) -> v1::OffsetAnswer {
        let query = v1::OffsetQuery {
            topic_id: topic_id.clone(),
            leader_epoch: -1,
            at: Some(at),
            ..Default::default()
        };
        let request = v1::ListOffsetsRequest { queries: vec![query] };
        let mut answers = self.log.list_offsets(request).await.expect("answers").into_inner().answers;
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }
}

pub(super) struct FetchStream {
    pub(super) requests: mpsc::Sender<v1::FetchRequest>,
    pub(super) responses: Streaming<v1::FetchResponse>,
}

impl FetchStream {
    pub(super) async fn next(&mut self) -> v1::FetchResponse {
        let next = tokio::time::timeout(PATIENCE, self.responses.message()).await;
        next.expect("in time").expect("no error").expect("not the end")
    }

    /// Reads until so many records have come; their values in order.
    pub(super) async fn values(&mut self, count: usize) -> Vec<String> {
        let mut values = Vec::new();
        while values.len() < count {
            let response = self.next().await;
            assert_eq!(response.message, "");
            values.extend(values_of(response.batches));
        }
        values
    }
}

pub(super) fn subscribe(topic_id: &Bytes, partition: u32, offset: i64, credit: u64) -> v1::FetchRequest {
    let subscribe = v1::Subscribe {
        subscription_id: partition + 100,
        topic_id: topic_id.clone(),
        partition,
        offset,
        leader_epoch: -1,
        last_epoch: -1,
        ..Default::default()
    };
    v1::FetchRequest { subscribe: vec![subscribe], unsubscribe: Vec::new(), add_credit_bytes: credit }
}

/// A batch of these values.
pub(super) fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for value in values {
        builder.append(1_000, None, Some(value.as_bytes()), &[]).expect("fits");
    }
    builder.finish().expect("a batch")
}

pub(super) fn values_of(mut batches: Bytes) -> Vec<String> {
    let mut values = Vec::new();
    while let Some(batch) = Batch::split_first(&mut batches).expect("whole batches") {
        assert!(batch.crc_ok());
        for record in batch.records(DecompressLimit { bytes_max: 1 << 20 }).expect("records") {
            let value = record.expect("a record").value.expect("not null");
            values.push(String::from_utf8(value.to_vec()).expect("UTF-8"));
        }
    }
    values
}

pub(super) fn request(request_id: u64, topic_id: &Bytes, partition: u32, batch: Bytes) -> v1::ProduceRequest {
    v1::ProduceRequest { request_id, topic_id: topic_id.clone(), partition, acks: 0, leader_epoch: -1, batch }
}

/// Status line and body of a GET.
pub(super) async fn get(node: &Node, path: &str) -> (String, String) {
    let address = node.http_address().expect("the HTTP listener is on");
    let mut socket = tokio::net::TcpStream::connect(address).await.expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("reads");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.lines().next().expect("a status line").to_owned(), body.to_owned())
}
