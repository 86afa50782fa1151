//! Asks leaders for offsets: one request for all partitions of each leader, and again while leaders move or are not
//! ready, until the request timeout.

use super::{OffsetAt, PartitionOffset, convert};
use crate::{
    client::Core,
    clock,
    connection::{CallError, call, log_client},
    retry::{Backoff, code_of, refused_for_now},
    routing::{RouteError, TopicRoute},
};
use cairn_proto::v1::{ErrorCode, ListOffsetsRequest, OffsetQuery, offset_query::At};
use std::collections::BTreeMap;

/// Why there are no offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OffsetsError {
    Route(RouteError),
    UnknownPartition { partition: u32, partitions: u32 },
    Refused { code: ErrorCode, reason: String },
    Unreachable(String),
}

/// One attempt's failure.
enum Attempt {
    /// Another attempt may succeed.
    Again {
        reason: String,
        reroute: bool,
    },
    Final(OffsetsError),
}

/// Each partition with the offset wanted of it; answers in the order of the queries.
pub(crate) async fn leader_offsets(
    core: &Core,
    topic: &str,
    queries: &[(u32, OffsetAt)],
) -> Result<Vec<PartitionOffset>, OffsetsError> {
    let give_up = clock::now() + core.options.request_timeout;
    let mut backoff = Backoff::retrying();
    loop {
        let route = core.route(topic).await.map_err(OffsetsError::Route)?;
        let (reason, reroute) = match attempt(core, &route, queries).await {
            Ok(answers) => return Ok(answers),
            Err(Attempt::Final(error)) => return Err(error),
            Err(Attempt::Again { reason, reroute }) => (reason, reroute),
        };
        let wait = backoff.wait(rand::random());
        if clock::now() + wait >= give_up {
            return Err(OffsetsError::Unreachable(reason));
        }
        if reroute {
            core.routing.refresh(None);
        }
        tokio::select! {
            () = core.stop.cancelled() => return Err(OffsetsError::Route(RouteError::Closed)),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn attempt(
    core: &Core,
    route: &TopicRoute,
    queries: &[(u32, OffsetAt)],
) -> Result<Vec<PartitionOffset>, Attempt> {
    let mut by_leader: BTreeMap<u32, Vec<(usize, OffsetQuery)>> = BTreeMap::new();
    for (place, (partition, at)) in queries.iter().enumerate() {
        let Some(known) = route.partition(*partition) else {
            let (partition, partitions) = (*partition, route.partition_count());
            return Err(Attempt::Final(OffsetsError::UnknownPartition { partition, partitions }));
        };
        let Some(leader) = known.leader else {
            let reason = format!("{}/{partition} has no leader at the moment", route.name);
            return Err(Attempt::Again { reason, reroute: false });
        };
        let query = OffsetQuery {
            topic_id: route.topic_id.clone(),
            partition: *partition,
            leader_epoch: known.leader_epoch,
            isolation: 0,
            at: Some(at_of(*at)),
        };
        by_leader.entry(leader).or_default().push((place, query));
    }
    let mut found: Vec<(usize, PartitionOffset)> = Vec::with_capacity(queries.len());
    for (leader, asked) in by_leader {
        found.extend(ask_leader(core, leader, asked).await?);
    }
    found.sort_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, offset)| offset).collect())
}

async fn ask_leader(
    core: &Core,
    leader: u32,
    asked: Vec<(usize, OffsetQuery)>,
) -> Result<Vec<(usize, PartitionOffset)>, Attempt> {
    let again = |reason: String, reroute| Attempt::Again { reason, reroute };
    let table = core.routing.table();
    let address =
        table.address(leader).ok_or_else(|| again(format!("broker {leader} has no address"), true))?;
    let channel = core.connections.channel(address).map_err(|error| again(error.to_string(), true))?;
    let request = ListOffsetsRequest { queries: asked.iter().map(|(_, query)| query.clone()).collect() };
    let mut client = log_client(channel);
    let reply = call(address, core.options.request_timeout, client.list_offsets(request)).await;
    let reply = reply.map_err(|error| match error {
        CallError::NotSent(reason) | CallError::Lost(reason) => again(reason, true),
        CallError::TurnedAway(reason) => {
            Attempt::Final(OffsetsError::Refused { code: ErrorCode::InvalidRequest, reason })
        }
    })?;
    if reply.answers.len() != asked.len() {
        return Err(again(
            format!("{address} answered {} of {} queries", reply.answers.len(), asked.len()),
            false,
        ));
    }
    let answers = asked.into_iter().zip(reply.answers);
    answers
        .map(|((place, query), answer)| match code_of(answer.error) {
            ErrorCode::None => Ok((
                place,
                PartitionOffset {
                    partition: query.partition,
                    offset: convert::known(answer.offset),
                    timestamp_ms: convert::known(answer.timestamp_ms),
                },
            )),
            code if refused_for_now(code) || code == ErrorCode::UnknownTopicOrPartition => {
                Err(again(format!("{address}: {}", answer.message), true))
            }
            code => Err(Attempt::Final(OffsetsError::Refused { code, reason: answer.message })),
        })
        .collect()
}

fn at_of(at: OffsetAt) -> At {
    match at {
        OffsetAt::Earliest => At::Earliest(true),
        OffsetAt::Latest => At::Latest(true),
        OffsetAt::Timestamp(timestamp_ms) => At::TimestampMs(timestamp_ms),
        OffsetAt::MaxTimestamp => At::MaxTimestamp(true),
    }
}
