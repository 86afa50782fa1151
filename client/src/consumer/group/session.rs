//! The task of a member: one heartbeat after the other, each of which waits at the coordinator for news. What it hears goes to the
//! application, which does it when it comes for the next record; then the next heartbeat says so.

use super::{
    GroupConsumer, Inbound, Options, Shared, begin, commits,
    membership::{Place, Stay},
};
use crate::{
    ConsumeError, GroupError,
    client::Handle,
    clock,
    consumer::Consumer,
    coordinator::{Attempt, Coordinator},
    retry::Backoff,
};
use cairn_proto::v1::{
    AssignedTopic, ErrorCode, GroupHeartbeatRequest, GroupHeartbeatResponse, LeaveGroupRequest,
};
use std::{
    future::pending,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinHandle};

/// A heartbeat waits at the coordinator for this part of the session.
const WAITS_OF_A_SESSION: u32 = 3;
/// How long a member that ends tries to say so.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// A commit before partitions are given up.
type Finishing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Joins a group and begins to follow it.
pub(super) async fn join(
    client: Arc<Handle>,
    group: String,
    buffer_bytes: usize,
    options: Options,
) -> Result<GroupConsumer, ConsumeError> {
    let core = &client.core;
    let consumer =
        Consumer::start(Arc::clone(&client), Vec::new(), buffer_bytes, options.reset.when_out_of_range());
    let (wanted, requests) = mpsc::unbounded_channel();
    let coordinator = Coordinator::new(Arc::clone(core), group);
    let shared = Arc::new(Shared::new(coordinator, options, &consumer));
    let sent = clock::now();
    let give_up = sent + core.options.request_timeout;
    // A wait would only delay the first answer of a group where nothing is free.
    let request = GroupHeartbeatRequest { wait_ms: 0, ..shared.heartbeat() };
    let answer = shared.coordinator.ask(give_up, |mut client| {
        let request = request.clone();
        async move { client.heartbeat(request).await }
    });
    let answer: GroupHeartbeatResponse = answer.await?;
    take(&shared, sent, answer);
    let committer = core.tasks.spawn(commits::run(Arc::clone(&shared), requests));
    core.tasks.spawn(run(Arc::clone(&shared), wanted.downgrade(), committer));
    Ok(GroupConsumer::new(consumer, shared, wanted))
}

/// Follows the group until the consumer ends, and leaves then.
async fn run(
    shared: Arc<Shared>,
    wanted: mpsc::WeakUnboundedSender<commits::Wanted>,
    committer: JoinHandle<()>,
) {
    let failed = tokio::select! {
        () = shared.stop.cancelled() => None,
        error = follow(&shared, &wanted) => Some(error),
    };
    if let Some(error) = failed {
        shared.push(Inbound::Failed(error));
        return;
    }
    shared.wake();
    // What was to be committed is, before anybody else reads on from there.
    let leave = async {
        let _ = committer.await;
        if shared.options.instance_id.is_none() {
            leave(&shared).await;
        }
    };
    tokio::select! {
        () = shared.core().stop.cancelled() => {}
        () = leave => {}
    }
}

async fn leave(shared: &Shared) {
    let request = LeaveGroupRequest {
        group: shared.coordinator.group.clone(),
        member_id: shared.state.lock().membership.member_id().to_owned(),
    };
    let left =
        shared.coordinator.attempt(LEAVE_WITHIN, |mut client| async move { client.leave(request).await });
    if let Ok(Err(error)) = tokio::time::timeout(LEAVE_WITHIN, left).await {
        tracing::debug!(?error, "leaving a group");
    }
    shared.left.notify_one();
}

