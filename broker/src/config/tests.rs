//! The table of keys and the struct agree, later sources win, and every mistake is answered with what would be right.

use super::*;

fn resolve(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Resolved, ConfigError> {
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let file = (!file.is_empty()).then(|| ("broker.toml".to_owned(), file.to_owned()));
    Resolved::from_sources(Sources { file, environment: owned(environment), flags: owned(flags) })
}

fn refusal(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    resolve(file, environment, flags).expect_err("must be refused").to_string()
}

#[test]
fn the_table_and_the_struct_have_the_same_keys() {
    let values = serde_json::to_value(Config::default()).expect("serializes");
    let mut fields: Vec<_> = values.as_object().expect("an object").keys().cloned().collect();
    let mut keys: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    fields.sort();
    keys.sort();
    assert_eq!(fields, keys);
    assert!(keys.len() <= 80, "{} keys", keys.len());
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let file = "broker-id = 2\nlisten-http = \"off\"\nconnections-max = 7\n";
    let environment = [("CAIRN_BROKER_ID", "3"), ("CAIRN_CONNECTIONS_MAX", "8"), ("HOME", "/root")];
    let resolved = resolve(file, &environment, &[("broker-id", "4")]).expect("valid");
    assert_eq!(resolved.config.broker_id, 4);
    assert_eq!(resolved.config.connections_max, 8);
    assert_eq!(resolved.config.listen_http, Listen::Off);
    assert_eq!(resolved.config.listen_grpc, Listen::At("127.0.0.1:9095".into()));
    assert_eq!(resolved.origins["broker-id"], Origin::Flag("broker-id".into()));
    assert_eq!(resolved.origins["listen-http"], Origin::File { path: "broker.toml".into(), line: 2 });
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    assert_eq!(
        refusal("broker-id = 1\n\nlisten-gprc = \"off\"\n", &[], &[]),
        "broker.toml:3: there is no key \"listen-gprc\"; did you mean \"listen-grpc\"?"
    );
    assert_eq!(
        refusal("", &[("CAIRN_DATADIR", "/x")], &[]),
        "environment variable CAIRN_DATADIR: there is no key \"CAIRN_DATADIR\"; did you mean \"CAIRN_DATA_DIR\"?"
    );
    assert!(!refusal("zzz = 1\n", &[], &[]).contains("did you mean"));
}

#[test]
fn a_value_out_of_range_is_answered_with_the_range() {
    let said = refusal("connections-max = 0\n", &[], &[]);
    assert_eq!(said, "broker.toml:1: connections-max is \"0\"; allowed is a whole number from 1 to 1000000");
    assert!(refusal("", &[], &[("listen-grpc", "9095")]).contains("HOST:PORT or off"));
    assert!(refusal("", &[], &[("listen-grpc", "h:65536")]).contains("HOST:PORT or off"));
    assert!(refusal("", &[("CAIRN_LOG_FORMAT", "xml")], &[]).contains("text or json"));
    assert!(refusal("insecure = [1]\n", &[], &[]).contains("true or false"));
    assert!(refusal("broker-id = -1\n", &[], &[]).contains("whole number from 0"));
    assert!(refusal("broker-id = \n", &[], &[]).contains("not valid TOML"));
    assert!(refusal("", &[], &[("request-bytes-max", "134217728")]).contains("request-memory-bytes-max"));
}

#[test]
fn variables_of_others_are_left_alone() {
    let environment = [("CAIRN_BROKER", "h:1"), ("CAIRN_PORT_9095_TCP", "x"), ("CAIRN_SERVICE_HOST", "y")];
    assert_eq!(resolve("", &environment, &[]).expect("valid").config, Config::default());
}

#[test]
fn what_is_printed_can_be_read_back() {
    let resolved = resolve("", &[], &[("data-dir", "/tmp/a \"b\"\\c"), ("insecure", "true")]).expect("valid");
    let again = resolve(&resolved.to_toml(), &[], &[]).expect("the printed text is valid");
    assert_eq!(again.config, resolved.config);
}
