//! Groups to be deleted with what they committed, one after the other.

use super::Call;
use crate::{listener::kafka::error_code::Coded as _, service::Refusal};
use cairn_proto::kafka::{
    ErrorCode,
    delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse},
};
use std::collections::BTreeSet;

pub(super) async fn handle(call: &Call, request: DeleteGroupsRequest) -> Result<DeleteGroupsResponse, Refusal> {
    let mut results = Vec::with_capacity(request.groups_names.len());
    // A group that is named twice is deleted, and told, once.
    let mut seen = BTreeSet::new();
    for group_id in request.groups_names.into_iter().filter(|group_id| seen.insert(group_id.clone())) {
        let deleted = call.shared.broker.delete_group(&call.context, &group_id).await;
        let error_code = deleted.map_or_else(|error| error.code(), |()| ErrorCode::NONE);
        results.push(DeletableGroupResult { group_id, error_code });
    }
    Ok(DeleteGroupsResponse { results, ..Default::default() })
}
