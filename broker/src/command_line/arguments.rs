//! The flags of `cairn-broker`, made from the table of keys, so that a key cannot lack its flag.

use super::exit_code;
use crate::config::{KEYS, Key, Kind};
use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};
use std::ffi::OsString;

/// What was given on the command line.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) config_file: Option<String>,
    pub(super) print_config: bool,
    pub(super) flags: Vec<(String, String)>,
}

/// Parses the arguments, the first of which is the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Given, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    let flags = KEYS.iter().filter_map(|key| Some((key.name.to_owned(), flag(&matches, key)?))).collect();
    Ok(Given {
        config_file: matches.get_one::<String>("config").cloned(),
        print_config: matches.get_flag("print-config"),
        flags,
    })
}

fn flag(matches: &ArgMatches, key: &Key) -> Option<String> {
    if matches.value_source(key.name) != Some(ValueSource::CommandLine) {
        return None;
    }
    matches.get_one::<String>(key.name).cloned()
}

fn command() -> Command {
    let command = Command::new("cairn-broker")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A durable message log. Needs no configuration: every flag below has a default.")
        .after_help(exit_code::HELP)
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .env("CAIRN_CONFIG")
                .hide_env_values(true)
                .help("Read this TOML file first"),
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                .env("CAIRN_PRINT_CONFIG")
                .hide_env_values(true)
                .action(ArgAction::SetTrue)
                .help("Print every key with its value and where it comes from, as a TOML file, and exit"),
        );
    KEYS.iter().fold(command, |command, key| command.arg(argument(key)))
}

fn argument(key: &'static Key) -> Arg {
    let default = if key.default.is_empty() { String::new() } else { format!(" [default: {}]", key.default) };
    let argument = Arg::new(key.name)
        .long(key.name)
        .help(format!("{}{default}", key.help))
        .value_name(match key.kind {
            Kind::Path => "DIR",
            Kind::Listen | Kind::Advertise => "ADDRESS",
            Kind::Switch => "BOOL",
            Kind::Number(..) => "N",
            Kind::Text | Kind::OneOf(_) => "TEXT",
        })
        .allow_hyphen_values(matches!(key.kind, Kind::Number(..)));
    match key.kind {
        Kind::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(arguments: &[&str]) -> Result<Given, clap::Error> {
        parse(std::iter::once("cairn-broker").chain(arguments.iter().copied()).map(OsString::from))
    }

    #[test]
    fn flags_are_taken_by_their_keys_and_only_when_given() {
        let flags = given(&["--listen-grpc", "off", "--insecure", "--broker-id=7"]).expect("valid").flags;
        let expected = [("broker-id", "7"), ("listen-grpc", "off"), ("insecure", "true")];
        assert_eq!(flags, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(given(&[]).expect("valid").flags.is_empty());
    }

    #[test]
    fn a_misspelt_flag_is_answered_with_the_nearest() {
        let said = given(&["--listen-gprc", "off"]).expect_err("unknown").to_string();
        assert!(said.contains("--listen-grpc"), "{said}");
    }

    #[test]
    fn help_lists_the_exit_codes() {
        let said = given(&["--help"]).expect_err("help").to_string();
        assert!(said.contains("Exit codes:") && said.contains("--listen-http"), "{said}");
    }
}
