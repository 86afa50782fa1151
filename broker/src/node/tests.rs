//! A whole broker in this process, asked through real sockets with the generated client.

mod client;
mod lifecycle;
mod produce_fetch;
mod refusals;

use super::{Node, StartError};
use crate::config::{Config, Listen};
use client::Connected;
use std::path::Path;

/// The defaults, on free ports and with stores small enough for many brokers on one machine.
fn config(data_dir: &Path) -> Config {
    Config {
        data_dir: data_dir.to_path_buf(),
        listen_grpc: Listen::At("127.0.0.1:0".into()),
        listen_kafka: Listen::At("127.0.0.1:0".into()),
        listen_http: Listen::At("127.0.0.1:0".into()),
        shutdown_timeout_ms: 5000,
        ..Config::default()
    }
}

/// A broker on a directory, and a client of it.
async fn start(data_dir: &Path) -> (Node, Connected) {
    let node = Node::start(config(data_dir)).await.expect("starts");
    let client = Connected::to(&node).await;
    (node, client)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
