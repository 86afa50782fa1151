//! Prints the values of a topic from the beginning to its present end.
//!
//! `cargo run -p cairn-client --example consume -- 127.0.0.1:9095 TOPIC`

use cairn_client::{Client, StartAt};
use std::{error::Error, io::Write as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9095".to_owned());
    let topic = arguments.next().ok_or("usage: consume ADDRESS TOPIC")?;
    let client = Client::connect(address).await?;
    let mut consumer = client.consumer().assign_all(topic).from(StartAt::Beginning).build().await?;
    let mut ends: Vec<(_, u32, i64)> = Vec::new();
    for (topic, partition) in consumer.assignment() {
        let end = consumer.high_watermark(&topic, partition).unwrap_or(0);
        ends.push((topic, partition, end));
    }
    let mut out = std::io::stdout().lock();
    while ends.iter().any(|(topic, partition, end)| consumer.position(topic, *partition) < Some(*end)) {
        let Some(record) = consumer.next_record().await else { break };
        out.write_all(&record?.value.unwrap_or_default())?;
        out.write_all(b"\n")?;
    }
    client.close().await;
    Ok(())
}
