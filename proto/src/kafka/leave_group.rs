//! Members leave their group: one before version 3, any number from then on.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Who leaves.
    pub struct LeaveGroupRequest {
        /// The group.
        group_id: String,
        /// The member; empty before it has an id.
        member_id: String [0-2, else refuse],
        /// The members.
        members: Vec<MemberIdentity> [3+, else refuse],
    }

    /// A member that leaves.
    pub struct MemberIdentity {
        /// The member; empty before it has an id.
        member_id: String,
        /// The static member's own name; null for all others.
        group_instance_id: Option<String>,
        /// Why, for people.
        reason: Option<String> [5+],
    }

    /// What became of it.
    pub struct LeaveGroupResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [1+],
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The members.
        members: Vec<MemberResponse> [3+, else refuse],
    }

    /// What became of one member.
    pub struct MemberResponse {
        /// The member; empty before it has an id.
        member_id: String,
        /// The static member's own name; null for all others.
        group_instance_id: Option<String>,
        /// What went wrong, if anything.
        error_code: ErrorCode,
    }
}
