//! A broker in memory that does on command what real brokers do at bad moments: refuse, append and say nothing, lose the
//! connection, die and come back on the same port. What it has appended outlives its deaths.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "only tests use it, and a panic fails them"
)]

mod log;
mod services;

use cairn_proto::v1::{self, ErrorCode};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};
use tonic::transport::Server;

pub(crate) use log::PartitionLog;

/// What happens to one produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused with this code, nothing appended.
    Refuse(ErrorCode),
    /// Appended, and answered with this code.
    AppendAndSay(ErrorCode),
    /// Appended; the connection is lost before the answer.
    AppendAndCut,
    /// The connection is lost before anything is appended.
    Cut,
    /// Never answered, not appended.
    Swallow,
    /// Served as usual.
    None,
}

/// What outlives a death.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) topics: BTreeMap<String, Vec<PartitionLog>>,
    pub(crate) faults: VecDeque<Fault>,
    /// Every request gets this one while it is set.
    pub(crate) standing_fault: Option<Fault>,
    pub(crate) fetch_fault: Option<v1::FetchResponse>,
    pub(crate) producer_ids: i64,
    pub(crate) requests: usize,
    pub(crate) max_message_bytes: u32,
    /// The most bytes that were pushed beyond what was taken, and what credit allowed.
    pub(crate) pushed_bytes: u64,
    pub(crate) granted_bytes: u64,
}

/// One incarnation, in a runtime of its own so that its death is abrupt.
pub(crate) struct FakeBroker {
    runtime: Option<Runtime>,
    pub(crate) memory: Arc<Mutex<Memory>>,
    changes: watch::Sender<u64>,
    address: SocketAddr,
}

impl FakeBroker {
    pub(crate) fn start(topics: &[(&str, usize)]) -> Self {
        let mut memory = Memory { max_message_bytes: 1 << 20, ..Memory::default() };
        for (name, partitions) in topics {
            memory.topics.insert((*name).to_owned(), vec![PartitionLog::default(); *partitions]);
        }
        let mut broker = Self {
            runtime: None,
            memory: Arc::new(Mutex::new(memory)),
            changes: watch::Sender::new(0),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        broker.restart();
        broker
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Dies: every connection breaks, answers under way are lost.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let address = self.address;
        let listener = runtime.block_on_elsewhere(async move {
            loop {
                match TcpListener::bind(address).await {
                    Ok(listener) => return listener,
                    // The last incarnation's sockets are closing.
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        });
        self.address = listener.local_addr().unwrap();
        let services = services::Services {
            memory: Arc::clone(&self.memory),
            changes: self.changes.clone(),
            address: self.address.to_string(),
        };
        runtime.spawn(async move {
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            let log = v1::log_server::LogServer::new(services.clone()).max_decoding_message_size(64 << 20);
            let served = Server::builder()
                .add_service(log)
                .add_service(v1::cluster_server::ClusterServer::new(services.clone()))
                .add_service(v1::admin_server::AdminServer::new(services))
                .serve_with_incoming(incoming)
                .await;
            drop(served);
        });
        self.runtime = Some(runtime);
    }

    pub(crate) fn next_faults(&self, faults: &[Fault]) {
        self.memory.lock().faults.extend(faults);
    }

    pub(crate) fn standing_fault(&self, fault: Option<Fault>) {
        self.memory.lock().standing_fault = fault;
    }

    /// The values of all records of a partition, in order.
    pub(crate) fn values(&self, topic: &str, partition: usize) -> Vec<String> {
        self.memory.lock().topics[topic][partition].values()
    }

    pub(crate) fn requests(&self) -> usize {
        self.memory.lock().requests
    }
}

impl Drop for FakeBroker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Blocks on a future of this runtime although the caller is inside of another one.
trait BlockOnElsewhere {
    fn block_on_elsewhere<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T;
}

impl BlockOnElsewhere for Runtime {
    fn block_on_elsewhere<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.spawn(async move { sender.send(future.await).ok() });
        receiver.recv().unwrap()
    }
}
