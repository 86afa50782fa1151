//! `cairn cluster status`: the brokers, their disks, and what is wrong.

use crate::{
    failure::Failure,
    session::Session,
    table::{self, Align, Table},
};
use cairn_client::{BrokerStatus, ClusterStatus};
use serde_json::{Value, json};
use std::fmt::Write;

/// Prints the status.
pub(crate) async fn status(session: &Session) -> Result<(), Failure> {
    let status = session.client.admin().cluster_status().await?;
    session.output.print(&status_json(&status), || status_text(&status))
}

fn status_json(status: &ClusterStatus) -> Value {
    json!({
        "cluster_id": status.cluster_id,
        "controller": status.controller,
        "metadata_index": status.metadata_index,
        "topics": status.topics,
        "partitions": status.partitions,
        "partitions_without_leader": status.partitions_without_leader,
        "partitions_under_min_isr": status.partitions_under_min_isr,
        "problems": status.problems,
        "brokers": status.brokers.iter().map(broker_json).collect::<Vec<_>>(),
    })
}

fn broker_json(broker: &BrokerStatus) -> Value {
    let directories = broker.directories.iter().map(|directory| {
        json!({
            "directory_id": directory.directory_id,
            "path": directory.path,
            "healthy": directory.healthy,
            "problem": directory.problem,
            "free_bytes": directory.free_bytes,
            "log_bytes": directory.log_bytes,
        })
    });
    json!({
        "broker_id": broker.broker_id,
        "broker_epoch": broker.broker_epoch,
        "grpc_address": broker.grpc_address,
        "kafka_address": broker.kafka_address,
        "state": state(broker),
        "version": broker.version,
        "uptime_ms": broker.uptime_ms,
        "directories": directories.collect::<Vec<_>>(),
    })
}

fn state(broker: &BrokerStatus) -> &'static str {
    match (broker.fenced, broker.shutting_down) {
        (true, _) => "fenced",
        (false, true) => "leaving",
        (false, false) => "up",
    }
}

fn status_text(status: &ClusterStatus) -> String {
    let controller =
        status.controller.map_or_else(|| "none".into(), |controller| format!("broker {controller}"));
    let mut text = format!(
        "cluster {}   controller {controller}   metadata index {}\ntopics {}   partitions {}   without leader {}   \
         under min ISR {}\n\n",
        table::printable(&status.cluster_id),
        status.metadata_index,
        status.topics,
        status.partitions,
        status.partitions_without_leader,
        status.partitions_under_min_isr
    );
    text.push_str(&brokers_text(&status.brokers));
    text.push('\n');
    text.push_str(&directories_text(&status.brokers));
    if status.problems.is_empty() {
        text.push_str("\nno problems\n");
    }
    for problem in &status.problems {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "\nproblem: {}", table::printable(problem));
    }
    text
}

fn brokers_text(brokers: &[BrokerStatus]) -> String {
    let mut table = Table::new(&[
        ("BROKER", Align::Right),
        ("STATE", Align::Left),
        ("GRPC", Align::Left),
        ("KAFKA", Align::Left),
        ("VERSION", Align::Left),
        ("UP", Align::Right),
    ]);
    for broker in brokers {
        let kafka = if broker.kafka_address.is_empty() { "off" } else { &broker.kafka_address };
        table.row([
            broker.broker_id.to_string(),
            state(broker).into(),
            broker.grpc_address.clone(),
            kafka.into(),
            broker.version.clone(),
            table::duration(broker.uptime_ms),
        ]);
    }
    table.render()
}

fn directories_text(brokers: &[BrokerStatus]) -> String {
    let mut table = Table::new(&[
        ("BROKER", Align::Right),
        ("DIRECTORY", Align::Left),
        ("LOGS", Align::Right),
        ("FREE", Align::Right),
        ("HEALTH", Align::Left),
    ]);
    for broker in brokers {
        for directory in &broker.directories {
            let health = match (directory.healthy, directory.problem.as_str()) {
                (true, "") => "ok",
                (false, "") => "failed",
                (_, problem) => problem,
            };
            table.row([
                broker.broker_id.to_string(),
                directory.path.clone(),
                table::bytes(directory.log_bytes),
                table::bytes(directory.free_bytes),
                health.into(),
            ]);
        }
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_client::DirectoryStatus;

    fn sample() -> ClusterStatus {
        let directory = DirectoryStatus {
            directory_id: "d".into(),
            path: "/data".into(),
            healthy: false,
            problem: "sync failed: journal/0001.journal".into(),
            free_bytes: 1 << 30,
            log_bytes: 1 << 20,
        };
        let broker = BrokerStatus {
            broker_id: 1,
            broker_epoch: 9,
            grpc_address: "127.0.0.1:9095".into(),
            kafka_address: String::new(),
            fenced: false,
            shutting_down: true,
            version: "0.1.0".into(),
            uptime_ms: 61_000,
            directories: vec![directory],
        };
        ClusterStatus {
            cluster_id: "c".into(),
            controller: Some(1),
            metadata_index: 12,
            brokers: vec![broker],
            topics: 2,
            partitions: 5,
            partitions_without_leader: 1,
            partitions_under_min_isr: 0,
            problems: vec!["a sync failed: replace the disk".into()],
        }
    }

    #[test]
    fn the_text_shows_state_disk_and_problems() {
        let text = status_text(&sample());
        assert!(text.contains("controller broker 1"), "{text}");
        assert!(text.contains("1  leaving  127.0.0.1:9095  off    0.1.0    1m 1s\n"), "{text}");
        assert!(text.contains("1.0 MiB  1.0 GiB  sync failed: journal/0001.journal\n"), "{text}");
        assert!(text.ends_with("\nproblem: a sync failed: replace the disk\n"), "{text}");
        let healthy = ClusterStatus { problems: vec![], ..sample() };
        assert!(status_text(&healthy).ends_with("no problems\n"));
    }

    #[test]
    fn json_has_the_same_facts() {
        let value = status_json(&sample());
        assert_eq!(value["brokers"][0]["state"], "leaving");
        assert_eq!(value["brokers"][0]["directories"][0]["healthy"], false);
        assert_eq!(value["partitions_without_leader"], 1);
    }
}
