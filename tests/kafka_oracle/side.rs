//! One of the two brokers that are asked, and all that it answered.

use crate::reply::{Fields, Names, fields};
use anyhow::{Context as _, Result, bail};
use bytes::{BufMut as _, Bytes, BytesMut};
use cairn_proto::{
    kafka::{
        ApiKey, Request,
        create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
    },
    record::Batch,
};
use cairn_tests::kafka::{KafkaConnection, metadata_request};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What a broker makes known a moment after it was done is awaited for so long.
const KNOWN_WITHIN: Duration = Duration::from_secs(20);

/// One answer, and what was asked.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// `Metadata 12 / topics / a bad name`: API, version, scene, case.
    pub(crate) asked: String,
    pub(crate) answered: Fields,
}

pub(crate) struct Side {
    name: &'static str,
    address: String,
    pub(crate) kafka: KafkaConnection,
    scene: String,
    names: Names,
    transcript: Vec<Entry>,
}

impl Side {
    pub(crate) async fn open(name: &'static str, address: &str) -> Result<Self> {
        let kafka = KafkaConnection::open(address).await?;
        let address = address.to_owned();
        Ok(Self {
            name,
            address,
            kafka,
            scene: String::new(),
            names: Names::default(),
            transcript: Vec::new(),
        })
    }

    pub(crate) fn into_transcript(self) -> Vec<Entry> {
        self.transcript
    }

    /// What follows belongs together: the ids met so far are forgotten.
    pub(crate) fn begin(&mut self, scene: &str) {
        (self.scene, self.names) = (scene.to_owned(), Names::default());
    }

    /// The ids met so far are forgotten: what differs in one answer would make others look different.
    pub(crate) fn forget_ids(&mut self) {
        self.names = Names::default();
    }

    /// Sends a request and keeps the answer; none if the connection was closed instead, which is an answer as well.
    pub(crate) async fn ask<R: Request>(
        &mut self,
        case: &str,
        version: i16,
        request: &R,
    ) -> Result<Option<R::Response>> {
        let asked = format!("{} {version} / {} / {case}", R::API, self.scene);
        let answered = self.kafka.call(version, request).await;
        self.keep(asked, answered).await
    }

    /// The same for the answer to a request that was sent earlier on another connection.
    pub(crate) async fn receive<R: Request>(
        &mut self,
        case: &str,
        version: i16,
        connection: &mut KafkaConnection,
    ) -> Result<Option<R::Response>> {
        let asked = format!("{} {version} / {} / {case}", R::API, self.scene);
        let answered = connection.receive::<R>(version).await.map(|(_, response)| response);
        self.keep(asked, answered).await
    }

    async fn keep<T: std::fmt::Debug>(&mut self, asked: String, answered: Result<T>) -> Result<Option<T>> {
        match answered {
            Ok(response) => {
                let answered = fields(&response, &mut self.names);
                self.transcript.push(Entry { asked, answered });
                Ok(Some(response))
            }
            Err(error) => {
                let is_closed = error.downcast_ref::<std::io::Error>().is_some();
                let what = if is_closed { "closed".into() } else { format!("{error:#}") };
                self.transcript.push(Entry { asked, answered: connection_field(what) });
                self.kafka = self.another().await.with_context(|| format!("{} is gone", self.name))?;
                Ok(None)
            }
        }
    }

    /// Something else to compare than an answer.
    pub(crate) fn note(&mut self, case: &str, rows: impl IntoIterator<Item = (String, String)>) {
        let asked = format!("- - / {} / {case}", self.scene);
        self.transcript.push(Entry { asked, answered: rows.into_iter().collect() });
    }

