//! The configuration as clients are told of it: every key with the value that this broker runs with.

use crate::{
    config::{Config, KEYS, Key, Kind},
    service::{BrokerSetting, ConfigType},
};

/// All keys, in the order of their table.
pub(super) fn of(config: &Config) -> Vec<BrokerSetting> {
    // What the values look like in a file is decided once, where that file is read.
    let values = serde_json::to_value(config).unwrap_or_default();
    let setting = |key: &'static Key| {
        let value = values.get(key.name)?;
        Some(BrokerSetting {
            name: key.name,
            value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            default: key.default,
            config_type: config_type(key.kind),
            documentation: key.help,
        })
    };
    KEYS.iter().filter_map(setting).collect()
}

fn config_type(kind: Kind) -> ConfigType {
    match kind {
        Kind::Switch => ConfigType::Boolean,
        Kind::Number(_, max) if i32::try_from(max).is_ok() => ConfigType::Int,
        Kind::Number(..) => ConfigType::Long,
        Kind::Text | Kind::Path | Kind::Listen | Kind::Advertise | Kind::OneOf(_) => ConfigType::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::KAFKA_NAMES;

    #[test]
    fn every_key_is_told_and_a_default_is_told_as_one() {
        let settings = of(&Config { default_partitions: 6, ..Config::default() });
        assert_eq!(settings.len(), KEYS.len());
        let changed: Vec<_> = settings.iter().filter(|setting| setting.value != setting.default).collect();
        let names: Vec<_> = changed.iter().map(|setting| (setting.name, setting.value.as_str())).collect();
        assert_eq!(names, [("default-partitions", "6")]);
        let of_name = |name| settings.iter().find(|setting| setting.name == name).expect("a key");
        assert_eq!(of_name("auto-create-topics").config_type, ConfigType::Boolean);
        assert_eq!(of_name("producer-expiry-ms").config_type, ConfigType::Long);
        assert_eq!((of_name("listen-kafka").value.as_str()), "127.0.0.1:9092");
    }

    #[test]
    fn kafkas_names_are_those_of_keys() {
        for (name, key) in KAFKA_NAMES {
            assert!(KEYS.iter().any(|known| known.name == *key), "{name} is {key}, which is no key");
        }
    }
}
