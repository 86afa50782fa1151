//! Command lines that must parse, and ones that must not.

use super::*;
use clap::{CommandFactory, error::ErrorKind};

fn parse(line: &str) -> Result<CommandLine, clap::Error> {
    CommandLine::try_parse_from(std::iter::once("cairn").chain(line.split_whitespace()))
}

#[test]
fn the_definition_is_consistent() {
    CommandLine::command().debug_assert();
}

#[test]
fn everything_that_is_documented_parses() {
    for line in [
        "topic create orders",
        "--broker h:1 topic create orders --partitions 4 --replication-factor 1 --config retention.ms=5 --config a=b=c",
        "topic list --output json",
        "topic describe orders",
        "topic alter orders --partitions 8 --config retention.ms=5",
        "topic delete orders",
        "topic delete-records orders --partition 0 --before 17",
        "produce orders",
        "produce orders file.txt --key-delimiter : --header k=v --header k=w --null-value NULL --partition 3 --acks leader \
         --compression zstd --linger-ms 0 --batch-bytes 65536",
        "consume orders",
        "consume orders --partition 1 --from -5 --count 3 --exit-at-end --format %v",
        "consume orders --from @2026-01-31T09:30:00Z",
        "consume orders --group billing --count 3 --from end --instance-id one --session-timeout 10",
        "group list --output json",
        "group describe billing",
        "group delete billing",
        "group reset-offsets billing --topic orders --to -5 --dry-run",
        "group reset-offsets billing --topic orders --partition 3 --to +1",
        "group reset-offsets billing --topic orders --to 2h",
        "group reset-offsets billing --topic orders --to @2026-01-31T09:30:00Z",
        "cluster status --broker a:1 --broker b:2",
        "bench produce orders --records 10 --record-size 100 --rate 1000 --acks all --compression lz4 --connections 2",
        "bench consume orders --records 10 --connections 2",
        "bench end-to-end orders --records 10 --rate 100",
        "verify --data-dir cairn-data --output json",
        "completions bash",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for line in [
        "topic create",
        "topic create t --partitions 0",
        "topic create t --config novalue",
        "topic alter t",
        "topic delete-records t --partition 0",
        "produce t --acks some",
        "produce t --compression zip",
        "consume t --from yesterday",
        "consume t --group g --partition 0",
        "consume t --group g --exit-at-end",
        "consume t --instance-id one",
        "consume t --group g --session-timeout 0",
        "group",
        "group reset-offsets g --topic t",
        "group reset-offsets g --to end",
        "group reset-offsets g --topic t --to soon",
        "consume t --format %q",
        "cluster status --broker nohost",
        "cluster status --broker h:0",
        "cluster status --broker h:99999",
        "bench produce t",
        "bench produce t --records 0",
        "bench produce t --records 1 --rate 0",
        "bench produce t --records 1 --connections 0",
        "verify",
        "completions cmd",
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), i32::from(exit::Exit::Usage.number()), "{line}");
    }
}

#[test]
fn help_and_version_are_no_errors_and_the_help_has_the_exit_codes() {
    let help = parse("--help").unwrap_err();
    assert_eq!(help.kind(), ErrorKind::DisplayHelp);
    assert!(help.to_string().contains("141  the reader of standard output went away"));
    assert_eq!(parse("--version").unwrap_err().kind(), ErrorKind::DisplayVersion);
    assert_eq!(parse("--version").unwrap_err().exit_code(), 0);
}

#[test]
fn brokers_may_be_repeated_or_separated_by_commas() {
    let parsed = parse("cluster status --broker a:1 --broker b:2,c:3").unwrap();
    assert_eq!(parsed.global.broker, ["a:1", "b:2", "c:3"]);
    assert_eq!(parse("cluster status --broker [::1]:9095").unwrap().global.broker, ["[::1]:9095"]);
}

#[test]
fn the_wish_for_json_is_seen_in_a_line_that_does_not_parse() {
    let asks = |line: &str| asks_for_json(line.split_whitespace().map(str::to_owned));
    assert!(asks("topic creat --output json"));
    assert!(asks("topic creat --output=json"));
    assert!(!asks("topic creat --output table json"));
    assert!(!asks("produce t -- --output json"));
}
