//! Bytes that are not the protocol: the connection closes at once, memory stays where it is, and a well-behaved client
//! notices nothing.

use super::{Served, batch};
use anyhow::{Result, ensure};
use bytes::Buf as _;
use cairn_proto::kafka::{ApiKey, ErrorCode, RequestBody, metadata::MetadataRequest};
use cairn_tests::{
    kafka::{KafkaConnection, expect_code, produce_request},
    process_status::anonymous_bytes,
    seed,
    witness::Witness,
};
use rand::{Rng as _, RngCore as _};
use std::time::{Duration, Instant};

const TOPIC: &str = "target";
/// What is promised, and what a machine that does other things besides may add at times.
const CLOSED_WITHIN: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(20);
/// More than a request may cost while it is under way.
const EXTRA_BYTES_MAX: u64 = 64 << 20;

fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// The shortest of several tries: how long the broker needs, whatever else the machine does.
pub(super) async fn closes(address: &str, what: &str, bytes: &[u8]) -> Result<()> {
    let mut shortest = PATIENCE;
    for _ in 0..20 {
        let mut connection = KafkaConnection::open(address).await?;
        let started = Instant::now();
        // The broker may close while it is being written to.
        let _ = connection.send_bytes(bytes).await;
        let (_, rest) = connection.closed(PATIENCE).await?;
        ensure!(rest.is_empty(), "{what}: answered with {rest:?}");
        shortest = shortest.min(started.elapsed());
        if shortest <= CLOSED_WITHIN {
            return Ok(());
        }
    }
    anyhow::bail!("{what}: closed after {shortest:?} at best, not within {CLOSED_WITHIN:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_protocol_closes_the_connection() -> Result<()> {
    let mut served = Served::begin().await?;
    served.kafka.create_topic(TOPIC, 1).await?;
    let witness = Witness::start(served.broker.grpc_address(), served.broker.id()).await?;
    let before = anonymous_bytes(served.broker.id())?;
    let api_not_served = frame(b"\x03\xe7\0\0\0\0\0\x01\xff\xff");
    let sasl = frame(b"\0\x11\0\x01\0\0\0\x01\xff\xff\0\x05PLAIN");
    let group = frame(b"\0\x0b\0\x05\0\0\0\x01\xff\xff");
    let old_produce = frame(b"\0\0\0\x02\0\0\0\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\0");
    let future_metadata = frame(b"\0\x03\0\x63\0\0\0\x01\xff\xff");
    let trailing = frame(b"\0\x03\0\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff!");
    let count = frame(b"\0\x03\0\x01\0\0\0\x01\xff\xff\x7f\xff\xff\xff");
    let client_id = frame(b"\0\x03\0\x01\0\0\0\x01\0\x09short");
    let not_text = frame(b"\0\x03\0\x01\0\0\0\x01\0\x02\xff\xfe\xff\xff\xff\xff");
    let large_call = [&(5_u32 << 20).to_be_bytes()[..], b"\0\x03\0\x01\0\0\0\x01"].concat();
    let rows: [(&str, &[u8]); 16] = [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("zeros", &[0; 64]),
        ("a negative length", b"\xff\xff\xff\xff"),
        ("two gigabytes", b"\x7f\xff\xff\xff\0\0\0\x0b"),
        ("too short for a header", b"\0\0\0\x07\0\x12\0\0\0\0\0"),
        ("an API that there is not", &api_not_served),
        ("an API that is not served", &sasl),
        ("an API without a handler", &group),
        ("a version that is only advertised", &old_produce),
        ("a version of the future", &future_metadata),
        ("bytes behind the message", &trailing),
        ("a count beyond the end", &count),
        ("a string beyond the end", &client_id),
        ("a client id that is no text", &not_text),
    ];
    for (what, bytes) in rows {
        closes(served.broker.kafka_address(), what, bytes).await?;
    }
    closes(served.broker.kafka_address(), "a call of five megabytes", &large_call).await?;
    let extra = anonymous_bytes(served.broker.id())?.saturating_sub(before);
    ensure!(extra < EXTRA_BYTES_MAX, "{extra} bytes are held");
    // The connection that was there before is as it was.
    served.kafka.call(12, &MetadataRequest::default()).await?;
    println!("the witness: {:?}", witness.finish().await?);
    served.end().await
}

/// Requests of every API and version, whole ones and damaged ones: an answer or a closed connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_requests_of_every_api_are_answered_or_close_the_connection() -> Result<()> {
    let mut served = Served::begin_with(&["--partitions-max", "1000"]).await?;
    served.kafka.create_topic(TOPIC, 1).await?;
    let witness = Witness::start(served.broker.grpc_address(), served.broker.id()).await?;
    let mut random = seed::random("kafka_listener");
    let apis = served.kafka.call(0, &cairn_proto::kafka::api_versions::ApiVersionsRequest::default()).await?;
    for row in apis.api_keys {
        let Some(api) = ApiKey::from_number(row.api_key) else { anyhow::bail!("{row:?}") };
        for version in api.served() {
            for round in 0..6 {
                let mut entropy = [0; 300];
                random.fill_bytes(&mut entropy);
                let Some(body) = RequestBody::sample(api, version, &entropy) else { continue };
                let mut whole = body.frame(7, Some("damaged"), version)?;
                let mut bytes = whole.copy_to_bytes(whole.remaining()).to_vec();
                if round > 0 && bytes.len() > 12 {
                    let at = random.random_range(12..bytes.len());
                    bytes[at] ^= 1 << random.random_range(0..8);
                }
                let mut connection = served.another().await?;
                let _ = connection.send_bytes(&bytes).await;
                // Behind it, a request that ends the connection: what is still open then has hung.
                let _ = connection.send_bytes(b"\xff\xff\xff\xff").await;
                connection.closed(Duration::from_secs(90)).await?;
            }
        }
    }
    println!("the witness: {:?}", witness.finish().await?);
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_too_many_is_closed_and_a_place_that_is_left_is_free() -> Result<()> {
    let mut served = Served::begin_with(&["--connections-max", "2"]).await?;
    served.kafka.call(12, &MetadataRequest::default()).await?;
    let mut second = served.another().await?;
    second.call(12, &MetadataRequest::default()).await?;
    served.another().await?.closed(PATIENCE).await?;
    drop(second);
    let started = Instant::now();
    loop {
        let mut again = served.another().await?;
        if again.call(12, &MetadataRequest::default()).await.is_ok() {
            break;
        }
        ensure!(started.elapsed() < PATIENCE, "the place of a closed connection is not free");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    served.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_in_the_middle_is_given_up() -> Result<()> {
    let arguments = [
        ["--handshake-timeout-ms", "1000"],
        ["--request-timeout-ms", "1000"],
        ["--kafka-idle-timeout-ms", "1000"],
    ];
    let served = Served::begin_with(&arguments.concat()).await?;
    let address = served.broker.kafka_address().to_owned();
    let mut silent = KafkaConnection::open(&address).await?;
    let mut half = KafkaConnection::open(&address).await?;
    half.call(12, &MetadataRequest::default()).await?;
    half.send_bytes(b"\0\0\0\x20\0\x03").await?;
    let mut idle = KafkaConnection::open(&address).await?;
    idle.call(12, &MetadataRequest::default()).await?;
    for (what, connection) in [("silent", &mut silent), ("half", &mut half), ("idle", &mut idle)] {
        let (after, rest) = connection.closed(PATIENCE).await?;
        println!("{what}: closed after {after:?}");
        ensure!(rest.is_empty(), "{what}: {rest:?}");
    }
    // As much memory as all requests may have is asked for by clients that send no more than a length.
    let mut greedy = Vec::new();
    for _ in 0..20 {
        let mut connection = KafkaConnection::open(&address).await?;
        connection.send_bytes(b"\0\xff\xff\xf0\0\0\0\x0b\0\0\0\x01").await?;
        greedy.push(connection);
    }
    let mut producer = KafkaConnection::open(&address).await?;
    producer.create_topic(TOPIC, 1).await?;
    let started = Instant::now();
    let request = produce_request(TOPIC, -1, batch(&[&[1; 100_000]])?);
    let response = producer.call(11, &request).await?;
    expect_code(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE, "a producer")?;
    println!("beside {} greedy clients a batch takes {:?}", greedy.len(), started.elapsed());
    ensure!(started.elapsed() < Duration::from_millis(900), "the others had to be given up first");
    drop((producer, greedy));
    drop(served.kafka);
    let (scene, broker) = (served.scene, served.broker);
    tokio::task::block_in_place(|| {
        cairn_tests::scene::stop_cleanly(broker)?;
        scene.verify_clean()
    })
}
