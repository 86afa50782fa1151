//! Settings of topics and of this broker, each with its value, where that comes from and what it is for.

use super::Call;
use crate::{
    listener::kafka::{
        config_resource::{ConfigResource, Problem, source_number, type_number},
        error_code::Coded as _,
    },
    service::{DescribedConfig, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    describe_configs::{
        DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
        DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
    },
};
use std::collections::BTreeSet;

/// What is said besides the values.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    synonyms: bool,
    documentation: bool,
}

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(
    call: &Call,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Refusal> {
    call.shared.broker.check_places(request.resources.len())?;
    let wanted = Wanted { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let mut seen = BTreeSet::new();
    let mut results = Vec::new();
    for resource in request.resources {
        // Answered once, however often it is asked for: an answer is so much longer than the question.
        if !seen.insert((resource.resource_type, resource.resource_name.clone())) {
            continue;
        }
        let (configs, (error_code, error_message)) = match described(call, &resource) {
            Ok(configs) => (configs, (ErrorCode::NONE, None)),
            Err((error_code, message)) => (Vec::new(), (error_code, Some(message))),
        };
        let keys = resource.configuration_keys.unwrap_or_default();
        let asked = |config: &DescribedConfig| keys.is_empty() || keys.iter().any(|key| key == config.name);
        results.push(DescribeConfigsResult {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            configs: configs.iter().filter(|config| asked(config)).map(|config| told(config, wanted)).collect(),
        });
    }
    Ok(DescribeConfigsResponse { results, ..Default::default() })
}

fn described(call: &Call, resource: &DescribeConfigsResource) -> Result<Vec<DescribedConfig>, Problem> {
    let broker = &call.shared.broker;
    match ConfigResource::parse(resource.resource_type, &resource.resource_name, broker.id())? {
        ConfigResource::Topic(name) => {
            let configs = broker.describe_topic_configs(&call.context, name);
            configs.map_err(|error| (error.code(), error.to_string()))
        }
        ConfigResource::OwnBroker => {
            let configs = broker.describe_broker_configs(&call.context);
            configs.map_err(|refusal| (refusal.code(), refusal.to_string()))
        }
        ConfigResource::AllBrokers => Ok(Vec::new()),
    }
}

fn told(config: &DescribedConfig, wanted: Wanted) -> DescribeConfigsResourceResult {
    let synonym = |synonym: &crate::service::ConfigSynonym| DescribeConfigsSynonym {
        name: synonym.name.to_owned(),
        value: Some(synonym.value.clone()),
        source: source_number(synonym.source),
    };
    DescribeConfigsResourceResult {
        name: config.name.to_owned(),
        value: Some(config.value().to_owned()),
        read_only: config.read_only,
        config_source: source_number(config.source()),
        // None of the settings is a secret.
        is_sensitive: false,
        synonyms: config.synonyms.iter().filter(|_| wanted.synonyms).map(synonym).collect(),
        config_type: type_number(config.config_type),
        documentation: wanted.documentation.then(|| config.documentation.to_owned()),
    }
}
