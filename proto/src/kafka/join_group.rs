//! A member joins its group, or joins again for the next generation. The answer waits for the others.

use super::{error_code::ErrorCode, table::message};
use bytes::Bytes;

message! {
    /// Who joins, and what it can do.
    pub struct JoinGroupRequest {
        /// The group.
        group_id: String,
        /// How long the member may be silent, in milliseconds.
        session_timeout_ms: i32,
        /// How long the member may take to join again, in milliseconds; -1 is the session timeout.
        rebalance_timeout_ms: i32 [1+] = -1,
        /// The member; empty before it has an id.
        member_id: String,
        /// The static member's own name; null for all others.
        group_instance_id: Option<String> [5+, else refuse],
        /// What kind of group it is, such as `consumer`.
        protocol_type: String,
        /// The assignors, the preferred one first.
        protocols: Vec<JoinGroupRequestProtocol>,
        /// Why, for people.
        reason: Option<String> [8+],
    }

    /// An assignor that the member knows.
    pub struct JoinGroupRequestProtocol {
        /// Its name.
        name: String,
        /// What the assignor wants to know, opaque to the broker.
        metadata: Bytes,
    }

    /// The generation that begins. Only its leader learns of all members.
    pub struct JoinGroupResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [2+],
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The generation; -1 is none.
        generation_id: i32 = -1,
        /// What kind of group it is, such as `consumer`.
        protocol_type: Option<String> [7+],
        /// The assignor chosen.
        protocol_name: Option<String> [0+, nullable 7+] = Some(String::new()),
        /// The member that assigns.
        leader: String,
        /// Whether the leader keeps the assignment that stands.
        skip_assignment: bool [9+, else refuse],
        /// The member; empty before it has an id.
        member_id: String,
        /// The members.
        members: Vec<JoinGroupResponseMember>,
    }

    /// A member, for the leader to give partitions to.
    pub struct JoinGroupResponseMember {
        /// The member; empty before it has an id.
        member_id: String,
        /// The static member's own name; null for all others.
        group_instance_id: Option<String> [5+],
        /// What the assignor wants to know, opaque to the broker.
        metadata: Bytes,
    }
}