    /// Sends bytes that are a frame or not: what comes on a new connection, the length of an answer or its end.
    pub(crate) async fn send_bytes(&mut self, case: &str, bytes: &[u8]) -> Result<Option<Bytes>> {
        let mut connection = self.another().await?;
        connection.send_bytes(bytes).await?;
        let answer = connection.receive_bytes().await;
        let what = match &answer {
            Ok(_) => "an answer".to_owned(),
            Err(error) if error.downcast_ref::<std::io::Error>().is_some() => "closed".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        let asked = format!("- - / {} / {case}", self.scene);
        self.transcript.push(Entry { asked, answered: connection_field(what) });
        Ok(answer.ok())
    }

    /// A request with this header, no client id, and these bytes for a body.
    pub(crate) async fn send_body(
        &mut self,
        case: &str,
        api: i16,
        version: i16,
        body: &[u8],
    ) -> Result<Option<Bytes>> {
        let mut frame = BytesMut::new();
        frame.put_i32(i32::try_from(10 + body.len())?);
        frame.put_i16(api);
        frame.put_i16(version);
        frame.put_i32(7);
        frame.put_i16(-1);
        frame.put_slice(body);
        let api = ApiKey::from_number(api).map_or_else(|| api.to_string(), |api| api.name().to_owned());
        self.send_bytes(&format!("{api} {version}: {case}"), &frame).await
    }

    /// One more connection.
    pub(crate) async fn another(&self) -> Result<KafkaConnection> {
        KafkaConnection::open(&self.address).await
    }

    /// A topic that can be used at once; its id.
    pub(crate) async fn topic(
        &mut self,
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<Uuid> {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let response = self.kafka.call(7, &request).await?;
        let created = response.topics.first().context("a topic")?;
        if !created.error_code.is_none() {
            bail!("{created:?}");
        }
        self.settled(name, partitions).await?;
        self.names.topic(created.topic_id, name);
        Ok(created.topic_id)
    }

    /// Waits until every partition of a topic answers.
    pub(crate) async fn settled(&mut self, name: &str, partitions: i32) -> Result<()> {
        let one =
            |partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
        let asked = ListOffsetsTopic { name: name.into(), partitions: (0..partitions).map(one).collect() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![asked], ..Default::default() };
        let deadline = Instant::now() + KNOWN_WITHIN;
        loop {
            let metadata = self.kafka.call(12, &metadata_request(name, false)).await?;
            let offsets = self.kafka.call(9, &request).await?;
            let known = metadata.topics.iter().all(|topic| topic.error_code.is_none());
            let mut answers = offsets.topics.iter().flat_map(|topic| &topic.partitions);
            if known && answers.all(|answer| answer.error_code.is_none()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{}: topic {name} is not there: {metadata:?}", self.name);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until nobody knows a topic any more.
    pub(crate) async fn gone(&mut self, name: &str) -> Result<()> {
        let deadline = Instant::now() + KNOWN_WITHIN;
        loop {
            let metadata = self.kafka.call(12, &metadata_request(name, false)).await?;
            if metadata.topics.iter().all(|topic| !topic.error_code.is_none()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{}: topic {name} is still there", self.name);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Compares batches: what they say of themselves, and whether it is true.
    pub(crate) fn note_batches(&mut self, case: &str, records: Option<&Bytes>) {
        let mut rest = records.cloned().unwrap_or_default();
        let mut rows = Vec::new();
        while !rest.is_empty() {
            let Ok(Some(batch)) = Batch::split_first(&mut rest) else {
                rows.push(("and then".to_owned(), "a part of a batch".to_owned()));
                break;
            };
            let header = batch.header();
            let what = format!(
                "length {} attributes {} epoch {} last delta {} count {} sequence {}@{} checksum {}",
                header.batch_length,
                header.attributes,
                header.leader_epoch,
                header.last_offset_delta,
                header.record_count,
                header.base_sequence,
                header.producer_epoch,
                batch.crc_ok(),
            );
            rows.push((format!("batch at {}", header.base_offset), what));
        }
        self.note(case, rows);
    }
}

fn connection_field(what: String) -> Fields {
    [("connection".to_owned(), what)].into()
}

/// A transcript for people.
pub(crate) fn as_text(transcript: &[Entry]) -> String {
    let mut text = String::new();
    for entry in transcript {
        text.push_str(&entry.asked);
        text.push('\n');
        for (field, value) in &entry.answered {
            text.push_str(&format!("    {field} = {value}\n"));
        }
    }
    text
}
