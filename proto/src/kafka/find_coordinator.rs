//! Which broker coordinates a group or a transaction.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Groups or transactions to look up: one before version 4, any number from then on.
    pub struct FindCoordinatorRequest {
        /// The group or transaction.
        key: String [0-3, else refuse],
        /// 0 is a group, 1 a transaction, 2 a share group's partition.
        key_type: i8 [1+, else refuse],
        /// The groups or transactions.
        coordinator_keys: Vec<String> [4+, else refuse],
    }

    /// The coordinators: one before version 4, a list from then on.
    pub struct FindCoordinatorResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [1+],
        /// What went wrong, if anything.
        error_code: ErrorCode [0-3, else refuse],
        /// What went wrong, for people.
        error_message: Option<String> [1-3],
        /// The broker's id.
        node_id: i32 [0-3],
        /// Where it listens.
        host: String [0-3, else refuse],
        /// Where it listens.
        port: i32 [0-3],
        /// One for each key.
        coordinators: Vec<Coordinator> [4+, else refuse],
    }

    /// The coordinator of one key.
    pub struct Coordinator {
        /// The group or transaction.
        key: String,
        /// The broker's id.
        node_id: i32,
        /// Where it listens.
        host: String,
        /// Where it listens.
        port: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// What went wrong, for people.
        error_message: Option<String>,
    }
}
