//! Ten thousand connections that do nothing: little memory, and nobody else notices; one too many is told so.

use super::{Attack, connections::hello};
use anyhow::{Context as _, Result, ensure};
use cairn_client::Client;
use cairn_tests::process_status::anonymous_bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

const CONNECTIONS: usize = 10_000;
/// More than the other connections of this test, and those of its client library.
const SPARE: usize = 200;
/// What the idle ones may cost, altogether.
const EXTRA_BYTES_MAX: u64 = 200 << 20;
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// As many connections as this process may have files, if that is less. The broker's own limit is the same.
fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = setrlimit(Resource::Nofile, raised).map_or(limit.current, |()| limit.maximum);
    let allowed = allowed.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    CONNECTIONS.min(allowed.saturating_sub(2 * SPARE))
}

/// A connection whose handshake is over, and that says nothing more.
async fn idle(address: &str) -> Result<TcpStream> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(&hello()).await?;
    let mut settings = [0; 9];
    tokio::time::timeout(ANSWERED_WITHIN, connection.read_exact(&mut settings)).await??;
    ensure!(settings[3] == 4, "settings come first, not {settings:?}");
    Ok(connection)
}

/// What a connection too many is told. It says nothing itself, so that nothing can overtake the words.
async fn refused(address: &str) -> Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let mut words = Vec::new();
    tokio::time::timeout(ANSWERED_WITHIN, connection.read_to_end(&mut words))
        .await
        .context("it is kept")??;
    Ok(String::from_utf8_lossy(&words).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections() -> Result<()> {
    let connections = connections();
    println!("{connections} connections");
    let connections_max = connections.to_string();
    // Nobody here answers a sign of life, so that none is asked for.
    let arguments = ["--connections-max", &connections_max, "--keepalive-interval-ms", "3600000"];
    let attack = Attack::begin_with(&arguments).await?;
    let before = anonymous_bytes(attack.broker.id())?;
    let mut opening = JoinSet::new();
    let mut kept = Vec::new();
    for _ in 0..connections.saturating_sub(SPARE) {
        let address = attack.address().to_owned();
        opening.spawn(async move { idle(&address).await });
        if opening.len() == 100 {
            kept.push(opening.join_next().await.context("one of many")???);
        }
    }
    while let Some(opened) = opening.join_next().await {
        kept.push(opened??);
    }
    let extra = anonymous_bytes(attack.broker.id())?.saturating_sub(before);
    println!("{} idle connections hold {} KiB", kept.len(), extra >> 10);
    ensure!(extra < EXTRA_BYTES_MAX, "{} idle connections hold {extra} bytes", kept.len());

    // Also new clients are served, until the limit is reached.
    Client::connect(attack.address()).await?.admin().list_topics().await?;
    let mut beyond = Vec::new();
    for _ in 0..SPARE {
        let connection = TcpStream::connect(attack.address()).await?;
        beyond.push(connection);
    }
    let words = refused(attack.address()).await?;
    ensure!(words.contains("connections-max") && words.contains(&connections_max), "{words:?}");
    drop((kept, beyond));
    let served = async {
        while Client::connect(attack.address()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(ANSWERED_WITHIN, served)
        .await
        .context("the places of closed connections are free")?;
    attack.end().await
}
