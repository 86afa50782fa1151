//! Whose settings a request means, and settings in the protocol's numbers: shared by everything that describes or changes
//! them.

use crate::{
    ids::BrokerId,
    listener::kafka::names::broker_number,
    metadata::is_topic_name,
    service::{ConfigSource, ConfigType},
};
use cairn_proto::kafka::ErrorCode;

/// What the protocol calls topics and brokers, by number.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// An error, with what went wrong for people.
pub(super) type Problem = (ErrorCode, String);

/// What has settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConfigResource<'a> {
    Topic(&'a str),
    /// This broker.
    OwnBroker,
    /// What was set for all brokers while they run: nothing ever is.
    AllBrokers,
}

impl<'a> ConfigResource<'a> {
    /// What a request names, if it can be asked at the broker `own`.
    pub(super) fn parse(resource_type: i8, name: &'a str, own: BrokerId) -> Result<Self, Problem> {
        let shown: String = name.chars().take(260).collect();
        match resource_type {
            TOPIC if is_topic_name(name) => Ok(Self::Topic(name)),
            TOPIC => Err((ErrorCode::INVALID_TOPIC_EXCEPTION, format!("{shown:?} is not a topic's name"))),
            BROKER if name.is_empty() => Ok(Self::AllBrokers),
            BROKER => match name.parse::<i32>() {
                Ok(number) if number == broker_number(own) => Ok(Self::OwnBroker),
                _ => {
                    let message =
                        format!("this is broker {own}: it knows nothing of the settings of broker {shown:?}");
                    Err((ErrorCode::INVALID_REQUEST, message))
                }
            },
            other => {
                let message = format!(
                    "there are settings of topics ({TOPIC}) and brokers ({BROKER}), not of type {other}"
                );
                Err((ErrorCode::INVALID_REQUEST, message))
            }
        }
    }
}

/// Where a value comes from, by the protocol's number.
pub(super) fn source_number(source: ConfigSource) -> i8 {
    match source {
        ConfigSource::Topic => 1,
        ConfigSource::Broker => 4,
        ConfigSource::Default => 5,
    }
}

/// What values look like, by the protocol's number.
pub(super) fn type_number(config_type: ConfigType) -> i8 {
    match config_type {
        ConfigType::Boolean => 1,
        ConfigType::Text => 2,
        ConfigType::Int => 3,
        ConfigType::Long => 5,
        ConfigType::Double => 6,
        ConfigType::List => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_this_broker_and_all_brokers_have_settings() {
        let parse = |resource_type, name| ConfigResource::parse(resource_type, name, BrokerId(7));
        let code = |resource_type, name| parse(resource_type, name).map_err(|(code, _)| code);
        assert_eq!(parse(2, "orders"), Ok(ConfigResource::Topic("orders")));
        assert_eq!(parse(4, "7"), Ok(ConfigResource::OwnBroker));
        assert_eq!(parse(4, ""), Ok(ConfigResource::AllBrokers));
        for name in ["", "..", "a b"] {
            assert_eq!(code(2, name), Err(ErrorCode::INVALID_TOPIC_EXCEPTION), "{name:?}");
        }
        for (resource_type, name) in [(4, "8"), (4, "x"), (4, "-1"), (0, "a"), (8, "7"), (16, "a"), (32, "a")]
        {
            assert_eq!(
                code(resource_type, name),
                Err(ErrorCode::INVALID_REQUEST),
                "{resource_type} {name:?}"
            );
        }
        let long = "x".repeat(32_000);
        assert!(parse(4, &long).expect_err("no number").1.len() < 1000);
    }
}
