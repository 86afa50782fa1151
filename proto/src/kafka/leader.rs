//! What tells a client of a new leader without another Metadata request (KIP-951).

use super::table::message;

message! {
    /// A partition's leader; -1 and -1 when the answer is not about leadership.
    pub struct LeaderIdAndEpoch {
        /// The leader; -1 is none.
        leader_id: i32 = -1,
        /// The leader's epoch; -1 is unknown.
        leader_epoch: i32 = -1,
    }

    /// Where a broker named as a leader listens.
    pub struct NodeEndpoint {
        /// The broker's id.
        node_id: i32,
        /// Where it listens.
        host: String,
        /// Where it listens.
        port: i32,
        /// Its rack, if it has one.
        rack: Option<String>,
    }
}
