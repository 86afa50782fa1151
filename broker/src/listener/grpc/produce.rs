//! The produce stream: one task reads requests as memory allows, replies come from wherever a batch completes. When the
//! client half-closes, every reply still comes before the end; when it vanishes, what was appended stays.

use super::{
    Services,
    call::{refused, shutting_down},
    convert,
    convert::Invalid,
    error_code::Coded,
    messages::Messages,
};
use crate::{
    replication::{Acks, ProduceError, ProduceRequest, Produced},
    service::{Broker, ProduceSession, Refusal, ReplyPlace},
};
use cairn_proto::v1;
use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::Stream;
use tonic::{Status, metadata::MetadataMap};

/// A reply on its way out. It keeps its place among the unanswered until it is taken: so the channel is bounded.
type Reply = (v1::ProduceResponse, ReplyPlace);

/// The replies of one stream.
pub(super) struct ProduceReplies {
    replies: UnboundedReceiver<Reply>,
    end: Arc<OnceLock<Status>>,
    ended: bool,
}

impl Stream for ProduceReplies {
    type Item = Result<v1::ProduceResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some((reply, _place)) = ready!(self.replies.poll_recv(context)) {
            return Poll::Ready(Some(Ok(reply)));
        }
        // All replies are out. An end that the client did not ask for has a reason, told once.
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(None);
        }
        Poll::Ready(self.end.get().cloned().map(Err))
    }
}

/// Starts the reading side and returns the replies.
pub(super) fn open(
    services: &Services,
    metadata: &MetadataMap,
    requests: Messages<v1::ProduceRequest>,
) -> Result<ProduceReplies, Status> {
    let context = services.stream(metadata);
    let session = services.broker.produce(&context).map_err(|refusal| refused(&refusal))?;
    let (to_client, replies) = unbounded_channel();
    let end = Arc::new(OnceLock::new());
    let reader = Reader { services: services.clone(), session, to_client };
    let reason = Arc::clone(&end);
    services.streams.spawn(async move {
        if let Err(status) = reader.run(requests).await {
            // Set before the last sender is gone, so that the stream finds it at its end.
            let _ = reason.set(status);
        }
    });
    Ok(ProduceReplies { replies, end, ended: false })
}

struct Reader {
    services: Services,
    session: ProduceSession,
    to_client: UnboundedSender<Reply>,
}

impl Reader {
    /// Reads to the end. An error is how the stream ends, after its last reply.
    async fn run(&self, mut requests: Messages<v1::ProduceRequest>) -> Result<(), Status> {
        let streams = self.services.broker.metrics().streams.clone();
        streams.inc();
        let outcome = self.read(&mut requests).await;
        streams.dec();
        outcome
    }

    async fn read(&self, requests: &mut Messages<v1::ProduceRequest>) -> Result<(), Status> {
        let draining = self.services.broker.admission().draining();
        // What comes first is what is usually there: the others are asked only by a stream that waits.
        while !draining.is_cancelled() {
            let place = tokio::select! {
                biased;
                place = self.session.place() => place,
                () = draining.cancelled() => break,
                () = self.to_client.closed() => return Ok(()),
            };
            let Some(place) = place else { break };
            let request = tokio::select! {
                biased;
                request = requests.message() => request?,
                () = draining.cancelled() => break,
                () = self.to_client.closed() => return Ok(()),
            };
            let Some(request) = request else { return Ok(()) };
            self.handle(request, place).await;
        }
        Err(shutting_down())
    }

    async fn handle(&self, request: v1::ProduceRequest, place: ReplyPlace) {
        let replier = Replier {
            broker: self.services.broker.clone(),
            to_client: self.to_client.clone(),
            request_id: request.request_id,
            place,
        };
        let request = match converted(request) {
            Ok(request) => request,
            Err(error) => return replier.refuse(&error),
        };
        let silent = request.acks == Acks::None;
        let done = move |outcome| replier.answer(outcome, silent);
        if let Err((refusal, done)) = self.session.send(request, done).await {
            done(Err(match refusal {
                Refusal::ShuttingDown => ProduceError::ShuttingDown,
                Refusal::TooMuch { given, max, .. } => {
                    ProduceError::TooLarge { bytes: given, bytes_max: max }
                }
            }));
        }
    }
}

/// Sends the one reply of a request.
struct Replier {
    broker: Broker,
    to_client: UnboundedSender<Reply>,
    request_id: u64,
    place: ReplyPlace,
}

impl Replier {
    fn answer(self, outcome: Result<Produced, ProduceError>, silent: bool) {
        match outcome {
            Ok(_) if silent => {}
            Ok(produced) => {
                let reply = v1::ProduceResponse {
                    request_id: self.request_id,
                    error: v1::ErrorCode::None.into(),
                    message: String::new(),
                    base_offset: produced.base_offset.get(),
                    append_time_ms: produced.append_time_ms.unwrap_or(-1),
                    log_start_offset: produced.log_start.get(),
                    leader_epoch: produced.leader_epoch.get(),
                };
                self.send(reply);
            }
            Err(error) => self.refuse(&error),
        }
    }

    fn refuse(self, error: &impl Coded) {
        let (code, message) = error.parts();
        self.broker.metrics().count_error("produce", error.code().as_str_name());
        let reply = v1::ProduceResponse {
            request_id: self.request_id,
            error: code,
            message,
            base_offset: -1,
            append_time_ms: -1,
            log_start_offset: -1,
            leader_epoch: -1,
        };
        self.send(reply);
    }

    fn send(self, reply: v1::ProduceResponse) {
        // A client that is gone learns nothing; what was appended stays.
        let _ = self.to_client.send((reply, self.place));
    }
}

fn converted(request: v1::ProduceRequest) -> Result<ProduceRequest, Invalid> {
    let acks = match v1::Acks::try_from(request.acks) {
        Ok(v1::Acks::All) => Acks::All,
        Ok(v1::Acks::Leader) => Acks::Leader,
        Ok(v1::Acks::None) => Acks::None,
        Err(_) => return Err(convert::invalid("acks", request.acks, "0 (all), 1 (leader) or 2 (none)")),
    };
    Ok(ProduceRequest {
        partition: convert::topic_partition(&request.topic_id, request.partition)?,
        leader_epoch: convert::epoch("leader_epoch", request.leader_epoch)?,
        acks,
        batch: request.batch,
    })
}
