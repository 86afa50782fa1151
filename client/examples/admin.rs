//! Creates a topic if it is not there, and describes it.
//!
//! `cargo run -p cairn-client --example admin -- 127.0.0.1:9095 TOPIC`

use cairn_client::{AdminError, Client, NewTopic};
use std::{error::Error, io::Write as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9095".to_owned());
    let topic = arguments.next().ok_or("usage: admin ADDRESS TOPIC")?;
    let client = Client::connect(address).await?;
    let admin = client.admin();
    match admin.create_topic(NewTopic::named(&topic).partitions(4).config("retention.ms", "86400000")).await {
        Ok(_) | Err(AdminError::TopicExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut out = std::io::stdout().lock();
    for partition in admin.describe_topic(&topic).await?.partitions {
        writeln!(out, "{topic}/{}: leader {:?}", partition.partition, partition.leader)?;
    }
    client.close().await;
    Ok(())
}
