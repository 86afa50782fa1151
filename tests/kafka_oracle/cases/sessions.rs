//! Fetch sessions (KIP-227): partitions are named once, answered while there is news, and forgotten.

use super::batches::batch;
use crate::side::Side;
use anyhow::{Context as _, Result};
use cairn_proto::kafka::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use uuid::Uuid;

fn partition(partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() }
}

fn topic(name: &str, topic_id: Uuid, partitions: Vec<FetchPartition>) -> FetchTopic {
    FetchTopic { topic: name.into(), topic_id, partitions }
}

fn within(session_id: i32, session_epoch: i32, topics: Vec<FetchTopic>) -> FetchRequest {
    FetchRequest { min_bytes: 0, max_wait_ms: 0, session_id, session_epoch, topics, ..Default::default() }
}

pub(crate) async fn fetch_sessions(side: &mut Side) -> Result<()> {
    for version in 7..=16 {
        let name = format!("session-{version}");
        let id = side.topic(&name, 3, &[]).await?;
        side.kafka.produce(11, &name, batch(&[b"x"])?).await?;
        session(side, version, (&name, id)).await?;
        side.forget_ids();
        strange_sessions(side, version, (&name, id)).await?;
    }
    Ok(())
}

/// One session from its beginning to its end.
async fn session(side: &mut Side, version: i16, (name, id): (&str, Uuid)) -> Result<()> {
    let all = vec![partition(0, 0), partition(1, 0), partition(2, 0)];
    let first = within(0, 0, vec![topic(name, id, all)]);
    let opened = side.ask("a full request", version, &first).await?.context("a session")?;
    let session = opened.session_id;
    let next = |epoch, topics| within(session, epoch, topics);
    side.ask("nothing new, offset 0 again", version, &next(1, Vec::new())).await?;
    side.ask("partition 0 read", version, &next(2, vec![topic(name, id, vec![partition(0, 1)])])).await?;
    side.ask("nothing new", version, &next(3, Vec::new())).await?;
    side.kafka.produce(11, name, batch(&[b"y"])?).await?;
    side.ask("a new record", version, &next(4, Vec::new())).await?;
    let beyond = vec![topic(name, id, vec![partition(1, 99)])];
    side.ask("out of range", version, &next(5, beyond)).await?;
    side.ask("out of range still", version, &next(6, Vec::new())).await?;
    let unknown = vec![topic(name, id, vec![partition(8, 0)])];
    side.ask("an unknown partition joins", version, &next(7, unknown)).await?;
    side.ask("an unknown partition stays", version, &next(8, Vec::new())).await?;
    let forgotten = ForgottenTopic { topic: name.into(), topic_id: id, partitions: vec![0, 1, 8] };
    let request = FetchRequest { forgotten_topics_data: vec![forgotten], ..next(9, Vec::new()) };
    side.ask("partitions are forgotten", version, &request).await?;
    let foreign =
        ForgottenTopic { topic: "absent".into(), topic_id: Uuid::from_u128(7), partitions: vec![3] };
    let request = FetchRequest { forgotten_topics_data: vec![foreign], ..next(10, Vec::new()) };
    side.ask("what was never there is forgotten", version, &request).await?;
    side.ask("an epoch again", version, &next(10, Vec::new())).await?;
    side.ask("an epoch too far", version, &next(12, Vec::new())).await?;
    side.ask("the right epoch", version, &next(11, Vec::new())).await?;
    let last = within(session, -1, vec![topic(name, id, vec![partition(0, 0)])]);
    side.ask("the last request", version, &last).await?;
    side.ask("after the last request", version, &next(12, Vec::new())).await?;
    Ok(())
}

async fn strange_sessions(side: &mut Side, version: i16, (name, id): (&str, Uuid)) -> Result<()> {
    let of = |offset| vec![topic(name, id, vec![partition(0, offset)])];
    side.ask("an unknown session", version, &within(123_456, 1, of(0))).await?;
    side.ask("no session, epoch 1", version, &within(0, 1, of(0))).await?;
    side.ask("a session below 0", version, &within(-5, 1, of(0))).await?;
    side.ask("an unknown session begins", version, &within(123_456, 0, of(0))).await?;
    side.ask("an unknown session ends", version, &within(123_456, -1, of(0))).await?;
    side.ask("an empty session begins", version, &within(0, 0, Vec::new())).await?;
    side.forget_ids();
    let opened = side.ask("a session", version, &within(0, 0, of(0))).await?.context("a session")?;
    let again = side.ask("it begins again", version, &within(opened.session_id, 0, of(0))).await?;
    let again = again.context("a session")?;
    side.ask("the one before", version, &within(opened.session_id, 1, Vec::new())).await?;
    let forgotten = ForgottenTopic { topic: name.into(), topic_id: id, partitions: vec![0] };
    let request =
        FetchRequest { forgotten_topics_data: vec![forgotten], ..within(again.session_id, 1, Vec::new()) };
    side.ask("all is forgotten", version, &request).await?;
    side.ask("after all was forgotten", version, &within(again.session_id, 2, of(0))).await?;
    if version == 12 || version == 13 {
        let opened =
            side.ask("a session of this kind", version, &within(0, 0, of(0))).await?.context("a session")?;
        let other = if version == 12 { 13 } else { 12 };
        let case = format!("a session of version {version}");
        side.ask(&case, other, &within(opened.session_id, 1, of(0))).await?;
    }
    Ok(())
}
