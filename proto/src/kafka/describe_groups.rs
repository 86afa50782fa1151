//! Groups of the classic protocol with their members.

use super::{error_code::ErrorCode, table::message};
use bytes::Bytes;

message! {
    /// Groups to describe.
    pub struct DescribeGroupsRequest {
        /// The groups.
        groups: Vec<String>,
        /// Whether to say what the client may do with each group.
        include_authorized_operations: bool [3+],
    }

    /// The groups.
    pub struct DescribeGroupsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [1+],
        /// The groups.
        groups: Vec<DescribedGroup>,
    }

    /// One group.
    pub struct DescribedGroup {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The group.
        group_id: String,
        /// The group's state, such as `Stable`.
        group_state: String,
        /// What kind of group it is, such as `consumer`.
        protocol_type: String,
        /// The assignor chosen.
        protocol_data: String,
        /// The members.
        members: Vec<DescribedGroupMember>,
        /// Bits of what the client may do; the lowest number there is when it did not ask.
        authorized_operations: i32 [3+] = i32::MIN,
    }

    /// One member.
    pub struct DescribedGroupMember {
        /// The member; empty before it has an id.
        member_id: String,
        /// The static member's own name; null for all others.
        group_instance_id: Option<String> [4+],
        /// The name that the client gives itself.
        client_id: String,
        /// Where the client connects from.
        client_host: String,
        /// What the member told its assignor.
        member_metadata: Bytes,
        /// What the member got.
        member_assignment: Bytes,
    }
}
