//! Topics to be deleted, by name or by id, one after the other. One that a request names more than once is left alone.

use super::Call;
use crate::{
    ids::TopicId,
    listener::kafka::{error_code::Coded as _, names::TopicKey},
    metadata::ClusterState,
    service::{Context, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    delete_topics::{DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Since this version topics are named one by one, by name or by id.
const BY_ID_SINCE: i16 = 6;

pub(super) async fn handle(call: &Call, request: DeleteTopicsRequest) -> Result<DeleteTopicsResponse, Refusal> {
    let context = call.until(request.timeout_ms);
    let named = |name| DeleteTopicState { name: Some(name), ..Default::default() };
    let wanted = match call.version >= BY_ID_SINCE {
        true => request.topics,
        false => request.topic_names.into_iter().map(named).collect(),
    };
    let (wanted, mut responses) = once_each(&*call.shared.broker.cluster(&call.context)?, wanted);
    for topic in wanted {
        let image = call.shared.broker.cluster(&call.context)?;
        let known = match (&topic.name, topic.topic_id.is_nil()) {
            (None, false) => TopicKey::Id(topic.topic_id).find(&image).ok(),
            (Some(name), true) => TopicKey::Name(name).find(&image).ok(),
            _ => None,
        };
        let mut result = DeletableTopicResult {
            name: topic.name.clone().or_else(|| known.map(|known| known.name.clone())),
            topic_id: known.map_or(topic.topic_id, |known| known.id.0),
            ..Default::default()
        };
        if let Err((error_code, message)) = delete(call, &context, &topic).await {
            result.error_code = error_code;
            result.error_message = Some(message);
        }
        responses.push(result);
    }
    Ok(DeleteTopicsResponse { responses, ..Default::default() })
}

/// Those that are named once, and the refusals of the others, one for each topic.
fn once_each(
    image: &ClusterState,
    wanted: Vec<DeleteTopicState>,
) -> (Vec<DeleteTopicState>, Vec<DeletableTopicResult>) {
    let mut named: BTreeMap<(Option<String>, Uuid), Vec<DeleteTopicState>> = BTreeMap::new();
    let mut order = Vec::with_capacity(wanted.len());
    for topic in wanted {
        let found = match (&topic.name, topic.topic_id.is_nil()) {
            (Some(name), true) => TopicKey::Name(name).find(image).ok(),
            (None, false) => TopicKey::Id(topic.topic_id).find(image).ok(),
            // Refused for itself.
            _ => None,
        };
        let key = match found {
            Some(found) => (None, found.id.0),
            None => (topic.name.clone(), topic.topic_id),
        };
        let same = named.entry(key.clone()).or_default();
        if same.is_empty() {
            order.push(key);
        }
        same.push(topic);
    }
    let (mut once, mut refused) = (Vec::new(), Vec::new());
    for mut same in order.into_iter().filter_map(|key| named.remove(&key)) {
        if same.len() > 1 {
            refused.push(DeletableTopicResult {
                name: same.iter().find_map(|topic| topic.name.clone()),
                topic_id: same.iter().map(|topic| topic.topic_id).max().unwrap_or_default(),
                error_code: ErrorCode::INVALID_REQUEST,
                error_message: Some("the request names the topic more than once".into()),
            });
        } else {
            once.append(&mut same);
        }
    }
    (once, refused)
}

async fn delete(call: &Call, context: &Context, topic: &DeleteTopicState) -> Result<(), (ErrorCode, String)> {
    let broker = &call.shared.broker;
    match (&topic.name, topic.topic_id) {
        (Some(name), id) if id.is_nil() => {
            broker.delete_topic(context, name).await.map_err(|error| (error.code(), error.to_string()))
        }
        (None, id) if !id.is_nil() => {
            let deleted = broker.delete_topic_by_id(context, TopicId(id)).await;
            deleted.map_err(|error| match error.code() {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => (ErrorCode::UNKNOWN_TOPIC_ID, error.to_string()),
                code => (code, error.to_string()),
            })
        }
        _ => Err((ErrorCode::INVALID_REQUEST, "name the topic either by its name or by its id".into())),
    }
}
