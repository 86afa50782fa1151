//! Prints a topic together with other members of a group, and goes on where the group stopped. Start it twice.
//!
//! `cargo run -p cairn-client --example group -- 127.0.0.1:9095 TOPIC GROUP [RECORDS]`

use cairn_client::{Client, GroupEvent};
use std::{error::Error, io::Write as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9095".to_owned());
    let usage = "usage: group ADDRESS TOPIC GROUP [RECORDS]";
    let (topic, group) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let mut left: u64 = arguments.next().map_or(Ok(u64::MAX), |count| count.parse())?;
    let client = Client::connect(address).await?;
    let mut consumer = client.consumer().group(group).topics([topic]).build().await?;
    let mut out = std::io::stdout();
    while left > 0 {
        let Some(event) = consumer.next_event().await else { break };
        match event? {
            GroupEvent::Record(record) => {
                out.write_all(&record.value.unwrap_or_default())?;
                out.write_all(b"\n")?;
                left -= 1;
            }
            // There is time to finish: they are given up when the next event is asked for.
            GroupEvent::Revoked(partitions) => writeln!(out, "# giving up {}", partitions.len())?,
            GroupEvent::Assigned(partitions) => writeln!(out, "# reading {} more", partitions.len())?,
            GroupEvent::Lost(partitions) => writeln!(out, "# lost {}", partitions.len())?,
        }
    }
    // What was handed out is committed, and the others take over at once.
    consumer.close().await?;
    client.close().await;
    Ok(())
}
