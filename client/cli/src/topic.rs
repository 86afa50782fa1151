//! `cairn topic`: what topics there are and what they hold.

mod describe;

use crate::{
    command_line::key_value,
    exit::Exit,
    failure::Failure,
    session::Session,
    table::{self, Align, Table},
};
use cairn_client::{NewTopic, TopicAlteration, TopicSummary};
use clap::{ArgGroup, Args, Subcommand, value_parser};
use serde_json::json;

/// What to do with topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Create a topic
    Create(CreateArgs),
    /// List all topics
    List,
    /// Show a topic's configuration and its partitions, and what is wrong with them
    Describe {
        /// The topic's name
        name: String,
    },
    /// Give a topic more partitions or another configuration: all of it or nothing
    Alter(AlterArgs),
    /// Delete a topic and its records for good
    Delete {
        /// The topic's name
        name: String,
    },
    /// Delete the records of a partition before an offset for good
    DeleteRecords(DeleteRecordsArgs),
}

/// A topic to create.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The topic's name: 1 to 249 of the characters a-z A-Z 0-9 . _ -
    name: String,
    /// How many partitions [default: the broker's]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    /// How many replicas of each [default: the broker's]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    replication_factor: Option<u32>,
    /// A configuration entry, for example retention.ms=3600000; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    config: Vec<(String, String)>,
}

/// A change of a topic.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args(["partitions", "config"])))]
pub(crate) struct AlterArgs {
    /// The topic's name
    name: String,
    /// The new number of partitions; it can only rise
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    /// A configuration entry; an empty value sets it back to its default; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    config: Vec<(String, String)>,
}

/// Records to delete.
#[derive(Debug, Args)]
pub(crate) struct DeleteRecordsArgs {
    /// The topic's name
    name: String,
    /// The partition
    #[arg(long, value_name = "P")]
    partition: u32,
    /// The first offset to keep; -1 for all that is readable now
    #[arg(long, value_name = "OFFSET", allow_negative_numbers = true, value_parser = value_parser!(i64).range(-1..))]
    before: i64,
}

/// Does it.
pub(crate) async fn run(command: &TopicCommand, session: &Session) -> Result<(), Failure> {
    match command {
        TopicCommand::Create(args) => create(args, session).await,
        TopicCommand::List => list(session).await,
        TopicCommand::Describe { name } => {
            let description = session.describe(name, None).await?;
            session.output.print(&describe::json(&description), || describe::text(&description))
        }
        TopicCommand::Alter(args) => alter(args, session).await,
        TopicCommand::Delete { name } => {
            session.client.admin().delete_topic(name).await?;
            session
                .output
                .print(&json!({ "topic": name, "deleted": true }), || format!("deleted topic '{name}'\n"))
        }
        TopicCommand::DeleteRecords(args) => delete_records(args, session).await,
    }
}

async fn create(args: &CreateArgs, session: &Session) -> Result<(), Failure> {
    let mut topic = NewTopic::named(&args.name);
    if let Some(partitions) = args.partitions {
        topic = topic.partitions(partitions);
    }
    if let Some(replication_factor) = args.replication_factor {
        topic = topic.replication_factor(replication_factor);
    }
    for (key, value) in &args.config {
        topic = topic.config(key, value);
    }
    let created = session.client.admin().create_topic(topic).await?;
    let name = &args.name;
    let value = json!({
        "topic": name,
        "topic_id": created.topic_id,
        "partitions": created.partitions,
        "replication_factor": created.replication_factor,
    });
    session.output.print(&value, || {
        let partitions = table::counted(created.partitions.into(), "partition");
        let replicas = table::counted(created.replication_factor.into(), "replica");
        format!("created topic '{name}' with {partitions}, {replicas} each\nnext: echo hello | cairn produce {name}\n")
    })
}

async fn list(session: &Session) -> Result<(), Failure> {
    let topics = session.client.admin().list_topics().await?;
    if session.output.is_json() {
        for topic in &topics {
            session.output.print(&describe::summary_json(topic), String::new)?;
        }
        return Ok(());
    }
    session.output.print(&(), || list_text(&topics))
}

fn list_text(topics: &[TopicSummary]) -> String {
    if topics.is_empty() {
        return "there is no topic yet; create one with: cairn topic create NAME\n".into();
    }
    let columns =
        [("TOPIC", Align::Left), ("PARTITIONS", Align::Right), ("REPLICAS", Align::Right), ("", Align::Left)];
    let mut table = Table::new(&columns);
    for topic in topics {
        let note = if topic.internal { "internal" } else { "" };
        table.row([
            topic.name.clone(),
            topic.partitions.to_string(),
            topic.replication_factor.to_string(),
            note.into(),
        ]);
    }
    table.render()
}

async fn alter(args: &AlterArgs, session: &Session) -> Result<(), Failure> {
    let name = &args.name;
    let mut alteration = TopicAlteration::of(name);
    if let Some(partitions) = args.partitions {
        alteration = alteration.partitions(partitions);
    }
    for (key, value) in &args.config {
        alteration =
            if value.is_empty() { alteration.reset_config(key) } else { alteration.config(key, value) };
    }
    session.client.admin().alter_topic(alteration).await?;
    let value = json!({ "topic": name, "altered": true });
    session
        .output
        .print(&value, || format!("altered topic '{name}'; see it with: cairn topic describe {name}\n"))
}

async fn delete_records(args: &DeleteRecordsArgs, session: &Session) -> Result<(), Failure> {
    let (name, partition) = (&args.name, args.partition);
    let before = (args.before >= 0).then_some(args.before);
    let start = session.client.admin().delete_records(name, partition, before).await?;
    let value = json!({ "topic": name, "partition": partition, "log_start_offset": start });
    if start < args.before {
        // Not an error of the broker: what is not readable yet cannot be deleted.
        let message =
            format!("partition {partition} of '{name}' now begins at {start}, not at {}", args.before);
        return Err(Failure::new(Exit::Failed, message).detail("log_start_offset", start));
    }
    session
        .output
        .print(&value, || format!("partition {partition} of '{name}' now begins at offset {start}\n"))
}
