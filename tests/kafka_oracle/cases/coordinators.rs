//! Who coordinates a group, or a producer with a transactional id.

use crate::side::Side;
use anyhow::{Result, bail};
use cairn_proto::kafka::{
    ApiKey, ErrorCode,
    find_coordinator::FindCoordinatorRequest,
    init_producer_id::InitProducerIdRequest,
    offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup},
};
use std::time::{Duration, Instant};

const READY_WITHIN: Duration = Duration::from_secs(30);
/// More than the internal topic has partitions, so that most of them coordinate one of these.
const GROUPS: usize = 40;

fn request(version: i16, key_type: i8, keys: &[&str]) -> FindCoordinatorRequest {
    match version {
        4.. => FindCoordinatorRequest {
            key_type,
            coordinator_keys: keys.iter().map(|key| (*key).into()).collect(),
            ..Default::default()
        },
        _ => FindCoordinatorRequest {
            key_type,
            key: keys.first().map(|key| (*key).into()).unwrap_or_default(),
            ..Default::default()
        },
    }
}

pub(crate) async fn finding_coordinators(side: &mut Side) -> Result<()> {
    ready(side).await?;
    for version in ApiKey::FindCoordinator.served() {
        side.ask("of a group", version, &request(version, 0, &["readers"])).await?;
        side.ask("of a group without a name", version, &request(version, 0, &[""])).await?;
        side.ask("of a group with a long name", version, &request(version, 0, &[&"g".repeat(300)])).await?;
        if version >= 1 {
            side.ask("of a transactional id", version, &request(version, 1, &["writer"])).await?;
            side.ask("of an empty transactional id", version, &request(version, 1, &[""])).await?;
            for key_type in [2, 3, 9, -1] {
                side.ask(&format!("of type {key_type}"), version, &request(version, key_type, &["x"]))
                    .await?;
            }
        }
        if version >= 4 {
            side.ask("of many groups", version, &request(version, 0, &["a", "b", "c"])).await?;
            side.ask("of good and bad names", version, &request(version, 0, &["a", ""])).await?;
            side.ask("of a group twice", version, &request(version, 0, &["a", "a"])).await?;
            side.ask("of none", version, &request(version, 0, &[])).await?;
            side.ask("of none of type 9", version, &request(version, 9, &[])).await?;
        }
    }
    Ok(())
}

/// Both make their internal topics on first need, and read them before they answer: that takes its time, and is not what
/// is compared.
async fn ready(side: &mut Side) -> Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let groups = (0..GROUPS)
            .map(|number| OffsetFetchRequestGroup { group_id: format!("group-{number}"), topics: None });
        let find = request(6, 0, &["readers"]);
        let found = side.kafka.call(6, &find).await?;
        let found_writer = side.kafka.call(6, &request(6, 1, &["writer"])).await?;
        let fetch = OffsetFetchRequest { groups: groups.collect(), ..Default::default() };
        let fetched = side.kafka.call(8, &fetch).await?;
        let mut codes: Vec<ErrorCode> = fetched.groups.iter().map(|group| group.error_code).collect();
        codes.extend(found.coordinators.iter().map(|one| one.error_code));
        codes.extend(found_writer.coordinators.iter().map(|one| one.error_code));
        for number in 0..GROUPS {
            let transactional_id = Some(format!("writer-{number}"));
            let transaction_timeout_ms = 60_000;
            let init =
                InitProducerIdRequest { transactional_id, transaction_timeout_ms, ..Default::default() };
            codes.push(side.kafka.call(5, &init).await?.error_code);
        }
        if codes.iter().all(|code| code.is_none()) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("coordinators are not ready: {codes:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
