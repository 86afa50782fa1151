//! Settings of topics, all of them at once: what the request does not name goes back to its default.

use super::Call;
use crate::{
    listener::kafka::{
        config_resource::{ConfigResource, Problem},
        error_code::Coded as _,
    },
    service::{ConfigChanges, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    alter_configs::{
        AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
    },
};
use std::collections::BTreeMap;

pub(super) async fn handle(call: &Call, request: AlterConfigsRequest) -> Result<AlterConfigsResponse, Refusal> {
    let resources = request.resources.iter();
    let named = resources.map(|resource| (resource.resource_type, resource.resource_name.as_str()));
    let twice = named_twice(call, named)?;
    let mut responses = Vec::with_capacity(request.resources.len());
    for (resource, twice) in request.resources.into_iter().zip(twice) {
        let (resource_type, resource_name) = (resource.resource_type, resource.resource_name.clone());
        let outcome = match twice {
            true => Err(named_twice_problem()),
            false => alter(call, resource, request.validate_only).await,
        };
        let (error_code, error_message) = told(outcome);
        responses.push(AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name });
    }
    Ok(AlterConfigsResponse { responses, ..Default::default() })
}

async fn alter(call: &Call, resource: AlterConfigsResource, validate_only: bool) -> Result<(), Problem> {
    let mut values = Vec::with_capacity(resource.configs.len());
    for config in resource.configs {
        let value = config.value.ok_or_else(|| no_value(&config.name))?;
        values.push((config.name, value));
    }
    let named = (resource.resource_type, resource.resource_name.as_str());
    apply(call, named, ConfigChanges::Replace(values), validate_only).await
}

/// Changes the settings of what a request names by type and name.
pub(super) async fn apply(
    call: &Call,
    (resource_type, name): (i8, &str),
    changes: ConfigChanges,
    validate_only: bool,
) -> Result<(), Problem> {
    let broker = &call.shared.broker;
    match ConfigResource::parse(resource_type, name, broker.id())? {
        ConfigResource::Topic(name) => {
            let altered = broker.alter_topic_configs(&call.context, name, changes, validate_only).await;
            altered.map_err(|error| (error.code(), error.to_string()))
        }
        ConfigResource::OwnBroker | ConfigResource::AllBrokers => {
            let altered = broker.alter_broker_configs(&call.context, changes.first_name());
            altered.map_err(|error| (error.code(), error.to_string()))
        }
    }
}

/// For each resource, whether the request names it more than once.
pub(super) fn named_twice<'a>(
    call: &Call,
    named: impl Iterator<Item = (i8, &'a str)> + Clone,
) -> Result<Vec<bool>, Refusal> {
    let mut counts: BTreeMap<(i8, &str), usize> = BTreeMap::new();
    for resource in named.clone() {
        *counts.entry(resource).or_default() += 1;
    }
    let twice: Vec<bool> = named.map(|resource| counts.get(&resource).is_some_and(|count| *count > 1)).collect();
    call.shared.broker.check_places(twice.len())?;
    Ok(twice)
}

pub(super) fn named_twice_problem() -> Problem {
    (ErrorCode::INVALID_REQUEST, "the request names the topic or broker twice".into())
}

pub(super) fn no_value(name: &str) -> Problem {
    let shown: String = name.chars().take(64).collect();
    (ErrorCode::INVALID_REQUEST, format!("{shown:?} has no value"))
}

/// As it stands in the response.
pub(super) fn told(outcome: Result<(), Problem>) -> (ErrorCode, Option<String>) {
    match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err((error_code, message)) => (error_code, Some(message)),
    }
}
