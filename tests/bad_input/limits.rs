//! Values at and beyond a limit: accepted at it, and beyond it refused by the name of the limit that it is.

use super::{Attack, TOPIC};
use anyhow::{Result, ensure};
use cairn_proto::{
    record::BatchOptions,
    v1::{AlterTopicRequest, CreateTopicRequest, ErrorCode, admin_client::AdminClient},
};
use cairn_tests::wire::{batch, produce, produce_request};

const MIB: usize = 1 << 20;
/// Around the values of a batch: its head, and the record's.
const FRAMING_BYTES: usize = 100;

/// The smallest journal files that can be asked for, as all brokers of these tests have them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_up_to_what_the_topic_accepts_fit_the_smallest_journal() -> Result<()> {
    let attack = Attack::begin().await?;
    let produced = async |value_bytes: usize| {
        let batch = batch(BatchOptions::default(), &[&vec![7; value_bytes]])?;
        produce(&attack.channel, produce_request(1, attack.topic_id.clone(), batch.into())).await
    };
    let largest = produced(MIB - FRAMING_BYTES).await?;
    ensure!(largest.error() == ErrorCode::None, "{largest:?}");
    let too_large = produced(MIB).await?;
    ensure!(too_large.error() == ErrorCode::BatchTooLarge, "{too_large:?}");
    ensure!(too_large.message.contains("(max.message.bytes)"), "{too_large:?}");

    let mut admin = AdminClient::new(attack.channel.clone());
    let max_message_bytes = |bytes: usize| [("max.message.bytes".to_owned(), bytes.to_string())].into();
    let create = CreateTopicRequest {
        name: "larger".into(),
        configs: max_message_bytes(8 * MIB),
        ..Default::default()
    };
    let created = admin.create_topic(create).await?.into_inner();
    ensure!(created.error() == ErrorCode::InvalidConfig, "{created:?}");
    ensure!(created.message.contains("journal-file-bytes-max"), "{created:?}");
    let alter =
        |bytes| AlterTopicRequest { name: TOPIC.into(), set: max_message_bytes(bytes), ..Default::default() };
    let altered = admin.alter_topic(alter(8 * MIB)).await?.into_inner();
    ensure!(altered.error() == ErrorCode::InvalidConfig, "{altered:?}");
    // What it says is allowed is so.
    let max = altered.message.split_whitespace().find_map(|word| word.parse::<usize>().ok());
    let Some(max) = max else { anyhow::bail!("no number: {altered:?}") };
    ensure!((MIB..2 * MIB).contains(&max), "{altered:?}");
    let altered = admin.alter_topic(alter(max)).await?.into_inner();
    ensure!(altered.error() == ErrorCode::None, "{altered:?}");
    let largest = produced(max - FRAMING_BYTES).await?;
    ensure!(largest.error() == ErrorCode::None, "{largest:?}");
    attack.end().await
}
