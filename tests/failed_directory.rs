//! A data directory that fails under a running broker: the broker says so, by the file's name, wherever it is asked; it takes
//! no more batches, and serves what it has.

#![cfg(test)]

use anyhow::{Context as _, Result, ensure};
use cairn_broker::{
    config::{Config, Listen},
    node::Node,
};
use cairn_client::{Client, NewTopic, Record};
use cairn_proto::{record::BatchOptions, v1::ErrorCode};
use cairn_tests::{
    faulty_disk::{Fault, FaultKind, FaultyDisk},
    load::read_all,
    wire,
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const TOPIC: &str = "kept";

async fn node_on(disk: &FaultyDisk) -> Result<Node> {
    let config = Config {
        data_dir: "/cairn".into(),
        listen_grpc: Listen::At("127.0.0.1:0".into()),
        listen_kafka: Listen::At("127.0.0.1:0".into()),
        listen_http: Listen::At("127.0.0.1:0".into()),
        ..Config::default()
    };
    Ok(Node::start_on(disk.shared(), config).await?)
}

async fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_directory_is_told_by_its_file_and_goes_on_serving_reads() -> Result<()> {
    let disk = FaultyDisk::new(1);
    let node = node_on(&disk).await?;
    let address = node.grpc_address().context("it listens")?.to_string();
    let http = node.http_address().context("it listens")?;
    let client = Client::connect(&address).await?;
    client.admin().create_topic(NewTopic::named(TOPIC)).await?;
    let producer = client.producer().build().await?;
    producer.send(Record::to(TOPIC).value("before")).await?.await?;
    producer.close(Duration::from_secs(5)).await?;
    ensure!(get(http, "/readyz").await?.starts_with("HTTP/1.1 200"), "ready before");

    let channel = wire::channel(&address).await?;
    let topic_id = wire::topic_id(&channel, TOPIC).await?;
    let batch = wire::batch(BatchOptions::default(), &[b"after"])?;
    let mut refused = None;
    // Which call is which depends on what the background does: until the fault was met where it is final.
    for _ in 0..100 {
        disk.set_fault(Some(Fault { call: disk.calls() + 2, kind: FaultKind::Eio, from_then_on: false }));
        let request = wire::produce_request(1, topic_id.clone(), batch.clone().into());
        let reply = wire::produce(&channel, request).await?;
        if reply.error() == ErrorCode::StorageFailed {
            refused = Some(reply.message);
            break;
        }
    }
    disk.set_fault(None);
    let refused = refused.context("the directory never failed")?;
    ensure!(refused.contains("/cairn/data/") && refused.contains("injected EIO"), "{refused}");

    let readiness = get(http, "/readyz").await?;
    ensure!(readiness.starts_with("HTTP/1.1 503"), "{readiness}");
    ensure!(readiness.contains("/cairn/data/") && readiness.contains("injected EIO"), "{readiness}");
    ensure!(get(http, "/livez").await?.starts_with("HTTP/1.1 200"), "the process is alive");
    let metrics = get(http, "/metrics").await?;
    ensure!(metrics.contains("cairn_ready 0"), "{metrics}");
    let status = client.admin().cluster_status().await?;
    ensure!(format!("{status:?}").contains("injected EIO"), "{status:?}");
    let read = read_all(&client, TOPIC).await?;
    ensure!(
        read.seen.first().is_some_and(|first| first.offset == 0),
        "what was acknowledged is still served"
    );
    ensure!(node.shutdown().await.is_err(), "no clean shutdown");
    Ok(())
}
