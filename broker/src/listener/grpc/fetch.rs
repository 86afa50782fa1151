//! The fetch stream: one task that applies what the client says and sends what its session hands out.

use super::{
    Services,
    call::{refused, shutting_down},
    convert,
    error_code::Coded,
    messages::Messages,
};
use crate::{
    replication::{FetchError, Read, ReadRequest},
    service::{FetchSession, Push, Subscription},
};
use cairn_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, metadata::MetadataMap};

/// Responses between the session and the socket. Small: each holds up to a whole response of batches.
const RESPONSES_QUEUED_MAX: usize = 2;

/// What the client is sent.
pub(super) type FetchResponses = ReceiverStream<Result<v1::FetchResponse, Status>>;
type ToClient = mpsc::Sender<Result<v1::FetchResponse, Status>>;

/// Starts the session's task and returns what it sends.
pub(super) fn open(
    services: &Services,
    metadata: &MetadataMap,
    requests: Messages<v1::FetchRequest>,
) -> Result<FetchResponses, Status> {
    let context = services.stream(metadata);
    let session = services.broker.fetch(&context).map_err(|refusal| refused(&refusal))?;
    let (to_client, responses) = mpsc::channel(RESPONSES_QUEUED_MAX);
    let mut task = FetchTask { services: services.clone(), session, to_client, open: true };
    services.streams.spawn(async move {
        let streams = task.services.broker.metrics().streams.clone();
        streams.inc();
        if let Err(status) = task.run(requests).await {
            let _ = task.to_client.send(Err(status)).await;
        }
        streams.dec();
    });
    Ok(ReceiverStream::new(responses))
}

struct FetchTask {
    services: Services,
    session: FetchSession,
    to_client: ToClient,
    /// The client may still say something.
    open: bool,
}

enum Event {
    Said(Option<v1::FetchRequest>),
    Push(Push),
    Gone,
}

impl FetchTask {
    async fn run(&mut self, mut requests: Messages<v1::FetchRequest>) -> Result<(), Status> {
        let draining = self.services.broker.admission().draining().clone();
        // A client that has half-closed can grant no more credit: the stream ends with the last of it.
        while self.open || self.session.has_credit() {
            let event = tokio::select! {
                biased;
                () = draining.cancelled() => return Err(shutting_down()),
                () = self.to_client.closed() => Event::Gone,
                request = requests.message(), if self.open => Event::Said(request?),
                push = self.session.next() => Event::Push(push),
            };
            match event {
                Event::Gone => return Ok(()),
                Event::Said(None) => self.open = false,
                Event::Said(Some(request)) => self.apply(request).await,
                Event::Push(push) => self.send(push.subscription, push.outcome).await,
            }
        }
        Ok(())
    }

    async fn apply(&mut self, request: v1::FetchRequest) {
        for id in request.unsubscribe {
            self.session.unsubscribe(id);
        }
        for subscribe in request.subscribe {
            let id = subscribe.subscription_id;
            let outcome = match converted(&subscribe) {
                Ok(subscription) => self.session.subscribe(subscription).map_err(|refusal| refusal.parts()),
                Err(error) => Err(error.parts()),
            };
            if let Err((code, message)) = outcome {
                self.session.unsubscribe(id);
                self.respond(v1::FetchResponse { error: code, message, ..empty(id) }).await;
            }
        }
        self.session.add_credit(request.add_credit_bytes);
    }

    async fn send(&self, subscription: u32, outcome: Result<Read, FetchError>) {
        let metrics = self.services.broker.metrics();
        let response = match outcome {
            Ok(read) => {
                metrics.fetch_responses.inc();
                metrics.fetch_bytes.inc_by(u64::try_from(read.batches.len()).unwrap_or(u64::MAX));
                v1::FetchResponse {
                    high_watermark: read.high_watermark.get(),
                    last_stable_offset: read.last_stable_offset.get(),
                    log_start_offset: read.log_start.get(),
                    leader_epoch: read.leader_epoch.get(),
                    batches: read.batches,
                    ..empty(subscription)
                }
            }
            Err(error) => {
                metrics.count_error("fetch", error.code().as_str_name());
                let (damaged_from, damaged_to) = match &error {
                    FetchError::Damaged { from, to, .. } => (from.get(), to.get()),
                    _ => (0, 0),
                };
                let (code, message) = error.parts();
                v1::FetchResponse { error: code, message, damaged_from, damaged_to, ..empty(subscription) }
            }
        };
        self.respond(response).await;
    }

    async fn respond(&self, response: v1::FetchResponse) {
        // A client that is gone ends the loop at its next turn.
        let _ = self.to_client.send(Ok(response)).await;
    }
}

/// A response that knows nothing but its subscription.
fn empty(subscription_id: u32) -> v1::FetchResponse {
    v1::FetchResponse {
        subscription_id,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        leader_epoch: -1,
        ..v1::FetchResponse::default()
    }
}

fn converted(subscribe: &v1::Subscribe) -> Result<Subscription, convert::Invalid> {
    // Without transactions there is nothing that a reader of committed ones must not see.
    if v1::Isolation::try_from(subscribe.isolation).is_err() {
        let allowed = "0 (read uncommitted) or 1 (read committed)";
        return Err(convert::invalid("isolation", subscribe.isolation, allowed));
    }
    Ok(Subscription {
        id: subscribe.subscription_id,
        bytes_wanted: usize::try_from(subscribe.batch_bytes_max).unwrap_or(usize::MAX),
        request: ReadRequest {
            partition: convert::topic_partition(&subscribe.topic_id, subscribe.partition)?,
            offset: convert::offset("offset", subscribe.offset)?,
            leader_epoch: convert::epoch("leader_epoch", subscribe.leader_epoch)?,
            last_epoch: convert::epoch("last_epoch", subscribe.last_epoch)?,
            bytes_max: 0,
        },
    })
}
