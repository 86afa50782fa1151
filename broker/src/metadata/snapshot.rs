//! The state as a file: JSON framed with a checksum, in two copies, each replaced atomically. The log behind a snapshot may
//! only be cut once both copies are durable, so that either can be lost.
//!
//! ```text
//! bytes 0..8    "CAIRNSNP"
//!       8..12   format (u32)
//!       12..20  length of the JSON (u64)
//!       20..24  CRC-32 of bytes 8..20 and the JSON (u32)
//!       24..    the JSON, to the end of the file
//! ```
//! Numbers are big-endian.

use super::{
    BrokerRecord, ClusterState, DeletedTopic, MetadataError, PartitionRecord, Topic, TopicConfig, topic_name,
};
use crate::{
    disk::{Disk, DiskError, DiskErrorKind, read_file, replace_file},
    ids::{BrokerId, ClusterId, LogId, MetadataIndex, ProducerId},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// The two copies, in the metadata directory.
pub(super) const SNAPSHOT_FILES: [&str; 2] = ["snapshot", "snapshot.copy"];
/// The format that this build writes, and the newest that it reads.
pub(super) const SNAPSHOT_FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"CAIRNSNP";
pub(super) const HEADER_BYTES: usize = 24;
/// No snapshot is larger: some kilobytes for each of the most partitions that there can be.
const SNAPSHOT_BYTES_MAX: usize = 1 << 30;
/// Epochs and numbers that a snapshot may hold: far from where the next one overflows.
const EPOCH_MAX: i32 = i32::MAX / 2;
const NUMBER_MAX: u64 = 1 << 62;

#[derive(Serialize)]
struct Outgoing<'a> {
    cluster: Option<ClusterId>,
    index: MetadataIndex,
    feature_level: u32,
    next_log: LogId,
    next_producer: ProducerId,
    brokers: BTreeMap<BrokerId, &'a BrokerRecord>,
    topics: Vec<&'a Topic>,
    deleted: Vec<&'a DeletedTopic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incoming {
    cluster: Option<ClusterId>,
    index: MetadataIndex,
    feature_level: u32,
    next_log: LogId,
    next_producer: ProducerId,
    brokers: BTreeMap<BrokerId, BrokerRecord>,
    topics: Vec<Topic>,
    deleted: Vec<DeletedTopic>,
}

/// Why bytes are no snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SnapshotProblem {
    /// Of a newer version, whose checksum is right.
    NewerFormat(u32),
    /// Anything else, in words.
    Damaged(String),
}

/// The whole file.
pub(super) fn encode(state: &ClusterState) -> Vec<u8> {
    let outgoing = Outgoing {
        cluster: state.cluster,
        index: state.index,
        feature_level: state.feature_level,
        next_log: state.next_log,
        next_producer: state.next_producer,
        brokers: state.brokers.iter().map(|(id, record)| (*id, record)).collect(),
        topics: state.topics.values().map(|topic| &**topic).collect(),
        deleted: state.deleted.values().map(|topic| &**topic).collect(),
    };
    let mut json = Vec::new();
    if let Err(error) = serde_json::to_writer(&mut json, &outgoing) {
        panic!("a state always has a JSON form: {error}");
    }
    file_of(&json)
}

/// The file that holds this JSON.
pub(super) fn file_of(json: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER_BYTES + json.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&SNAPSHOT_FORMAT.to_be_bytes());
    file.extend_from_slice(&(json.len() as u64).to_be_bytes());
    let crc = checksum(file.get(8..).unwrap_or_default(), json);
    file.extend_from_slice(&crc.to_be_bytes());
    file.extend_from_slice(json);
    file
}

fn checksum(head: &[u8], json: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    crc.update(json);
    crc.finalize()
}

/// The state of a file's bytes, whatever they are.
pub(super) fn decode(file: &[u8]) -> Result<ClusterState, SnapshotProblem> {
    let damaged = |detail: &str| SnapshotProblem::Damaged(detail.to_string());
    let (magic, rest) =
        file.split_first_chunk::<8>().ok_or_else(|| damaged("it is shorter than its header"))?;
    let (format, after) =
        rest.split_first_chunk::<4>().ok_or_else(|| damaged("it is shorter than its header"))?;
    let (length, after) =
        after.split_first_chunk::<8>().ok_or_else(|| damaged("it is shorter than its header"))?;
    let (crc, json) =
        after.split_first_chunk::<4>().ok_or_else(|| damaged("it is shorter than its header"))?;
    if magic != MAGIC {
        return Err(damaged("byte 0: it does not begin as a snapshot does"));
    }
    let (format, length) = (u32::from_be_bytes(*format), u64::from_be_bytes(*length));
    if length != json.len() as u64 {
        return Err(SnapshotProblem::Damaged(format!(
            "byte 12: it says {length} bytes and has {}",
            json.len()
        )));
    }
    if checksum(rest.get(..12).unwrap_or_default(), json) != u32::from_be_bytes(*crc) {
        return Err(damaged("byte 20: its checksum does not match its bytes"));
    }
    if format != SNAPSHOT_FORMAT {
        return Err(SnapshotProblem::NewerFormat(format));
    }
    let incoming: Incoming =
        serde_json::from_slice(json).map_err(|error| SnapshotProblem::Damaged(error.to_string()))?;
    build(incoming).map_err(SnapshotProblem::Damaged)
}

