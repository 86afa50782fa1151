//! The leader hands the assignment of a generation in, every member takes its own out.

use super::{error_code::ErrorCode, table::message};
use bytes::Bytes;

message! {
    /// Who asks, and the assignment if it is the leader.
    pub struct SyncGroupRequest {
        /// The group.
        group_id: String,
        /// The generation; -1 is none.
        generation_id: i32,
        /// The member; empty before it has an id.
        member_id: String,
        /// The static member's own name; null for all others.
        group_instance_id: Option<String> [3+, else refuse],
        /// What kind of group it is, such as `consumer`.
        protocol_type: Option<String> [5+],
        /// The assignor chosen.
        protocol_name: Option<String> [5+],
        /// The members' partitions; empty unless the leader asks.
        assignments: Vec<SyncGroupRequestAssignment>,
    }

    /// What one member is to get.
    pub struct SyncGroupRequestAssignment {
        /// The member; empty before it has an id.
        member_id: String,
        /// The member's partitions, opaque to the broker.
        assignment: Bytes,
    }

    /// The member's assignment.
    pub struct SyncGroupResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [1+],
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// What kind of group it is, such as `consumer`.
        protocol_type: Option<String> [5+],
        /// The assignor chosen.
        protocol_name: Option<String> [5+],
        /// The member's partitions, opaque to the broker.
        assignment: Bytes,
    }
}
