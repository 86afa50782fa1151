//! Connections that do not speak the protocol, or stop in the middle of it: closed within their time.

use super::Attack;
use anyhow::{Context as _, Result, ensure};
use rand::RngCore as _;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
/// What a client of the protocol says first.
pub(super) fn hello() -> Vec<u8> {
    [PREFACE, SETTINGS].concat()
}

/// The handshake's own limit is 1 s here.
const CLOSED_WITHIN: Duration = Duration::from_secs(15);

/// Sends bytes, reads whatever comes, and wants the other side to close.
async fn is_closed(address: &str, what: &str, bytes: &[u8]) -> Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    // The broker may close while it is being written to.
    let _ = connection.write_all(bytes).await;
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(CLOSED_WITHIN, connection.read_to_end(&mut answer)).await;
    closed.with_context(|| format!("{what}: still open after {CLOSED_WITHIN:?}"))?.ok();
    ensure!(answer.len() < 100_000, "{what}: {} bytes of answer", answer.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_not_the_protocol_close_the_connection() -> Result<()> {
    let attack = Attack::begin().await?;
    let mut random = cairn_tests::seed::random("bad_input");
    let mut noise = vec![0; 100_000];
    random.fill_bytes(&mut noise);
    let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let kafka_frame = b"\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\x00\x00";
    let huge_frame = [PREFACE, SETTINGS, b"\xff\xff\xff\0\0\0\0\0\x01"].concat();
    let bad_settings = [PREFACE, b"\0\0\x06\x04\0\0\0\0\0\0\x04\xff\xff\xff\xff"].concat();
    let bad_headers = [PREFACE, SETTINGS, b"\0\0\x04\x01\x04\0\0\0\x01\xff\xff\xff\xff"].concat();
    let data_without_stream = [PREFACE, SETTINGS, b"\0\0\x01\0\0\0\0\0\0x"].concat();
    let rows: [(&str, &[u8]); 10] = [
        ("noise", &noise),
        ("zeros", &[0; 10_000]),
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("TLS", tls_hello),
        ("Kafka", kafka_frame),
        ("half a preface", &PREFACE[..10]),
        ("a frame of 16 MiB", &huge_frame),
        ("a window beyond its range", &bad_settings),
        ("headers that cannot be decoded", &bad_headers),
        ("data on stream 0", &data_without_stream),
    ];
    for (what, bytes) in rows {
        is_closed(attack.address(), what, bytes).await?;
    }
    attack.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_are_closed() -> Result<()> {
    let attack = Attack::begin().await?;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..300 {
        let address = attack.address().to_owned();
        let bytes = if number % 2 == 0 { b"".as_slice() } else { &PREFACE[..5] };
        tasks.spawn(async move { is_closed(&address, "silence", bytes).await });
    }
    while let Some(closed) = tasks.join_next().await {
        closed??;
    }
    attack.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_at_a_time_is_not_enough() -> Result<()> {
    let attack = Attack::begin().await?;
    let mut connection = TcpStream::connect(attack.address()).await?;
    let slowly = async {
        for byte in PREFACE {
            connection.write_all(&[*byte]).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok::<_, std::io::Error>(())
    };
    let written = tokio::time::timeout(CLOSED_WITHIN, slowly).await;
    ensure!(matches!(written, Ok(Err(_))), "a connection of one byte every 500 ms was kept: {written:?}");
    attack.end().await
}

/// HEADERS of a call to `path`, without Huffman coding and without the table.
fn call_headers(path: &str) -> Result<Vec<u8>> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len())?);
            block.extend(text.as_bytes());
        }
    }
    let length = u8::try_from(block.len())?;
    Ok([&[0, 0, length, 1, 4, 0, 0, 0, 1], block.as_slice()].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_claims_four_gigabytes_is_refused() -> Result<()> {
    let attack = Attack::begin().await?;
    for path in ["/cairn.v1.Log/Produce", "/cairn.v1.Admin/CreateTopic", "/cairn.v1.Log/ListOffsets"] {
        for claim in [[0xff_u8; 4], [0x7f, 0xff, 0xff, 0xff], [0x40, 0, 0, 0]] {
            let mut bytes = [PREFACE, SETTINGS].concat();
            bytes.extend(call_headers(path)?);
            bytes.extend([0, 0, 10, 0, 0, 0, 0, 0, 1, 0]);
            bytes.extend(claim);
            bytes.extend(b"short");
            let mut connection = TcpStream::connect(attack.address()).await?;
            connection.write_all(&bytes).await?;
            // A status comes as trailers on the stream; the connection itself may live on.
            let mut answer = vec![0; 10_000];
            let mut length = 0;
            let answered = tokio::time::timeout(CLOSED_WITHIN, async {
                while !has_trailers(&answer[..length]) {
                    let read = connection.read(&mut answer[length..]).await?;
                    if read == 0 {
                        break;
                    }
                    length += read;
                }
                Ok::<_, std::io::Error>(())
            });
            answered.await.with_context(|| format!("{path} {claim:?}: no answer"))?.ok();
        }
    }
    attack.end().await
}

/// Whether the frames so far end a stream: HEADERS with END_STREAM, or RST_STREAM, or GOAWAY.
fn has_trailers(mut bytes: &[u8]) -> bool {
    while let [high, middle, low, kind, flags, ..] = *bytes {
        if (kind == 1 && flags & 1 == 1) || kind == 3 || kind == 7 {
            return true;
        }
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    false
}
