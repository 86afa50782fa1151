//! `cairn group`: who reads what, how far each group has got, and where it shall go on.

mod describe;
mod reset;

use crate::{
    failure::Failure,
    session::Session,
    table::{Align, Table},
};
use cairn_client::{GroupKind, GroupSummary};
use clap::Subcommand;
use reset::ResetArgs;
use serde_json::{Value, json};

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List all groups
    List,
    /// Show a group's members, and how far it is behind in each partition: in records and in time
    Describe {
        /// The group's name
        name: String,
    },
    /// Delete a group without members, with everything that it committed
    Delete {
        /// The group's name
        name: String,
    },
    /// Say where a group without members shall go on
    ResetOffsets(ResetArgs),
}

/// Does it.
pub(crate) async fn run(command: &GroupCommand, session: &Session) -> Result<(), Failure> {
    match command {
        GroupCommand::List => list(session).await,
        GroupCommand::Describe { name } => describe::run(name, session).await,
        GroupCommand::Delete { name } => {
            session.client.admin().delete_group(name).await?;
            session
                .output
                .print(&json!({ "group": name, "deleted": true }), || format!("deleted group '{name}'\n"))
        }
        GroupCommand::ResetOffsets(args) => reset::run(args, session).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let groups = session.client.admin().list_groups().await?;
    if session.output.is_json() {
        for group in &groups {
            session.output.print(&summary_json(group), String::new)?;
        }
        return Ok(());
    }
    session.output.print(&(), || list_text(&groups))
}

fn list_text(groups: &[GroupSummary]) -> String {
    if groups.is_empty() {
        return "there is no group yet; join one with: cairn consume TOPIC --group NAME\n".into();
    }
    let columns =
        [("GROUP", Align::Left), ("KIND", Align::Left), ("STATE", Align::Left), ("MEMBERS", Align::Right)];
    let mut table = Table::new(&columns);
    for group in groups {
        table.row([group.name.clone(), kind(group).into(), group.state.clone(), group.members.to_string()]);
    }
    table.render()
}

/// In the words that Kafka's tools use for those who decide who reads what.
fn kind(group: &GroupSummary) -> &'static str {
    match group.kind {
        GroupKind::Classic => "classic",
        GroupKind::Native => "native",
    }
}

fn summary_json(group: &GroupSummary) -> Value {
    json!({
        "group": group.name,
        "kind": kind(group),
        "state": group.state,
        "epoch": group.epoch,
        "protocol": group.protocol,
        "members": group.members,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_table_and_an_empty_one_says_how_to_begin() {
        let group = GroupSummary {
            name: "billing".into(),
            kind: GroupKind::Native,
            state: "Stable".into(),
            epoch: 3,
            protocol: "cairn-balanced".into(),
            members: 2,
        };
        let expected = "GROUP    KIND    STATE   MEMBERS\nbilling  native  Stable        2\n";
        assert_eq!(list_text(&[group]), expected);
        assert!(list_text(&[]).contains("cairn consume TOPIC --group NAME"));
    }
}
