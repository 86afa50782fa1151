//! Reads each source of configuration into values that are checked and know where they stand. Nothing is taken that the
//! table of keys does not name.

use super::{
    error::{ConfigError, Origin, nearest},
    keys::Key,
};
use figment::value::Value;
use toml::de::{DeTable, DeValue};

/// A checked value.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: &'static Key,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Variables that begin with `CAIRN_` and are not the broker's: of the command line, and of this broker's start.
const OTHER_VARIABLES: &[&str] =
    &["CAIRN_BROKER", "CAIRN_OUTPUT", "CAIRN_CONFIG", "CAIRN_PRINT_CONFIG", "CAIRN_PLANTED_BUG"];

pub(super) fn setting(key: &'static Key, text: &str, origin: Origin) -> Result<Setting, ConfigError> {
    match key.parse(text) {
        Some(value) => Ok(Setting { key, value, origin }),
        None => Err(ConfigError::Value { origin, key: key.name, value: text.into(), allowed: key.allowed() }),
    }
}

/// The settings of a TOML file. Keys stand at the top level, spelled as the flags are.
pub(super) fn from_file(path: &str, text: &str) -> Result<Vec<Setting>, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.into(),
        detail: error.to_string().trim_end().to_owned(),
    })?;
    let mut settings = Vec::new();
    for (name, value) in table.get_ref() {
        let line = 1 + text.get(..name.span().start).unwrap_or(text).matches('\n').count();
        let origin = Origin::File { path: path.into(), line };
        let name: &str = name.get_ref();
        let Some(key) = Key::named(name) else {
            let nearest = nearest(name).map(|key| key.name.to_owned());
            return Err(ConfigError::UnknownKey { origin, name: name.into(), nearest });
        };
        let given = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => decimal(number.as_str(), number.radix()),
            DeValue::Boolean(switch) => switch.to_string(),
            other => {
                let value = other.type_str().to_owned();
                return Err(ConfigError::Value { origin, key: key.name, value, allowed: key.allowed() });
            }
        };
        settings.push(setting(key, &given, origin)?);
    }
    Ok(settings)
}

fn decimal(digits: &str, radix: u32) -> String {
    i64::from_str_radix(digits, radix).map_or_else(|_| digits.to_owned(), |number| number.to_string())
}

/// The settings of the environment: all variables that begin with `CAIRN_`.
pub(super) fn from_environment(
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Vec<Setting>, ConfigError> {
    let mut settings = Vec::new();
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix("CAIRN_") else { continue };
        // Container platforms announce a service called "cairn" with variables of these forms.
        let announced = name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_");
        if announced || OTHER_VARIABLES.contains(&variable.as_str()) {
            continue;
        }
        let name = name.to_lowercase().replace('_', "-");
        let origin = Origin::Environment(variable.clone());
        let Some(key) = Key::named(&name) else {
            let nearest = nearest(&name).map(Key::variable);
            return Err(ConfigError::UnknownKey { origin, name: variable, nearest });
        };
        settings.push(setting(key, &text, origin)?);
    }
    Ok(settings)
}
