//! A Kafka client without any help: one connection, single requests, right or wrong in any field, and the answers as
//! they come.

use anyhow::{Context as _, ensure};
use bytes::{Bytes, BytesMut};
use cairn_proto::kafka::{
    ApiKey, ErrorCode, Message as _, Reader, Request, ResponseHeader,
    create_topics::{CreatableTopic, CreateTopicsRequest},
    fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData},
    metadata::{MetadataRequest, MetadataRequestTopic},
    produce::{PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData},
    request_frame,
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use uuid::Uuid;

/// Longer than any answer takes on a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
const FRAME_BYTES_MAX: usize = 64 << 20;

/// One connection.
#[derive(Debug)]
pub struct KafkaConnection {
    stream: TcpStream,
    correlation_id: i32,
}

impl KafkaConnection {
    /// A connection on which nothing was said.
    ///
    /// # Errors
    /// Nobody answers there.
    pub async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, correlation_id: 0 })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Sends a request; the number that its answer carries.
    ///
    /// # Errors
    /// The connection is closed, or the version cannot say what the request says.
    pub async fn send<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<i32> {
        self.correlation_id += 1;
        let mut frame = request_frame(self.correlation_id, Some("raw"), version, request)?;
        self.stream.write_all_buf(&mut frame).await?;
        Ok(self.correlation_id)
    }

    /// The next frame, without its length.
    ///
    /// # Errors
    /// The connection is closed, or no frame comes.
    pub async fn receive_bytes(&mut self) -> anyhow::Result<Bytes> {
        let receive = async {
            let length = usize::try_from(self.stream.read_i32().await?)?;
            ensure!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
            let mut frame = BytesMut::zeroed(length);
            self.stream.read_exact(&mut frame).await?;
            Ok(frame.freeze())
        };
        timeout(ANSWERED_WITHIN, receive).await.context("no answer")?
    }

    /// The next answer: its number, and its body.
    ///
    /// # Errors
    /// The connection is closed, or what comes is not the answer.
    pub async fn receive<R: Request>(&mut self, version: i16) -> anyhow::Result<(i32, R::Response)> {
        let mut reader = Reader::new(self.receive_bytes().await?, FRAME_BYTES_MAX);
        let header = ResponseHeader::decode(&mut reader, R::API, version)?;
        Ok((header.correlation_id, R::Response::decode_body(&mut reader, version)?))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// As [`Self::send`] and [`Self::receive`], or another request's answer comes.
    pub async fn call<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<R::Response> {
        let sent = self.send(version, request).await?;
        let (received, response) = self.receive::<R>(version).await?;
        ensure!(received == sent, "the answer to {received}, not to {sent}");
        Ok(response)
    }

    /// Reads until the other side closes; how long that took, and what came before.
    ///
    /// # Errors
    /// It is still open after `within`.
    pub async fn closed(&mut self, within: Duration) -> anyhow::Result<(Duration, Vec<u8>)> {
        let started = std::time::Instant::now();
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = timeout(within, self.stream.read_to_end(&mut rest)).await.context("still open")?;
        Ok((started.elapsed(), rest))
    }

    /// A topic made with the defaults; its id.
    ///
    /// # Errors
    /// It is refused.
    pub async fn create_topic(&mut self, name: &str, partitions: i32) -> anyhow::Result<Uuid> {
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: -1,
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let version = *ApiKey::CreateTopics.served().end();
        let response = self.call(version, &request).await?;
        let result = response.topics.into_iter().next().context("a result")?;
        ensure!(result.error_code.is_none(), "{result:?}");
        Ok(result.topic_id)
    }

    /// Produces to partition 0 and waits; the result as it came.
    ///
    /// # Errors
    /// No answer.
    pub async fn produce(
        &mut self,
        version: i16,
        topic: &str,
        records: Bytes,
    ) -> anyhow::Result<PartitionProduceResponse> {
        let response = self.call(version, &produce_request(topic, -1, records)).await?;
        let topic = response.responses.into_iter().next().context("a topic")?;
        topic.partition_responses.into_iter().next().context("a partition")
    }

    /// Reads partition 0 from an offset on; what came.
    ///
    /// # Errors
    /// No answer, or one with an error of the whole.
    pub async fn fetch(&mut self, version: i16, fetch: &Fetch<'_>) -> anyhow::Result<PartitionData> {
        let response = self.call(version, &fetch.request()).await?;
        ensure!(response.error_code.is_none() && response.session_id == 0, "{response:?}");
        let topic = response.responses.into_iter().next().context("a topic")?;
        topic.partitions.into_iter().next().context("a partition")
    }
}

/// A read of partition 0 of one topic.
#[derive(Clone, Copy, Debug)]
pub struct Fetch<'a> {
    /// By name, for versions up to 12.
    pub topic: &'a str,
    /// By id, for later ones.
    pub topic_id: Uuid,
    /// From where.
    pub offset: i64,
    /// How much is waited for.
    pub min_bytes: i32,
    /// How long.
    pub max_wait_ms: i32,
    /// How much may come.
    pub max_bytes: i32,
}

impl Fetch<'_> {
    /// As it is sent.
    pub fn request(&self) -> FetchRequest {
        let partition = FetchPartition {
            fetch_offset: self.offset,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            partition_max_bytes: self.max_bytes,
            ..Default::default()
        };
        let partitions = vec![partition];
        FetchRequest {
            max_wait_ms: self.max_wait_ms,
            min_bytes: self.min_bytes,
            max_bytes: self.max_bytes,
            topics: vec![FetchTopic { topic: self.topic.into(), topic_id: self.topic_id, partitions }],
            ..Default::default()
        }
    }
}

/// One batch for partition 0.
pub fn produce_request(topic: &str, acks: i16, records: Bytes) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(records) }];
    ProduceRequest {
        acks,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData { name: topic.into(), partition_data }],
        ..Default::default()
    }
}

/// Asks for one topic.
pub fn metadata_request(topic: &str, allow_auto_topic_creation: bool) -> MetadataRequest {
    let topic = MetadataRequestTopic { name: Some(topic.into()), ..Default::default() };
    MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation, ..Default::default() }
}

/// Whether a code is the one that was expected, with both in the message.
///
/// # Errors
/// It is another.
pub fn expect_code(found: ErrorCode, expected: ErrorCode, what: &str) -> anyhow::Result<()> {
    ensure!(found == expected, "{what}: {found}, not {expected}");
    Ok(())
}
