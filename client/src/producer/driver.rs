//! The one task of a producer that watches clocks and news: it ends lingering and waiting, looks at the delivery timeout,
//! follows the routing, asks for new identities, and starts a task for each broker that gets work.

use super::{Shared, identity, session, window::Identity};
use crate::clock;
use std::{future::pending, sync::Arc};

/// Runs until the producer ends; whatever ends it, nothing pending is left unresolved.
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
    let identity = renewal(shared, None);
    tokio::pin!(identity);
    let mut asking = false;
    loop {
        let mut lanes = Vec::new();
        let (next, used_up) = shared.change(|state, effects| {
            lanes.append(&mut state.lanes_to_start);
            (state.on_time(clock::now(), effects), state.identity_used_up)
        });
        for broker in lanes {
            let session = shared.sessions.track_future(session::run(Arc::clone(shared), broker));
            shared.core.tasks.spawn(session);
        }
        if !asking && used_up.is_some() {
            identity.set(renewal(shared, used_up));
            asking = true;
        }
        let timer = async {
            match next {
                Some(next) => tokio::time::sleep_until(next.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = shared.driver.notified() => {}
            () = timer => {}
            news = tables.changed() => {
                if news.is_err() {
                    return;
                }
                let table = Arc::clone(&tables.borrow_and_update());
                shared.change(|state, effects| state.reroute(&table, effects));
            }
            identity = &mut identity, if asking => {
                asking = false;
                shared.change(|state, effects| state.renew(identity, effects));
            }
        }
    }
}

async fn renewal(shared: &Arc<Shared>, used_up: Option<Identity>) -> Identity {
    match used_up {
        Some(used_up) => identity::next(&shared.core, used_up).await,
        None => pending().await,
    }
}
