//! Sends lines from standard input, each a record, and says where they went.
//!
//! `cargo run -p cairn-client --example produce -- 127.0.0.1:9095 TOPIC < FILE`

use cairn_client::{Client, Record};
use std::{
    error::Error,
    io::{BufRead as _, Write as _},
    sync::Arc,
    time::Duration,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9095".to_owned());
    let topic: Arc<str> = arguments.next().ok_or("usage: produce ADDRESS TOPIC")?.into();
    let client = Client::connect(address).await?;
    let producer = client.producer().build().await?;
    let mut deliveries = Vec::new();
    for line in std::io::stdin().lock().lines() {
        deliveries.push(producer.send(Record::to(Arc::clone(&topic)).value(line?)).await?);
    }
    let mut out = std::io::stdout().lock();
    for delivery in deliveries {
        let delivered = delivery.await?;
        writeln!(out, "{}/{} at {}", delivered.topic, delivered.partition, delivered.offset)?;
    }
    producer.close(Duration::from_secs(5)).await?;
    client.close().await;
    Ok(())
}
