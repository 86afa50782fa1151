//! A member says that it is alive and learns of a rebalance.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Who is alive.
    pub struct HeartbeatRequest {
        /// The group.
        group_id: String,
        /// The generation; -1 is none.
        generation_id: i32,
        /// The member; empty before it has an id.
        member_id: String,
        /// The static member's own name; null for all others.
        group_instance_id: Option<String> [3+, else refuse],
    }

    /// Whether its generation still stands.
    pub struct HeartbeatResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [1+],
        /// What went wrong, if anything.
        error_code: ErrorCode,
    }
}
