//! Topics to be deleted, by name or by id, one after the other.

use super::Call;
use crate::{
    ids::TopicId,
    listener::kafka::{error_code::Coded as _, names::TopicKey},
    service::{Context, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    delete_topics::{DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse},
};

/// Since this version topics are named one by one, by name or by id.
const BY_ID_SINCE: i16 = 6;

pub(super) async fn handle(call: &Call, request: DeleteTopicsRequest) -> Result<DeleteTopicsResponse, Refusal> {
    let context = call.until(request.timeout_ms);
    let named = |name| DeleteTopicState { name: Some(name), ..Default::default() };
    let wanted = match call.version >= BY_ID_SINCE {
        true => request.topics,
        false => request.topic_names.into_iter().map(named).collect(),
    };
    let mut responses = Vec::with_capacity(wanted.len());
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
