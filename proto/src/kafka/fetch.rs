//! Reads record batches of partitions, within a fetch session or without one (KIP-227).

use super::{
    error_code::ErrorCode,
    leader::{LeaderIdAndEpoch, NodeEndpoint},
    table::message,
};
use bytes::Bytes;
use uuid::Uuid;

message! {
    /// What to read, from where, how much and how long to wait for it.
    pub struct FetchRequest {
        /// The cluster the reader means; null is any.
        cluster_id: Option<String> [12+, tag 0],
        /// The broker that reads; -1 is a consumer.
        replica_id: i32 [4-14] = -1,
        /// The broker that reads.
        replica_state: ReplicaState [15+, tag 1],
        /// How long to wait for `min_bytes`, in milliseconds.
        max_wait_ms: i32,
        /// How much must be there before the answer, within the time.
        min_bytes: i32,
        /// How much to answer with; the first batch comes whatever its size.
        max_bytes: i32 = i32::MAX,
        /// 0 reads everything, 1 committed records only.
        isolation_level: i8,
        /// The fetch session; 0 is none.
        session_id: i32 [7+],
        /// Which request of the session: -1 ends it or is outside of any, 0 begins one.
        session_epoch: i32 [7+] = -1,
        /// The topics.
        topics: Vec<FetchTopic>,
        /// What to take out of the session.
        forgotten_topics_data: Vec<ForgottenTopic> [7+, else refuse],
        /// The reader's rack.
        rack_id: String [11+],
    }

    /// Who reads, if it is a replica.
    pub struct ReplicaState {
        /// The broker that reads; -1 is a consumer.
        replica_id: i32 = -1,
        /// The epoch of the broker that reads; -1 is none.
        replica_epoch: i64 = -1,
    }

    /// Partitions of one topic to read.
    pub struct FetchTopic {
        /// Name of the topic.
        topic: String [4-12],
        /// The topic's id; zero when the topic is named.
        topic_id: Uuid [13+],
        /// The partitions.
        partitions: Vec<FetchPartition>,
    }

    /// Where to read in a partition.
    pub struct FetchPartition {
        /// The partition's number.
        partition: i32,
        /// The leader epoch that the client knows; -1 is none.
        current_leader_epoch: i32 [9+] = -1,
        /// The first offset to read.
        fetch_offset: i64,
        /// The epoch of the last record the reader has; -1 is none.
        last_fetched_epoch: i32 [12+, else refuse] = -1,
        /// The first offset there is; -1 is unknown.
        log_start_offset: i64 [5+] = -1,
        /// How much to answer with for this partition.
        partition_max_bytes: i32,
    }

    /// Partitions to take out of the session.
    pub struct ForgottenTopic {
        /// Name of the topic.
        topic: String [7-12],
        /// The topic's id; zero when the topic is named.
        topic_id: Uuid [13+],
        /// The partitions.
        partitions: Vec<i32>,
    }

    /// What was read.
    pub struct FetchResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode [7+],
        /// The fetch session; 0 is none.
        session_id: i32 [7+, else refuse],
        /// The topics.
        responses: Vec<FetchableTopicResponse>,
        /// Where the leaders named in here listen.
        node_endpoints: Vec<NodeEndpoint> [16+, tag 0],
    }

    /// What was read of one topic.
    pub struct FetchableTopicResponse {
        /// Name of the topic.
        topic: String [4-12],
        /// The topic's id; zero when the topic is named.
        topic_id: Uuid [13+],
        /// The partitions.
        partitions: Vec<PartitionData>,
    }

    /// What was read of one partition.
    pub struct PartitionData {
        /// The partition's number.
        partition_index: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The offset behind the last record that all in-sync replicas have.
        high_watermark: i64,
        /// The offset before which every transaction is decided; -1 is unknown.
        last_stable_offset: i64 = -1,
        /// The first offset there is; -1 is unknown.
        log_start_offset: i64 [5+] = -1,
        /// Where the reader's log and this one part.
        diverging_epoch: EpochEndOffset [12+, tag 0],
        /// The leader, if the asked broker is not.
        current_leader: LeaderIdAndEpoch [12+, tag 1],
        /// A snapshot to fetch instead.
        snapshot_id: SnapshotId [12+, tag 2],
        /// Transactions that were given up; null unless committed records were asked for.
        aborted_transactions: Option<Vec<AbortedTransaction>>,
        /// The broker to read from instead; -1 is none.
        preferred_read_replica: i32 [11+, else refuse] = -1,
        /// Record batches as they are, one behind the other.
        records: Option<Bytes>,
    }

    /// Where an epoch ends in the leader's log.
    pub struct EpochEndOffset {
        /// The epoch; -1 is none.
        epoch: i32 = -1,
        /// The offset behind the epoch's last record; -1 is none.
        end_offset: i64 = -1,
    }

    /// A snapshot to fetch instead of records; for metadata logs only.
    pub struct SnapshotId {
        /// The offset behind the epoch's last record; -1 is none.
        end_offset: i64 = -1,
        /// The epoch; -1 is none.
        epoch: i32 = -1,
    }

    /// A transaction whose records a reader of committed records skips.
    pub struct AbortedTransaction {
        /// The producer; -1 is none.
        producer_id: i64,
        /// The transaction's first record.
        first_offset: i64,
    }
}
