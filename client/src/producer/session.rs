//! The task that carries batches to one broker: a stream of requests that takes the next batch when the transport has room
//! for it, and a loop that reads the answers. A lost connection is opened again while there is work.

use super::{Effects, Shared, state::Job};
use crate::{
    clock,
    connection::{describe, log_client},
    retry::Backoff,
};
use cairn_proto::v1::ProduceRequest;
use futures_core::Stream;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Looks after one broker until the producer ends.
pub(super) async fn run(shared: Arc<Shared>, broker: u32) {
    let stop = shared.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = serve(&shared, broker) => {}
    }
}

async fn serve(shared: &Arc<Shared>, broker: u32) {
    let mut backoff = Backoff::connecting();
    loop {
        poll_fn(|context| {
            if shared.state.lock().has_work(broker, context.waker()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let session = shared.state.lock().begin_session(broker);
        let reason = connect(shared, broker, session, &mut backoff).await;
        tracing::debug!(broker, %reason, "the produce stream ended");
        let closed = shared.change(|state, effects| {
            state.end_session(broker, session, &reason, effects);
            state.is_closed()
        });
        if closed {
            return;
        }
        shared.core.routing.refresh(None);
        tokio::time::sleep(backoff.wait(rand::random())).await;
    }
}

/// Returns why the connection ended.
async fn connect(shared: &Arc<Shared>, broker: u32, session: u64, backoff: &mut Backoff) -> String {
    let Some(address) = shared.core.routing.table().address(broker).cloned() else {
        return format!("broker {broker} has no address");
    };
    let channel = match shared.core.connections.channel(&address) {
        Ok(channel) => channel,
        Err(error) => return error.to_string(),
    };
    let requests = Requests { shared: Arc::clone(shared), broker, session };
    let mut answers = match log_client(channel).produce(requests).await {
        Ok(response) => response.into_inner(),
        Err(status) => return describe(&address, &status),
    };
    loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                backoff.reset();
                shared.change(|state, effects| state.answered(answer, clock::now(), effects));
            }
            Ok(None) => return format!("{address} ended the stream"),
            Err(status) => return describe(&address, &status),
        }
    }
}

/// The requests of one connection, made as the transport asks for them.
#[derive(Debug)]
struct Requests {
    shared: Arc<Shared>,
    broker: u32,
    session: u64,
}

impl Stream for Requests {
    type Item = ProduceRequest;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ProduceRequest>> {
        loop {
            let mut effects = Effects::default();
            let job = {
                let mut state = self.shared.state.lock();
                state.next_job(self.broker, self.session, context.waker(), &mut effects)
            };
            self.shared.run(effects);
            match job {
                Err(()) => return Poll::Ready(None),
                Ok(None) => return Poll::Pending,
                Ok(Some(Job::Send(request))) => return Poll::Ready(Some(request)),
                Ok(Some(Job::Work(index, number, work))) => {
                    let result = work.run();
                    self.shared.change(|state, effects| state.worked(index, number, result, effects));
                }
            }
        }
    }
}
