//! The groups that this broker coordinates, all of them or those in some states.

use super::Call;
use crate::{coordinator::group::GroupKind, listener::kafka::error_code::Coded as _, service::Refusal};
use cairn_proto::kafka::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

/// The type of a group, as Kafka calls it: who decides which member reads what.
fn group_type(kind: GroupKind) -> &'static str {
    match kind {
        GroupKind::Classic => "classic",
        GroupKind::Native => "consumer",
    }
}

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(call: &Call, request: ListGroupsRequest) -> Result<ListGroupsResponse, Refusal> {
    let all = match call.shared.broker.list_groups(&call.context) {
        Ok(all) => all,
        Err(error) => return Ok(ListGroupsResponse { error_code: error.code(), ..Default::default() }),
    };
    let passes = |filter: &[String], given: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(given))
    };
    let wanted = all
        .into_iter()
        .filter(|(_, group)| passes(&request.states_filter, group.state) && passes(&request.types_filter, group_type(group.kind)));
    let groups = wanted.map(|(group_id, group)| ListedGroup {
        group_id,
        protocol_type: group.protocol_type.unwrap_or_default(),
        group_state: group.state.to_owned(),
        group_type: group_type(group.kind).to_owned(),
    });
    Ok(ListGroupsResponse { groups: groups.collect(), ..Default::default() })
}