/// Returns why this cannot go on.
async fn follow(shared: &Arc<Shared>, wanted: &mpsc::WeakUnboundedSender<commits::Wanted>) -> GroupError {
    let mut backoff = Backoff::retrying();
    let mut finishing: Option<(Finishing, Stay)> = None;
    loop {
        if let Some((offsets, epoch)) = shared.state.lock().given_up.take() {
            finishing = Some((finish(wanted, offsets), epoch));
        }
        let sent = clock::now();
        let request = shared.heartbeat();
        let timeout = shared.options.session_timeout * 2 / WAITS_OF_A_SESSION;
        let call =
            shared.coordinator.attempt(timeout, |mut client| async move { client.heartbeat(request).await });
        let finished = async {
            match &mut finishing {
                Some((finishing, epoch)) => {
                    finishing.await;
                    *epoch
                }
                None => pending().await,
            }
        };
        let answer = tokio::select! {
            answer = call => answer,
            // The answer to a heartbeat that was overtaken must not be looked at: it is given up.
            () = shared.changed.notified() => continue,
            epoch = finished => {
                finishing = None;
                shared.state.lock().membership.released(epoch);
                continue;
            }
        };
        match heard(shared, sent, answer) {
            Heard::Answered => backoff.reset(),
            Heard::Nothing => tokio::time::sleep(backoff.wait(rand::random())).await,
            Heard::Lost => finishing = None,
            Heard::Refused(error) => return error,
        }
    }
}

enum Heard {
    Answered,
    Nothing,
    Lost,
    Refused(GroupError),
}

fn heard(shared: &Arc<Shared>, sent: Instant, answer: Result<GroupHeartbeatResponse, Attempt>) -> Heard {
    match answer {
        Ok(answer) => {
            take(shared, sent, answer);
            Heard::Answered
        }
        Err(Attempt::Again(reason)) => {
            tracing::debug!(group = shared.coordinator.group, %reason, "a heartbeat was not answered");
            Heard::Nothing
        }
        Err(Attempt::Refused(ErrorCode::UnknownMember, _)) => {
            let lost = {
                let mut state = shared.state.lock();
                state.given_up = None;
                state.membership.lost(super::shared::new_member_id())
            };
            shared.push(Inbound::Lost(lost));
            Heard::Lost
        }
        Err(Attempt::Refused(code, reason)) => Heard::Refused(shared.coordinator.refusal(code, reason)),
    }
}

/// Takes what the coordinator says.
fn take(shared: &Arc<Shared>, sent: Instant, answer: GroupHeartbeatResponse) {
    let news = answer.changed.then(|| (answer.member_epoch, places(answer.assigned)));
    let change = shared.state.lock().membership.answered(sent, news);
    if let Some(epoch) = change.epoch.filter(|_| !change.revoked.is_empty()) {
        shared.push(Inbound::Revoked(change.revoked, epoch));
    }
    if !change.added.is_empty() {
        shared.core().tasks.spawn(begin::run(Arc::clone(shared), change.added));
    }
    // Records were held back if the session might have been over.
    shared.wake();
}

fn places(assigned: Vec<AssignedTopic>) -> Vec<Place> {
    let of_topic = |topic: AssignedTopic| {
        let name: Arc<str> = topic.name.into();
        topic.partitions.into_iter().map(move |partition| Place {
            partition: super::GroupPartition { topic: Arc::clone(&name), partition },
            topic_id: topic.topic_id.clone(),
        })
    };
    assigned.into_iter().flat_map(of_topic).collect()
}

/// Commits what was handled of partitions that are given up. If that fails, records come twice, to somebody else.
fn finish(wanted: &mpsc::WeakUnboundedSender<commits::Wanted>, offsets: commits::Offsets) -> Finishing {
    let commit = wanted.upgrade().filter(|_| !offsets.is_empty());
    let commit = commit.map(|wanted| commits::Commit::new(&wanted, offsets));
    Box::pin(async move {
        if let Some(Err(error)) = match commit {
            Some(commit) => Some(commit.await),
            None => None,
        } {
            tracing::warn!("not committed before partitions were given up, they are read again: {error}");
        }
    })
}
