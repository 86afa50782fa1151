//! Consumer groups of the Rust client and of the command line, with real processes: members come, go and are killed, the broker
//! too, and every record is read at least once, none is skipped, and each partition in order.

#![cfg(test)]

mod native_groups {
    //! One file a topic.
    mod administered;
    mod sharing;
    mod with_kafka;
}

use anyhow::{Context as _, Result, ensure};
use cairn_client::{Client, GroupConsumer, GroupConsumerBuilder, GroupEvent, NewTopic, Record};
use cairn_tests::{process::BrokerProcess, scene::Scene};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const TOPIC: &str = "shared";
const GROUP: &str = "readers";
const PARTITIONS: u32 = 6;
/// Longer than anything takes on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);
/// The shortest session that the brokers of these tests allow, and few partitions to read at a start.
const QUICK: [&str; 4] = ["--group-session-timeout-min-ms", "1000", "--offsets-topic-partitions", "3"];
const SESSION: Duration = Duration::from_secs(6);

fn scene() -> Result<Scene> {
    Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))
}

fn start(scene: &Scene, address: Option<&str>) -> Result<BrokerProcess> {
    let command = QUICK.iter().fold(scene.small_broker(), |command, argument| command.argument(*argument));
    tokio::task::block_in_place(|| match address {
        Some(address) => command.start_at(address),
        None => command.start(),
    })
}

async fn client(broker: &BrokerProcess) -> Result<Client> {
    let client = Client::connect(broker.grpc_address()).await?;
    client.admin().create_topic(NewTopic::named(TOPIC).partitions(PARTITIONS)).await?;
    Ok(client)
}

fn member(client: &Client) -> GroupConsumerBuilder {
    let member = client.consumer().group(GROUP).topics([TOPIC]);
    member.session_timeout(SESSION).auto_commit(Duration::from_millis(200))
}

/// Sends the numbers `from..to` to every partition and waits until they are stored: the number is the offset.
async fn produce(client: &Client, from: i64, to: i64) -> Result<()> {
    let producer = client.producer().build().await?;
    let mut deliveries = Vec::new();
    for number in from..to {
        for partition in 0..PARTITIONS {
            let record = Record::to(TOPIC).partition(partition).value(number.to_string());
            deliveries.push((number, producer.send(record).await?));
        }
    }
    for (number, delivery) in deliveries {
        ensure!(delivery.await?.offset == number, "record {number} stands elsewhere");
    }
    Ok(())
}

/// What was read, by whom.
#[derive(Debug, Default)]
struct Reads {
    /// Offsets of each partition.
    seen: BTreeMap<u32, BTreeSet<i64>>,
    /// The latest offset that each reader has read of each partition since it was given to it.
    latest: BTreeMap<(usize, u32), i64>,
    /// Partitions that a reader was told to give up.
    revoked: BTreeMap<usize, Vec<u32>>,
}

impl Reads {
    fn record(&mut self, reader: usize, partition: u32, offset: i64) -> Result<()> {
        if let Some(latest) = self.latest.insert((reader, partition), offset) {
            ensure!(
                offset == latest + 1,
                "reader {reader} read {offset} of partition {partition} after {latest}"
            );
        }
        self.seen.entry(partition).or_default().insert(offset);
        Ok(())
    }

    fn take(&mut self, reader: usize, event: &GroupEvent) -> Result<()> {
        match event {
            GroupEvent::Record(record) => {
                let value = std::str::from_utf8(record.value.as_deref().context("a value")?)?;
                ensure!(value == record.offset.to_string(), "{value} at offset {}", record.offset);
                self.record(reader, record.partition, record.offset)?;
            }
            GroupEvent::Revoked(partitions) | GroupEvent::Lost(partitions) => {
                let numbers = partitions.iter().map(|one| one.partition);
                self.revoked.entry(reader).or_default().extend(numbers.clone());
                for partition in numbers {
                    self.latest.remove(&(reader, partition));
                }
            }
            GroupEvent::Assigned(_) => {}
        }
        Ok(())
    }

    /// Whether everything up to there was read, of all partitions.
    fn is_complete(&self, to: i64) -> bool {
        let all =
            |partition| self.seen.get(&partition).is_some_and(|seen| (0..to).all(|one| seen.contains(&one)));
        (0..PARTITIONS).all(all)
    }
}

/// The next event of any of the members, and whose it is.
async fn next_of(members: &mut [GroupConsumer]) -> Result<(usize, GroupEvent)> {
    let events: Vec<_> = members.iter_mut().map(|member| Box::pin(member.next_event())).collect();
    let mut events = events;
    let (reader, event) = std::future::poll_fn(|context| {
        for (reader, event) in events.iter_mut().enumerate() {
            if let std::task::Poll::Ready(event) = event.as_mut().poll(context) {
                return std::task::Poll::Ready((reader, event));
            }
        }
        std::task::Poll::Pending
    })
    .await;
    Ok((reader, event.context("the client is closed")??))
}

/// Reads with all members until `done`.
async fn read(
    members: &mut [GroupConsumer],
    reads: &mut Reads,
    mut done: impl FnMut(&Reads, &[GroupConsumer]) -> bool,
) -> Result<()> {
    let reading = async {
        while !done(reads, members) {
            // A moment at a time: members also go by what does not come as an event.
            if let Ok(next) = tokio::time::timeout(Duration::from_millis(100), next_of(members)).await {
                let (reader, event) = next?;
                reads.take(reader, &event)?;
            }
        }
        Ok(())
    };
    let outcome = tokio::time::timeout(WITHIN, reading).await;
    outcome.with_context(|| format!("not done; {reads:?}"))?
}

/// How many partitions each of them has.
fn shares(members: &[GroupConsumer]) -> Vec<usize> {
    members.iter().map(|member| member.assignment().len()).collect()
}