/// Only what could have been written makes a state: nothing that the state machine asserts is taken on trust.
fn build(incoming: Incoming) -> Result<ClusterState, String> {
    let Incoming { cluster, index, feature_level, next_log, next_producer, brokers, topics, deleted } =
        incoming;
    if next_log.get() > NUMBER_MAX || index.get() > NUMBER_MAX || next_producer.get() < 0 {
        return Err("a number is out of range".into());
    }
    let brokers = brokers.into_iter().collect();
    let mut state = ClusterState {
        cluster,
        index,
        brokers,
        next_log,
        next_producer,
        feature_level,
        ..ClusterState::new()
    };
    for topic in topics {
        check_topic(&topic, &state)?;
        state.put_topic(Arc::new(topic));
    }
    state.deleted = deleted.into_iter().map(|topic| (topic.id, Arc::new(topic))).collect();
    Ok(state)
}

fn check_topic(topic: &Topic, state: &ClusterState) -> Result<(), String> {
    topic_name::check(&topic.name).map_err(|error| error.to_string())?;
    TopicConfig::parse(&topic.configs).map_err(|error| format!("topic {}: {error}", topic.name))?;
    if state.topics.contains_key(&topic.id) || state.colliding(&topic.name).is_some() {
        return Err(format!("topic {:?} stands there twice", topic.name));
    }
    match topic.partitions.iter().find(|partition| !is_possible(partition, state)) {
        None => Ok(()),
        Some(partition) => Err(format!("a partition of topic {:?} cannot be: {partition:?}", topic.name)),
    }
}

fn is_possible(partition: &PartitionRecord, state: &ClusterState) -> bool {
    let PartitionRecord { replicas, isr, elr, leader, leader_epoch, partition_epoch, .. } = partition;
    let epochs =
        (0..EPOCH_MAX).contains(&leader_epoch.get()) && (0..EPOCH_MAX).contains(&partition_epoch.get());
    let full = u32::try_from(isr.len()).is_ok_and(|members| members >= partition.min_isr);
    epochs
        && partition.log < state.next_log
        && isr.is_subset(replicas)
        && elr.is_subset(replicas)
        && isr.iter().all(|broker| !elr.contains(broker) && state.is_live(broker))
        && (!full || elr.is_empty())
        && leader.is_none_or(|leader| isr.contains(leader))
}

/// Replaces both copies, one after the other.
///
/// # Errors
/// The disk's. The copies that were there are still there, one of them perhaps newer.
pub(super) fn write(disk: &dyn Disk, directory: &Path, state: &ClusterState) -> Result<(), DiskError> {
    let file = encode(state);
    SNAPSHOT_FILES.iter().try_for_each(|name| replace_file(disk, directory, name, &file))
}

/// What the two copies say.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The newer one that can be read.
    pub(super) state: Option<ClusterState>,
    /// Copies that cannot be read, in words that name the file. With a state it is healed by the next snapshot.
    pub(super) problems: Vec<String>,
    /// Both copies are there and the same.
    pub(super) whole: bool,
}

/// Reads both copies. That one is missing or damaged is told; that none is there is an empty result.
///
/// # Errors
/// A newer format, a disk failure.
pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Result<Found, MetadataError> {
    let mut found = Found::default();
    let mut indexes = Vec::new();
    for name in SNAPSHOT_FILES {
        let file = directory.join(name);
        let bytes = match read_file(disk, &file, SNAPSHOT_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind == DiskErrorKind::NotFound => continue,
            Err(error) => {
                found.problems.push(error.to_string());
                continue;
            }
        };
        match decode(&bytes) {
            Ok(state) => {
                indexes.push(state.index);
                if found.state.as_ref().is_none_or(|other| other.index < state.index) {
                    found.state = Some(state);
                }
            }
            Err(SnapshotProblem::NewerFormat(format)) => {
                return Err(MetadataError::NewerFormat { file, found: format, known: SNAPSHOT_FORMAT });
            }
            Err(SnapshotProblem::Damaged(detail)) => {
                found.problems.push(format!("{} is damaged: {detail}", file.display()));
            }
        }
    }
    found.whole = matches!(indexes.as_slice(), [one, other] if one == other);
    Ok(found)
}

#[cfg(test)]
mod tests;
