//! Commits, one after the other, by one task: whatever was asked for meanwhile goes together. A commit that a restarting broker
//! did not answer is repeated until the request timeout.

use super::{Shared, membership::Place};
use crate::{GroupError, clock};
use cairn_proto::v1::{CommitOffsetsRequest, CommitOffsetsResponse, OffsetToCommit, RefusedOffset};
use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};
use tokio::sync::{mpsc, oneshot};

/// The next offset to read of each partition.
pub(super) type Offsets = BTreeMap<Place, i64>;

/// A commit that is wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) offsets: Offsets,
    /// Nobody waits for an automatic one.
    pub(super) answer: Option<oneshot::Sender<Result<(), GroupError>>>,
}

/// A commit on its way. It goes on when this is dropped.
#[derive(Debug)]
#[must_use = "a commit goes on by itself; await it to know what became of it, or drop it"]
pub struct Commit {
    answer: oneshot::Receiver<Result<(), GroupError>>,
}

impl Commit {
    pub(super) fn new(wanted: &mpsc::UnboundedSender<Wanted>, offsets: Offsets) -> Self {
        let (answer, answered) = oneshot::channel();
        // A task that is gone has dropped its end, which says it all.
        let _ = wanted.send(Wanted { offsets, answer: Some(answer) });
        Self { answer: answered }
    }
}

impl Future for Commit {
    type Output = Result<(), GroupError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(|answer| answer.unwrap_or(Err(GroupError::Closed)))
    }
}

/// Runs until nobody can want a commit any more; what was wanted until then is still sent.
pub(super) async fn run(shared: Arc<Shared>, mut wanted: mpsc::UnboundedReceiver<Wanted>) {
    let mut number = 0;
    let mut ticks = tokio::time::interval(shared.options.auto_commit.unwrap_or(super::FOR_EVER));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            biased;
            () = shared.core().stop.cancelled() => return,
            first = wanted.recv() => first,
            _ = ticks.tick() => {
                // The application looks at it, because only it knows what it has handled.
                shared.commit_is_due.store(true, Ordering::Relaxed);
                shared.wake();
                continue;
            }
        };
        let Some(first) = first else { return };
        let mut together = vec![first];
        while let Ok(next) = wanted.try_recv() {
            together.push(next);
        }
        commit(&shared, together, &mut number).await;
    }
}

async fn commit(shared: &Shared, together: Vec<Wanted>, number: &mut u64) {
    let mut offsets = Offsets::new();
    for wanted in &together {
        offsets.extend(wanted.offsets.iter().map(|(place, offset)| (place.clone(), *offset)));
    }
    let outcome = if offsets.is_empty() { Ok(Vec::new()) } else { send(shared, &offsets, number).await };
    for Wanted { offsets, answer } in together {
        let refused = |refused: &Vec<String>| -> Vec<String> {
            let ours = offsets.keys().map(|place| place.partition.to_string());
            ours.filter(|name| refused.contains(name)).collect()
        };
        let result = match &outcome {
            Err(error) => Err(error.clone()),
            Ok(all) => match refused(all) {
                none if none.is_empty() => Ok(()),
                partitions => Err(GroupError::NotAssigned { partitions }),
            },
        };
        match answer {
            Some(answer) => drop(answer.send(result)),
            None => {
                if let Err(error) = result {
                    tracing::warn!(group = shared.coordinator.group, "an automatic commit failed: {error}");
                    shared.commit_again.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}

/// The partitions that were refused.
async fn send(shared: &Shared, offsets: &Offsets, number: &mut u64) -> Result<Vec<String>, GroupError> {
    let (member_id, member_epoch) = {
        let state = shared.state.lock();
        (state.membership.member_id().to_owned(), state.membership.epochs().1)
    };
    let to_commit = |(place, offset): (&Place, &i64)| OffsetToCommit {
        topic: place.partition.topic.to_string(),
        topic_id: place.topic_id.clone(),
        partition: place.partition.partition,
        offset: *offset,
        leader_epoch: -1,
        metadata: String::new(),
    };
    let request = CommitOffsetsRequest {
        group: shared.coordinator.group.clone(),
        member_id,
        member_epoch,
        commit_number: 0,
        offsets: offsets.iter().map(to_commit).collect(),
    };
    let give_up = clock::now() + shared.core().options.request_timeout;
    let answer: Result<CommitOffsetsResponse, GroupError> = shared
        .coordinator
        .ask(give_up, |mut client| {
            // Each attempt has a number of its own: one that comes late does not overtake the next.
            *number += 1;
            let request = CommitOffsetsRequest { commit_number: *number, ..request.clone() };
            async move { client.commit_offsets(request).await }
        })
        .await;
    match answer {
        Ok(answer) => {
            let name = |one: RefusedOffset| format!("{}/{}", one.topic, one.partition);
            Ok(answer.refused.into_iter().map(name).collect())
        }
        // The membership is over: everything belongs to somebody else by now.
        Err(GroupError::Refused { code: "UNKNOWN_MEMBER" | "STALE_MEMBER_EPOCH", .. }) => {
            Ok(offsets.keys().map(|place| place.partition.to_string()).collect())
        }
        Err(error) => Err(error),
    }
}
