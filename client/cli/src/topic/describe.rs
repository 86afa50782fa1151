//! A described topic as text and as JSON.

use crate::table::{self, Align, Table};
use cairn_client::{ConfigEntry, ConfigSource, PartitionDescription, TopicDescription, TopicSummary};
use serde_json::{Value, json};
use std::fmt::Write;

/// For machines.
pub(super) fn json(description: &TopicDescription) -> Value {
    let mut value = summary_json(&description.summary);
    let configs: Vec<Value> = description.configs.iter().map(config_json).collect();
    let partitions: Vec<Value> = description.partitions.iter().map(partition_json).collect();
    if let Value::Object(object) = &mut value {
        object.insert("configs".into(), configs.into());
        object.insert("partition_details".into(), partitions.into());
    }
    value
}

/// One line about a topic, for machines.
pub(super) fn summary_json(summary: &TopicSummary) -> Value {
    json!({
        "topic": summary.name,
        "topic_id": summary.topic_id,
        "partitions": summary.partitions,
        "replication_factor": summary.replication_factor,
        "internal": summary.internal,
    })
}

fn config_json(config: &ConfigEntry) -> Value {
    json!({
        "name": config.name,
        "value": config.value,
        "default": config.default_value,
        "source": source(config.source),
        "documentation": config.documentation,
    })
}

fn partition_json(partition: &PartitionDescription) -> Value {
    json!({
        "partition": partition.partition,
        "leader": partition.leader,
        "leader_epoch": partition.leader_epoch,
        "partition_epoch": partition.partition_epoch,
        "replicas": partition.replicas,
        "isr": partition.isr,
        "elr": partition.elr,
        "log_start_offset": partition.log_start_offset,
        "high_watermark": partition.high_watermark,
        "log_end_offset": partition.log_end_offset,
        "size_bytes": partition.size_bytes,
        "problems": partition.problems,
    })
}

fn source(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::Default => "default",
        ConfigSource::Broker => "broker",
        ConfigSource::Topic => "topic",
    }
}

/// For people.
pub(super) fn text(description: &TopicDescription) -> String {
    let summary = &description.summary;
    let bytes = description.partitions.iter().map(|partition| partition.size_bytes).sum();
    let mut text = format!(
        "topic {}   id {}   partitions {}   replicas {}   {}\n\n",
        table::printable(&summary.name),
        summary.topic_id,
        summary.partitions,
        summary.replication_factor,
        table::bytes(bytes)
    );
    text.push_str(&configs_text(&description.configs));
    text.push('\n');
    text.push_str(&partitions_text(&description.partitions));
    for partition in &description.partitions {
        for problem in &partition.problems {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "\npartition {}: {}", partition.partition, table::printable(problem));
        }
    }
    text
}

fn configs_text(configs: &[ConfigEntry]) -> String {
    let left = |name| (name, Align::Left);
    let mut table = Table::new(&[left("CONFIG"), left("VALUE"), left("SOURCE"), left("DEFAULT")]);
    for config in configs {
        table.row([
            config.name.clone(),
            config.value.clone(),
            source(config.source).into(),
            config.default_value.clone(),
        ]);
    }
    table.render()
}

fn partitions_text(partitions: &[PartitionDescription]) -> String {
    let right = |name| (name, Align::Right);
    let left = |name| (name, Align::Left);
    let mut table = Table::new(&[
        right("PARTITION"),
        right("LEADER"),
        right("EPOCH"),
        left("REPLICAS"),
        left("ISR"),
        right("START"),
        right("HIGH WATERMARK"),
        right("END"),
        right("SIZE"),
        left("HEALTH"),
    ]);
    for partition in partitions {
        let health = if partition.problems.is_empty() { "ok" } else { "see below" };
        table.row([
            partition.partition.to_string(),
            known(partition.leader),
            partition.leader_epoch.to_string(),
            ids(&partition.replicas),
            ids(&partition.isr),
            known(partition.log_start_offset),
            known(partition.high_watermark),
            known(partition.log_end_offset),
            table::bytes(partition.size_bytes),
            health.into(),
        ]);
    }
    table.render()
}

fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

fn ids(brokers: &[u32]) -> String {
    brokers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TopicDescription {
        let summary = TopicSummary {
            name: "orders".into(),
            topic_id: "1-2".into(),
            partitions: 2,
            replication_factor: 1,
            internal: false,
        };
        let config = ConfigEntry {
            name: "retention.ms".into(),
            value: "5".into(),
            default_value: "604800000".into(),
            source: ConfigSource::Topic,
            documentation: "how long".into(),
        };
        let healthy = PartitionDescription {
            partition: 0,
            leader: Some(1),
            leader_epoch: 3,
            partition_epoch: 4,
            replicas: vec![1, 2],
            isr: vec![1],
            elr: vec![],
            log_start_offset: Some(0),
            high_watermark: Some(7),
            log_end_offset: Some(8),
            size_bytes: 2048,
            problems: vec![],
        };
        let mut headless = healthy.clone();
        headless.partition = 1;
        headless.leader = None;
        headless.high_watermark = None;
        headless.problems = vec!["no leader: start broker 2".into()];
        TopicDescription { summary, configs: vec![config], partitions: vec![healthy, headless] }
    }

    #[test]
    fn the_text_shows_sources_unknowns_and_problems() {
        let text = text(&sample());
        assert!(text.starts_with("topic orders   id 1-2   partitions 2   replicas 1   4.0 KiB\n"), "{text}");
        assert!(text.contains("retention.ms  5      topic   604800000\n"), "{text}");
        assert!(text.contains("1,2       1        0               7    8  2.0 KiB  ok\n"), "{text}");
        assert!(text.contains("see below\n"), "{text}");
        assert!(text.ends_with("\npartition 1: no leader: start broker 2\n"), "{text}");
    }

    #[test]
    fn json_has_everything_and_null_for_what_is_not_known() {
        let value = json(&sample());
        assert_eq!(value["topic"], "orders");
        assert_eq!(value["configs"][0]["source"], "topic");
        assert_eq!(value["partition_details"][1]["leader"], Value::Null);
        assert_eq!(value["partition_details"][0]["high_watermark"], 7);
        assert_eq!(value["partition_details"][1]["problems"][0], "no leader: start broker 2");
    }
}
