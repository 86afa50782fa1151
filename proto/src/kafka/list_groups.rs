//! The groups that a broker coordinates.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Which groups to list.
    pub struct ListGroupsRequest {
        /// The states to list; empty is all.
        states_filter: Vec<String> [4+, else refuse],
        /// The types to list; empty is all.
        types_filter: Vec<String> [5+, else refuse],
    }

    /// The groups.
    pub struct ListGroupsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [1+],
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The groups.
        groups: Vec<ListedGroup>,
    }

    /// One group.
    pub struct ListedGroup {
        /// The group.
        group_id: String,
        /// What kind of group it is, such as `consumer`.
        protocol_type: String,
        /// The group's state, such as `Stable`.
        group_state: String [4+],
        /// The group's type, such as `classic`.
        group_type: String [5+],
    }
}
