//! Producers that number their batches.

use super::batches::{batch, numbered};
use crate::side::Side;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_proto::kafka::{ApiKey, init_producer_id::InitProducerIdRequest};
use cairn_tests::kafka::produce_request;

fn named(transactional_id: Option<&str>, transaction_timeout_ms: i32) -> InitProducerIdRequest {
    let transactional_id = transactional_id.map(Into::into);
    InitProducerIdRequest { transactional_id, transaction_timeout_ms, ..Default::default() }
}

pub(crate) async fn producer_ids(side: &mut Side) -> Result<()> {
    for version in ApiKey::InitProducerId.served() {
        side.forget_ids();
        side.ask("without a name", version, &named(None, 60_000)).await?;
        side.ask("without a name again", version, &named(None, 60_000)).await?;
        side.ask("without a name and time", version, &named(None, 0)).await?;
        side.ask("an empty name", version, &named(Some(""), 60_000)).await?;
        let name = format!("transactional-{version}");
        side.ask("a name", version, &named(Some(&name), 60_000)).await?;
        side.ask("a name again", version, &named(Some(&name), 60_000)).await?;
        side.ask("a name, no time", version, &named(Some("timeless"), 0)).await?;
        side.ask("a name, less than no time", version, &named(Some("timeless"), -1)).await?;
        side.ask("a name, too much time", version, &named(Some("timeless"), 3_600_000)).await?;
    }
    for version in 3..=5 {
        side.forget_ids();
        for (case, name, producer_id, producer_epoch) in [
            ("an unknown id without a name", None, 424_242, 0),
            ("an id without an epoch", None, 424_242, -1),
            ("an epoch without an id", None, -1, 0),
            ("an unknown id with a name", Some("unknown-id"), 424_242, 0),
            ("an id without an epoch with a name", Some("unknown-id"), 424_242, -1),
            ("an epoch without an id with a name", Some("unknown-id"), -1, 0),
        ] {
            let request = InitProducerIdRequest { producer_id, producer_epoch, ..named(name, 60_000) };
            side.ask(case, version, &request).await?;
        }
        side.forget_ids();
        let name = format!("known-{version}");
        let first =
            side.ask("a name before", version, &named(Some(&name), 60_000)).await?.context("an id")?;
        let (producer_id, producer_epoch) = (first.producer_id, first.producer_epoch);
        let again = InitProducerIdRequest { producer_id, producer_epoch, ..named(Some(&name), 60_000) };
        side.ask("its id", version, &again).await?;
        let ahead = InitProducerIdRequest { producer_epoch: 99, ..again.clone() };
        side.ask("its id and an epoch too far", version, &ahead).await?;
        side.ask(
            "another id",
            version,
            &InitProducerIdRequest { producer_id: producer_id + 900_000, ..again },
        )
        .await?;
    }
    Ok(())
}

/// Sends to partition 0 of a topic of its own.
async fn send(side: &mut Side, case: &str, topic: &str, records: Bytes) -> Result<()> {
    side.ask(case, 11, &produce_request(topic, -1, records)).await?;
    Ok(())
}

pub(crate) async fn sequences(side: &mut Side) -> Result<()> {
    let given = side.kafka.call(5, &named(None, 0)).await?;
    ensure!(given.error_code.is_none(), "{given:?}");
    let id = given.producer_id;
    let one: &[&[u8]] = &[b"x"];
    side.topic("numbered", 1, &[]).await?;
    for sequence in 0..7 {
        send(side, &format!("sequence {sequence}"), "numbered", numbered((id, 0), sequence, one)?).await?;
    }
    for (case, epoch, sequence) in [
        ("the last again", 0, 6),
        ("the fifth last again", 0, 2),
        ("the sixth last again", 0, 1),
        ("the first again", 0, 0),
        ("a gap", 0, 9),
        ("in order again", 0, 7),
        ("a new epoch in the middle", 1, 8),
        ("a new epoch from its beginning", 1, 0),
        ("the old epoch", 0, 8),
        ("the new epoch again", 1, 0),
        ("the new epoch goes on", 1, 1),
        ("an epoch far ahead", 30, 0),
        ("the epoch between", 2, 0),
    ] {
        send(side, case, "numbered", numbered((id, epoch), sequence, one)?).await?;
    }
    side.topic("numbered-in-pairs", 1, &[]).await?;
    let pair: &[&[u8]] = &[b"x", b"y"];
    for (case, sequence, values) in [
        ("a pair", 0, pair),
        ("a pair again", 0, pair),
        ("half of a pair again", 0, one),
        ("the other half again", 1, one),
        ("what overlaps", 1, pair),
        ("the next pair", 2, pair),
    ] {
        send(side, case, "numbered-in-pairs", numbered((id, 0), sequence, values)?).await?;
    }
    side.topic("numbered-late", 1, &[]).await?;
    send(side, "a first sequence that is not 0", "numbered-late", numbered((id, 0), 5, one)?).await?;
    send(side, "a first sequence of 0", "numbered-late", numbered((id, 0), 0, one)?).await?;
    side.topic("numbered-to-the-end", 1, &[]).await?;
    send(side, "the greatest sequence", "numbered-to-the-end", numbered((id, 0), i32::MAX, one)?).await?;
    send(side, "behind the greatest comes 0", "numbered-to-the-end", numbered((id, 0), 0, one)?).await?;
    side.topic("numbered-and-not", 1, &[]).await?;
    send(side, "with a number", "numbered-and-not", numbered((id, 0), 0, one)?).await?;
    send(side, "without a number", "numbered-and-not", batch(one)?).await?;
    send(side, "with the next number", "numbered-and-not", numbered((id, 0), 1, one)?).await?;
    Ok(())
}
