//! The options of a consumer, and where each of its partitions begins.

use super::{Consumer, group::GroupConsumerBuilder, state::Assigned};
use crate::{
    ConsumeError, OffsetAt, OutOfRange, StartAt,
    admin::{OffsetsError, leader_offsets},
    client::{Core, Handle},
    config::FETCH_BUFFER_BYTES_DEFAULT,
    retry::code_name,
    routing::RouteError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Options of a [`Consumer`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before build"]
pub struct ConsumerBuilder {
    client: Arc<Handle>,
    /// By topic; `None` for all partitions.
    topics: BTreeMap<String, Option<BTreeSet<u32>>>,
    start: StartAt,
    policy: OutOfRange,
    buffer_bytes: usize,
}

impl ConsumerBuilder {
    pub(crate) fn new(client: Arc<Handle>) -> Self {
        Self {
            client,
            topics: BTreeMap::new(),
            start: StartAt::default(),
            policy: OutOfRange::default(),
            buffer_bytes: FETCH_BUFFER_BYTES_DEFAULT,
        }
    }

    /// Shares topics with the other members of a group instead of reading partitions of one's own choice: what was chosen
    /// here besides the buffer does not apply.
    pub fn group(self, name: impl Into<String>) -> GroupConsumerBuilder {
        GroupConsumerBuilder::new(self.client, name.into(), self.buffer_bytes)
    }

    /// Adds partitions of a topic.
    pub fn assign(mut self, topic: impl Into<String>, partitions: impl IntoIterator<Item = u32>) -> Self {
        if let Some(assigned) = self.topics.entry(topic.into()).or_insert_with(|| Some(BTreeSet::new())) {
            assigned.extend(partitions);
        }
        self
    }

    /// Adds all partitions that the topic has when `build` is called.
    pub fn assign_all(mut self, topic: impl Into<String>) -> Self {
        self.topics.insert(topic.into(), None);
        self
    }

    /// Where to begin in every partition. Default [`StartAt::End`].
    pub fn from(mut self, start: StartAt) -> Self {
        self.start = start;
        self
    }

    /// What to do when an offset is not in the log. Default [`OutOfRange::Error`].
    pub fn out_of_range(mut self, policy: OutOfRange) -> Self {
        self.policy = policy;
        self
    }

    /// Bytes that brokers may push ahead of the application. Default 16 MiB.
    pub fn buffer_bytes(mut self, buffer_bytes: usize) -> Self {
        self.buffer_bytes = buffer_bytes;
        self
    }

    /// Finds the partitions and where to begin in them.
    ///
    /// # Errors
    /// A topic or partition does not exist, or no broker could be asked within the request timeout.
    pub async fn build(self) -> Result<Consumer, ConsumeError> {
        if self.buffer_bytes == 0 {
            return Err(ConsumeError::InvalidOptions("buffer_bytes is 0: give at least 1".to_owned()));
        }
        let core = &self.client.core;
        let mut partitions = Vec::new();
        for (topic, chosen) in &self.topics {
            let route = core.route(topic).await.map_err(|error| no_route(topic, error))?;
            let chosen: Vec<u32> = match chosen {
                Some(chosen) => chosen.iter().copied().collect(),
                None => (0..route.partition_count()).collect(),
            };
            let starts = resolve(core, topic, &chosen, self.start).await?;
            let assigned = chosen.iter().zip(starts);
            partitions.extend(assigned.map(|(partition, (offset, high_watermark))| {
                Assigned::new(&route, *partition, offset, high_watermark)
            }));
        }
        if partitions.is_empty() {
            let text = "no partition is assigned: use assign or assign_all".to_owned();
            return Err(ConsumeError::InvalidOptions(text));
        }
        Ok(Consumer::start(self.client, partitions, self.buffer_bytes, self.policy))
    }
}

/// For each partition: where it begins, and the end of what can be read now.
pub(super) async fn resolve(
    core: &Core,
    topic: &str,
    partitions: &[u32],
    start: StartAt,
) -> Result<Vec<(i64, i64)>, ConsumeError> {
    let ask = async |at| {
        let queries: Vec<_> = partitions.iter().map(|partition| (*partition, at)).collect();
        let answers = leader_offsets(core, topic, &queries).await;
        let answers = answers.map_err(|error| no_offset(topic, partitions, error))?;
        Ok::<Vec<Option<i64>>, ConsumeError>(answers.into_iter().map(|answer| answer.offset).collect())
    };
    let ends: Vec<i64> = ask(OffsetAt::Latest).await?.into_iter().map(|end| end.unwrap_or(0)).collect();
    let starts: Vec<i64> = match start {
        StartAt::End => ends.clone(),
        StartAt::Offset(offset) if offset < 0 => {
            return Err(ConsumeError::InvalidOptions(format!("offset {offset} is below 0: give 0 or more")));
        }
        StartAt::Offset(offset) => vec![offset; ends.len()],
        StartAt::Beginning => ask(OffsetAt::Earliest).await?.into_iter().map(|at| at.unwrap_or(0)).collect(),
        StartAt::FromEnd(count) => {
            let earliest = ask(OffsetAt::Earliest).await?;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let pairs = ends.iter().zip(earliest);
            pairs.map(|(end, earliest)| end.saturating_sub(count).max(earliest.unwrap_or(0))).collect()
        }
        StartAt::Timestamp(timestamp_ms) => {
            let found = ask(OffsetAt::Timestamp(timestamp_ms)).await?;
            ends.iter().zip(found).map(|(end, found)| found.unwrap_or(*end)).collect()
        }
    };
    Ok(starts.into_iter().zip(ends).collect())
}

pub(super) fn no_route(topic: &str, error: RouteError) -> ConsumeError {
    match error {
        RouteError::Missing => ConsumeError::UnknownTopic { topic: topic.to_owned() },
        RouteError::Unreachable(reason) => ConsumeError::Unreachable(reason),
        RouteError::Closed => ConsumeError::Closed,
    }
}

pub(crate) fn no_offset(topic: &str, partitions: &[u32], error: OffsetsError) -> ConsumeError {
    match error {
        OffsetsError::Route(error) => no_route(topic, error),
        OffsetsError::UnknownPartition { partition, partitions } => {
            ConsumeError::UnknownPartition { topic: topic.to_owned(), partition, partitions }
        }
        OffsetsError::Unreachable(reason) => ConsumeError::Unreachable(reason),
        OffsetsError::Refused { code, reason } => ConsumeError::Refused {
            topic: topic.to_owned(),
            partition: partitions.first().copied().unwrap_or(0),
            code: code_name(code),
            reason,
        },
    }
}
