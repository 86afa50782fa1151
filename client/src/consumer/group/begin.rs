//! Where a member begins in partitions that it was given: where the group stopped, or where the reset says. Tried until it is
//! known, or the partitions are somebody else's again.

use super::{
    Inbound, Ready, Shared,
    membership::{Place, Stay},
};
use crate::{
    ConsumeError, OffsetReset, StartAt, clock,
    consumer::{builder::resolve, state::Assigned},
    retry::Backoff,
};
use cairn_proto::v1::{FetchOffsetsRequest, FetchOffsetsResponse, TopicPartitions};
use std::{collections::BTreeMap, sync::Arc};

type Added = Vec<(Place, Stay)>;

pub(super) async fn run(shared: Arc<Shared>, added: Added) {
    let mut by_topic: BTreeMap<Arc<str>, Added> = BTreeMap::new();
    for (place, stay) in added {
        by_topic.entry(Arc::clone(&place.partition.topic)).or_default().push((place, stay));
    }
    let stop = shared.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = async {
            for (topic, added) in by_topic {
                until_known(&shared, &topic, added).await;
            }
        } => {}
    }
}

async fn until_known(shared: &Shared, topic: &Arc<str>, mut added: Added) {
    let mut backoff = Backoff::retrying();
    loop {
        added.retain(|(place, stay)| shared.state.lock().membership.holds(place, *stay));
        if added.is_empty() {
            return;
        }
        match attempt(shared, topic, &added).await {
            Ok(ready) => return shared.push(Inbound::Assigned(ready)),
            Err(error) => tracing::debug!(%topic, "where to begin is not known yet: {error}"),
        }
        shared.core().routing.refresh(Some(&**topic));
        tokio::time::sleep(backoff.wait(rand::random())).await;
    }
}

async fn attempt(shared: &Shared, topic: &Arc<str>, added: &Added) -> Result<Vec<Ready>, ConsumeError> {
    let core = shared.core();
    let numbers: Vec<u32> = added.iter().map(|(place, _)| place.partition.partition).collect();
    let committed = committed(shared, topic, added).await?;
    let route = core.route(topic).await.map_err(|error| crate::consumer::builder::no_route(topic, error))?;
    if added.iter().any(|(place, _)| place.topic_id != route.topic_id) {
        return Err(ConsumeError::Unreachable("the topic is another one by now".to_owned()));
    }
    let missing: Vec<u32> =
        numbers.iter().copied().filter(|partition| !committed.contains_key(partition)).collect();
    let start = match shared.options.reset {
        OffsetReset::Earliest => StartAt::Beginning,
        OffsetReset::Latest | OffsetReset::None => StartAt::End,
    };
    let ends = resolve(core, topic, &numbers, StartAt::End).await?;
    let starts = match missing.is_empty() {
        true => Vec::new(),
        false => resolve(core, topic, &missing, start).await?,
    };
    let starts: BTreeMap<u32, i64> =
        missing.iter().copied().zip(starts.into_iter().map(|(offset, _)| offset)).collect();
    let ready = added.iter().zip(ends).map(|((place, stay), (_, end))| {
        let number = place.partition.partition;
        let known = committed.get(&number).copied();
        let offset = known.or_else(|| starts.get(&number).copied()).unwrap_or(end);
        let is_refused = known.is_none() && shared.options.reset == OffsetReset::None;
        Ready {
            place: place.clone(),
            stay: *stay,
            assigned: Assigned::new(&route, number, offset, end),
            is_committed: known.is_some(),
            is_refused,
        }
    });
    Ok(ready.collect())
}

/// What the group has committed, by partition.
async fn committed(
    shared: &Shared,
    topic: &Arc<str>,
    added: &Added,
) -> Result<BTreeMap<u32, i64>, ConsumeError> {
    let partitions = added.iter().map(|(place, _)| place.partition.partition).collect();
    let request = FetchOffsetsRequest {
        group: shared.coordinator.group.clone(),
        topics: vec![TopicPartitions { topic: topic.to_string(), partitions }],
    };
    let give_up = clock::now() + shared.core().options.request_timeout;
    let answer: FetchOffsetsResponse = shared
        .coordinator
        .ask(give_up, |mut client| {
            let request = request.clone();
            async move { client.fetch_offsets(request).await }
        })
        .await?;
    let is_ours = |topic_id: &bytes::Bytes| added.iter().any(|(place, _)| place.topic_id == *topic_id);
    let offsets = answer.offsets.into_iter().filter(|one| is_ours(&one.topic_id));
    Ok(offsets.map(|one| (one.partition, one.offset)).collect())
}
