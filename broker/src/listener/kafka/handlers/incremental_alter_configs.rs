//! Settings of topics, one by one: set, back to the default, words into a list and out of it. Everything else stays.

use super::{
    Call,
    alter_configs::{apply, named_twice, named_twice_problem, no_value, told},
};
use crate::{
    listener::kafka::config_resource::Problem,
    service::{ConfigChange, ConfigChanges, Refusal},
};
use cairn_proto::kafka::{
    ErrorCode,
    incremental_alter_configs::{
        AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
        IncrementalAlterConfigsResponse,
    },
};

pub(super) async fn handle(
    call: &Call,
    request: IncrementalAlterConfigsRequest,
) -> Result<IncrementalAlterConfigsResponse, Refusal> {
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
    Ok(IncrementalAlterConfigsResponse { responses, ..Default::default() })
}

async fn alter(call: &Call, resource: AlterConfigsResource, validate_only: bool) -> Result<(), Problem> {
    let changes = resource.configs.into_iter().map(change).collect::<Result<_, Problem>>()?;
    let named = (resource.resource_type, resource.resource_name.as_str());
    apply(call, named, ConfigChanges::Each(changes), validate_only).await
}

fn change(config: AlterableConfig) -> Result<(String, ConfigChange), Problem> {
    let AlterableConfig { name, config_operation, value } = config;
    let value = value.ok_or_else(|| no_value(&name));
    let change = match config_operation {
        0 => ConfigChange::Set(value?),
        1 => ConfigChange::Reset,
        2 => ConfigChange::Append(value?),
        3 => ConfigChange::Subtract(value?),
        other => {
            let message = format!("operation {other}: 0 sets, 1 resets, 2 appends and 3 subtracts");
            return Err((ErrorCode::INVALID_REQUEST, message));
        }
    };
    Ok((name, change))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_numbers() {
        let given = |config_operation, value: Option<&str>| {
            let value = value.map(str::to_owned);
            change(AlterableConfig { name: "a".into(), config_operation, value })
                .map(|(_, change)| change)
                .map_err(|(code, _)| code)
        };
        assert_eq!(given(0, Some("x")), Ok(ConfigChange::Set("x".into())));
        assert_eq!(given(1, None), Ok(ConfigChange::Reset));
        assert_eq!(given(2, Some("x")), Ok(ConfigChange::Append("x".into())));
        assert_eq!(given(3, Some("x")), Ok(ConfigChange::Subtract("x".into())));
        for (operation, value) in [(4, Some("x")), (-1, Some("x")), (0, None), (2, None), (3, None)] {
            assert_eq!(given(operation, value), Err(ErrorCode::INVALID_REQUEST), "{operation}");
        }
    }
}
