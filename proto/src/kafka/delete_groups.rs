//! Deletes groups without members, with their offsets.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Groups to delete.
    pub struct DeleteGroupsRequest {
        /// The groups.
        groups_names: Vec<String>,
    }

    /// What became of each.
    pub struct DeleteGroupsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// One for each.
        results: Vec<DeletableGroupResult>,
    }

    /// What became of one group.
    pub struct DeletableGroupResult {
        /// The group.
        group_id: String,
        /// What went wrong, if anything.
        error_code: ErrorCode,
    }
}
