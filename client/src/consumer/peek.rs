//! The times of single records: how old is what a group has not read yet.

use super::{Consumer, state::Assigned};
use crate::{ConsumeError, OutOfRange, client::Handle, clock, consumer::builder::no_route};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What may be pushed ahead of a look: only the first batch of each partition is wanted.
const BUFFER_BYTES: usize = 64 * 1024;
/// Partitions that are looked at at a time.
const AT_A_TIME: usize = 64;

/// A partition and an offset of it.
pub(crate) type Spot = (String, u32, i64);

/// For each spot the timestamp of the first record there or behind it; a spot without one, or whose partition cannot be read
/// in time, is missing.
pub(crate) async fn first_timestamps(
    client: &Arc<Handle>,
    spots: &[Spot],
    within: Duration,
) -> Result<BTreeMap<(String, u32), i64>, ConsumeError> {
    let give_up = clock::now() + within;
    let mut found = BTreeMap::new();
    for some in spots.chunks(AT_A_TIME) {
        let mut partitions = Vec::with_capacity(some.len());
        for (topic, partition, offset) in some {
            let route = client.core.route(topic).await.map_err(|error| no_route(topic, error))?;
            partitions.push(Assigned::new(&route, *partition, *offset, 0));
        }
        let mut consumer =
            Consumer::start(Arc::clone(client), partitions, BUFFER_BYTES, OutOfRange::Earliest);
        let mut left = some.len();
        while left > 0 {
            let next = tokio::time::timeout_at(give_up.into(), consumer.next_record()).await;
            let record = match next {
                Ok(Some(Ok(record))) => record,
                // One that is damaged there has no time that could be told.
                Ok(Some(Err(_))) => {
                    left -= 1;
                    continue;
                }
                Ok(None) => return Err(ConsumeError::Closed),
                Err(_elapsed) => break,
            };
            consumer.uninstall(&record.topic, record.partition);
            found.insert((record.topic.to_string(), record.partition), record.timestamp_ms);
            left -= 1;
        }
    }
    Ok(found)
}
