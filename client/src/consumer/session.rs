//! The tasks of a consumer: one that follows the routing, and one for each broker that leads something, which subscribes,
//! grants credit, and takes what is pushed. A lost connection is opened again and goes on exactly where the last one ended.

use super::{Shared, pushes::Pushes, received::parse};
use crate::{clock, connection::describe, retry::Backoff};
use cairn_proto::v1::FetchRequest;
use std::{collections::HashMap, future::pending, sync::Arc};
use tokio::sync::{Notify, mpsc};

/// Runs until the consumer ends; then the stream ends.
pub(super) async fn run(shared: Arc<Shared>) {
    let _ends = EndsWithDriver(Arc::clone(&shared));
    let stop = shared.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = drive(&shared) => {}
    }
}

/// Also when the runtime drops the task.
struct EndsWithDriver(Arc<Shared>);

impl Drop for EndsWithDriver {
    fn drop(&mut self) {
        self.0.end();
    }
}

async fn drive(shared: &Arc<Shared>) {
    let mut tables = shared.core.routing.subscribe();
    loop {
        let table = Arc::clone(&tables.borrow_and_update());
        let leaders = {
            let mut state = shared.state.lock();
            state.reroute(&table);
            state.leaders()
        };
        for broker in leaders {
            let started = shared.lanes.lock().contains_key(&broker);
            if !started {
                let changed = Arc::new(Notify::new());
                shared.lanes.lock().insert(broker, Arc::clone(&changed));
                shared.core.tasks.spawn(lane(Arc::clone(shared), broker, changed));
            }
        }
        shared.notify_all();
        tokio::select! {
            changed = tables.changed() => if changed.is_err() {
                return;
            },
            () = shared.installed.notified() => {}
        }
    }
}

async fn lane(shared: Arc<Shared>, broker: u32, changed: Arc<Notify>) {
    let stop = shared.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = serve(&shared, broker, &changed) => {}
    }
}

async fn serve(shared: &Shared, broker: u32, changed: &Notify) {
    let mut backoff = Backoff::connecting();
    loop {
        while !shared.state.lock().is_wanted(broker) {
            changed.notified().await;
        }
        let reason = connect(shared, broker, changed, &mut backoff).await;
        tracing::debug!(broker, %reason, "the fetch stream ended");
        shared.core.routing.refresh(None);
        tokio::time::sleep(backoff.wait(rand::random())).await;
    }
}

/// Returns why the connection ended.
async fn connect(shared: &Shared, broker: u32, changed: &Notify, backoff: &mut Backoff) -> String {
    let Some(address) = shared.core.routing.table().address(broker).cloned() else {
        return format!("broker {broker} has no address");
    };
    let channel = match shared.core.connections.channel(&address) {
        Ok(channel) => channel,
        Err(error) => return error.to_string(),
    };
    // Bounded by what is worth telling: one message for each change or quarter of the credit.
    let (requests, stream) = mpsc::unbounded_channel::<FetchRequest>();
    shared.state.lock().begin_session(broker);
    let first = shared.state.lock().plan(broker, clock::now());
    first.into_iter().for_each(|request| drop(requests.send(request)));
    let mut pushes = match Pushes::open(channel, stream).await {
        Ok(pushes) => pushes,
        Err(status) => return describe(&address, &status),
    };
    loop {
        let retry_at = shared.state.lock().next_retry(broker);
        let retry = async {
            match retry_at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            push = pushes.message() => match push {
                Ok(Some(push)) => {
                    backoff.reset();
                    let batches = parse(push.batches.clone());
                    let reroute = shared.state.lock().received(broker, &push, batches, clock::now());
                    if reroute {
                        shared.core.routing.refresh(None);
                    }
                }
                Ok(None) => return format!("{address} ended the stream"),
                Err(status) => return describe(&address, &status),
            },
            () = changed.notified() => {}
            () = retry => shared.state.lock().retry(broker),
        }
        let request = shared.state.lock().plan(broker, clock::now());
        if let Some(request) = request
            && requests.send(request).is_err()
        {
            return format!("{address} takes no more requests");
        }
    }
}

/// Wakes the tasks of brokers.
pub(super) type Lanes = HashMap<u32, Arc<Notify>>;
