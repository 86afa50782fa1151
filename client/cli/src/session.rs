//! What every command that talks to a broker has: the connection, the output, and Ctrl-C.

use crate::{
    command_line::GlobalArgs, exit::Exit, failure::Failure, interrupt::Interrupt, output::Output, suggest,
};
use cairn_client::{Client, TopicDescription};
use serde_json::Value;
use std::time::Duration;

/// How long an error message may wait for a better suggestion.
const SUGGESTION_WAIT: Duration = Duration::from_secs(2);

/// A connection with what a command needs beside it.
#[derive(Debug)]
pub(crate) struct Session {
    /// The addresses given, for further connections.
    addresses: Vec<String>,
    /// The connection.
    pub(crate) client: Client,
    /// Where results go.
    pub(crate) output: Output,
    /// Ctrl-C.
    pub(crate) interrupt: Interrupt,
}

impl Session {
    /// Connects to the first broker that answers.
    pub(crate) async fn connect(global: &GlobalArgs, interrupt: Interrupt) -> Result<Self, Failure> {
        let client = tokio::select! {
            client = connect(&global.broker) => client?,
            () = interrupt.pressed() => return Err(Failure::interrupted()),
        };
        let output = Output::new(global.output);
        Ok(Self { addresses: global.broker.clone(), client, output, interrupt })
    }

    /// One more connection to the same brokers.
    pub(crate) async fn another_client(&self) -> Result<Client, Failure> {
        connect(&self.addresses).await
    }

    /// Does `work` unless Ctrl-C comes first.
    pub(crate) async fn unless_interrupted<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.interrupt.pressed() => Err(Failure::interrupted()),
        }
    }

    /// The topic, if there is one, and that partition of it, if one is named.
    pub(crate) async fn describe(
        &self,
        topic: &str,
        partition: Option<u32>,
    ) -> Result<TopicDescription, Failure> {
        let description = self.client.admin().describe_topic(topic).await?;
        let partitions = description.summary.partitions;
        match partition.filter(|partition| *partition >= partitions) {
            Some(partition) => {
                let topic = topic.to_owned();
                Err(cairn_client::ConsumeError::UnknownPartition { topic, partition, partitions }.into())
            }
            None => Ok(description),
        }
    }

    /// Adds to an unknown topic the name that may have been meant, and the command that creates it.
    pub(crate) async fn explain(&self, failure: Failure) -> Failure {
        let topic = match (failure.exit, failure.details.get("topic"), &failure.advice) {
            (Exit::NotFound, Some(Value::String(topic)), None) => topic.clone(),
            _ => return failure,
        };
        let asked = tokio::time::timeout(SUGGESTION_WAIT, self.client.admin().list_topics()).await;
        let topics = asked.ok().and_then(Result::ok).unwrap_or_default();
        let advice = advice_for(&topic, topics.iter().map(|topic| topic.name.as_str()));
        failure.advise(advice)
    }
}

async fn connect(addresses: &[String]) -> Result<Client, Failure> {
    Ok(Client::builder(addresses).client_id("cairn-cli").build().await?)
}

fn advice_for<'a>(topic: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let create = format!("create it with: cairn topic create {topic}");
    match suggest::nearest(topic, known.clone()) {
        Some(near) => format!("did you mean '{near}'? Otherwise {create}"),
        None if known.clone().next().is_none() => format!("there is no topic yet; {create}"),
        None => format!("see all with: cairn topic list\n{create}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_fits_what_there_is() {
        let known = ["orders", "payments"];
        assert!(advice_for("order", known.into_iter()).starts_with("did you mean 'orders'?"));
        assert!(advice_for("x", known.into_iter()).contains("cairn topic list"));
        assert!(advice_for("x", [].into_iter()).contains("cairn topic create x"));
    }
}
