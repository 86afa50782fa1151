//! Groups with their members, for administrators. A group that does not exist is told as one that is dead.

use super::Call;
use crate::{
    coordinator::group::{DescribedMember, Description},
    listener::kafka::error_code::Coded as _,
    service::Refusal,
};
use cairn_proto::kafka::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use std::collections::BTreeSet;

/// Read, delete, describe, describe and alter configs: everything that a group knows, since nobody is refused.
const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;
/// Only then there is an assignor that was chosen. Shares stay what they were until there are new ones.
const STABLE: &str = "Stable";

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(
    call: &Call,
    request: DescribeGroupsRequest,
) -> Result<DescribeGroupsResponse, Refusal> {
    let one = |group_id: String| {
        let mut told = match call.shared.broker.describe_group(&call.context, &group_id) {
            Ok(Some(group)) => described(group),
            Ok(None) => DescribedGroup { group_state: "Dead".into(), ..Default::default() },
            Err(error) => DescribedGroup { error_code: error.code(), ..Default::default() },
        };
        if request.include_authorized_operations && told.error_code.is_none() {
            told.authorized_operations = GROUP_OPERATIONS;
        }
        DescribedGroup { group_id, ..told }
    };
    // Each of them once: an answer holds a group with all of its members.
    let mut seen = BTreeSet::new();
    let names = request.groups.into_iter().filter(|name| seen.insert(name.clone()));
    let groups = names.map(one).collect();
    Ok(DescribeGroupsResponse { groups, ..Default::default() })
}

fn described(group: Description) -> DescribedGroup {
    let protocol = group.protocol.filter(|_| group.state == STABLE);
    let member = |DescribedMember { id, member }: DescribedMember| DescribedGroupMember {
        member_id: id,
        member_metadata: protocol.as_deref().map(|name| member.metadata(name)).unwrap_or_default(),
        member_assignment: member.assignment,
        group_instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
    };
    let members = group.members.into_iter().map(member).collect();
    DescribedGroup {
        group_state: group.state.to_owned(),
        protocol_type: group.protocol_type.unwrap_or_default(),
        protocol_data: protocol.unwrap_or_default(),
        members,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_the_bits_of_their_numbers() {
        let [read, delete, describe, describe_configs, alter_configs] = [3, 6, 8, 10, 11];
        let operations = [read, delete, describe, describe_configs, alter_configs];
        assert_eq!(GROUP_OPERATIONS, operations.iter().map(|bit| 1 << bit).sum::<i32>());
    }
}
