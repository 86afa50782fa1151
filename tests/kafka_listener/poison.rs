//! Bad requests of every API that is served, in every version of it: a proper answer or a closed connection, within the
//! limits of memory, while a well-behaved client on another connection notices nothing. Everything random is drawn from a
//! seed that is printed.

use super::{Served, bad_input::closes};
use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, Bytes};
use cairn_proto::kafka::{
    ApiKey, ErrorCode, Message as _, Reader, RequestBody, ResponseBody, ResponseHeader,
    api_versions::{ApiVersionsRequest, ApiVersionsResponse},
    metadata::MetadataRequest,
};
use cairn_tests::{kafka::KafkaConnection, seed, witness::Witness};
use rand::{Rng as _, RngCore as _};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

#[path = "poison/texts.rs"]
mod texts;

const TOPIC: &str = "target";
/// A request that may wait for something is given up after this.
const GIVEN_UP_AFTER: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections at a time.
const TOGETHER: usize = 16;
const CORRELATION_ID: i32 = 7;
const LENGTH_BYTES: usize = 4;
/// Length, API, version and correlation id.
const CLIENT_ID_AT: usize = 12;
const CLIENT_ID: &str = "poison";
/// The body, or in flexible versions the header's tagged fields.
const BEHIND_CLIENT_ID: usize = CLIENT_ID_AT + 2 + CLIENT_ID.len();

/// What a case expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The connection closes without a word.
    Closed,
    /// An answer.
    Answered,
    /// Either.
    Either,
}

/// Bytes to be sent to the broker.
#[derive(Clone, Debug)]
struct Case {
    api: ApiKey,
    version: i16,
    what: String,
    bytes: Vec<u8>,
    expected: Expected,
    /// How long an answer, or the end, is waited for before the client ends its side.
    waits: Duration,
}

/// A broker that makes no topics by itself, somebody who watches, and every API with every version.
struct Poisoned {
    served: Served,
    witness: Witness,
    apis: Vec<(ApiKey, i16)>,
}

impl Poisoned {
    async fn begin() -> Result<Self> {
        Self::begin_with(&[]).await
    }

    async fn begin_with(arguments: &[&str]) -> Result<Self> {
        let fixed = [
            "--partitions-max",
            "1000",
            "--auto-create-topics=false",
            "--offsets-topic-partitions",
            "2",
            "--group-initial-rebalance-delay-ms",
            "0",
        ];
        let mut served = Served::begin_with(&[&fixed, arguments].concat()).await?;
        served.kafka.create_topic(TOPIC, 1).await?;
        let witness = Witness::start(served.broker.grpc_address(), served.broker.id()).await?;
        let rows = served.kafka.call(0, &ApiVersionsRequest::default()).await?.api_keys;
        let apis: Option<Vec<ApiKey>> = rows.iter().map(|row| ApiKey::from_number(row.api_key)).collect();
        let apis = apis.context("an API that there is no codec for")?;
        let apis = apis.into_iter().flat_map(|api| api.served().map(move |version| (api, version))).collect();
        Ok(Self { served, witness, apis })
    }

    /// Sends each on a connection of its own, and holds the outcome to what is expected.
    async fn hold(&self, cases: Vec<Case>) -> Result<()> {
        let count = cases.len();
        let address = self.served.broker.kafka_address();
        let mut under_way = JoinSet::new();
        for case in cases {
            while under_way.len() >= TOGETHER {
                under_way.join_next().await.context("one of many")???;
            }
            under_way.spawn(hold_one(address.to_owned(), case));
        }
        while let Some(held) = under_way.join_next().await {
            held??;
        }
        println!("{count} bad requests");
        ensure!(count > 0, "no bad requests");
        Ok(())
    }

    async fn end(mut self) -> Result<()> {
        self.served.kafka.call(12, &MetadataRequest::default()).await?;
        println!("the witness: {:?}", self.witness.finish().await?);
        self.served.end().await
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { api, version, what, bytes, .. } = self;
        let shown = bytes.get(..bytes.len().min(1000)).unwrap_or_default();
        write!(f, "{api} {version}, {what}, {} bytes: {}", bytes.len(), shown.escape_ascii())
    }
}

async fn hold_one(address: String, case: Case) -> Result<()> {
    let outcome = outcome(&address, &case.bytes, case.waits).await.with_context(|| format!("{case}"))?;
    let Outcome { answer, ended } = outcome;
    let answers = frames(&answer).with_context(|| format!("{case}: answered with {answer:?}"))?;
    for frame in &answers {
        understood(&case, frame).with_context(|| format!("{case}: answered with {frame:?}"))?;
    }
    let found = if answers.is_empty() { Expected::Closed } else { Expected::Answered };
    ensure!(case.expected == Expected::Either || case.expected == found, "{case}: {found:?}");
    let waited = found == Expected::Answered || case.waits < PATIENCE;
    ensure!(ended || waited, "{case}: still open after {PATIENCE:?}");
    Ok(())
}

/// What came of a request.
#[derive(Debug)]
struct Outcome {
    /// Everything that came back until the connection closed.
    answer: Vec<u8>,
    /// Whether the broker ended it, before the client did.
    ended: bool,
}

async fn outcome(address: &str, bytes: &[u8], waits: Duration) -> Result<Outcome> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    // The broker may close while it is being written to.
    let _ = stream.write_all(bytes).await;
    read_to_end(&mut stream, waits).await
}

async fn read_to_end(stream: &mut TcpStream, waits: Duration) -> Result<Outcome> {
    let mut answer = Vec::new();
    let latest = Instant::now() + waits;
    while !frames(&answer).is_ok_and(|frames| !frames.is_empty()) {
        match timeout_at(latest, stream.read_buf(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return Ok(Outcome { answer, ended: true }),
            Ok(Ok(_)) => {}
            Err(_elapsed) => break,
        }
    }
    let _ = stream.shutdown().await;
    // A reset is an end as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.context("the connection hangs")?;
    Ok(Outcome { answer, ended: false })
}

/// The bytes as whole frames.
fn frames(mut bytes: &[u8]) -> Result<Vec<Bytes>> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() {
        let length = usize::try_from(i32::from_be_bytes(*length))?;
        let frame = rest.get(..length).context("a frame that is cut short")?;
        frames.push(Bytes::copy_from_slice(frame));
        bytes = &rest[length..];
    }
    ensure!(bytes.is_empty(), "{} bytes are no frame", bytes.len());
    Ok(frames)
}

/// The answer is one to this request, to its last byte.
fn understood(case: &Case, frame: &Bytes) -> Result<()> {
    let mut reader = Reader::new(frame.clone(), 64 << 20);
    let header = ResponseHeader::decode(&mut reader, case.api, case.version)?;
    ensure!(header.correlation_id == CORRELATION_ID, "{header:?}");
    ResponseBody::decode(case.api, case.version, &mut reader)?;
    Ok(())
}

/// A whole request of this body, with its length in front.
fn whole(body: &RequestBody, version: i16) -> Result<Vec<u8>> {
    let mut frame = body.frame(CORRELATION_ID, Some(CLIENT_ID), version)?;
    Ok(frame.copy_to_bytes(frame.remaining()).to_vec())
}

/// The same with everything empty, zero or null.
fn empty(api: ApiKey, version: i16) -> Result<Vec<u8>> {
    whole(&RequestBody::sample(api, version, &[]).context("served")?, version)
}

/// A frame of these bytes, whatever stood in front of them.
fn framed(bytes: &[u8]) -> Result<Vec<u8>> {
    Ok([&i32::try_from(bytes.len())?.to_be_bytes()[..], bytes].concat())
}

/// About `count` places from `from` to below `to`, the first and the last among them.
fn places(from: usize, to: usize, count: usize) -> impl Iterator<Item = usize> {
    let step = (to.saturating_sub(from) / count).max(1);
    (from..to).step_by(step).chain(to.checked_sub(1).filter(|last| *last > from))
}

/// Without acknowledgements nothing is answered.
fn answers_when_empty(api: ApiKey) -> bool {
    api != ApiKey::Produce
}

fn case((api, version): (ApiKey, i16), what: impl Into<String>, bytes: Vec<u8>, expected: Expected) -> Case {
    let waits = if expected == Expected::Either { GIVEN_UP_AFTER } else { PATIENCE };
    Case { api, version, what: what.into(), bytes, expected, waits }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_cut_short_close_the_connection() -> Result<()> {
    let poisoned = Poisoned::begin().await?;
    let mut random = seed::random("kafka_listener");
    let mut cases = Vec::new();
    for served in &poisoned.apis {
        let (api, version) = *served;
        let mut entropy = [0; 60];
        random.fill_bytes(&mut entropy);
        let body = RequestBody::sample(api, version, &entropy).context("served")?;
        for frame in [empty(api, version)?, whole(&body, version)?] {
            for length in places(0, frame.len() - LENGTH_BYTES, 8) {
                // Cut by whoever wrote it: its own length is right.
                let cut = framed(&frame[LENGTH_BYTES..LENGTH_BYTES + length])?;
                cases.push(case(*served, format!("{length} bytes of it"), cut, Expected::Closed));
            }
            // Cut on the way: more was announced than comes.
            for sent in places(1, frame.len(), 4) {
                let bytes = frame[..sent].to_vec();
                let cut = case(*served, format!("{sent} bytes come"), bytes, Expected::Closed);
                cases.push(Case { waits: Duration::ZERO, ..cut });
            }
        }
    }
    poisoned.hold(cases).await?;
    poisoned.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lengths_and_counts_that_lie_are_found_out() -> Result<()> {
    let poisoned = Poisoned::begin().await?;
    let mut random = seed::random("kafka_listener");
    let lies: [&[u8]; 6] = [
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\xfe",
        b"\x80\0\0\0",
        b"\0\xff\xff\xff",
        // As numbers of seven bits a byte: the greatest, and one that does not end.
        b"\xff\xff\xff\xff\x0f",
        b"\xff\xff\xff\xff\xff\xff",
    ];
    let mut cases = Vec::new();
    for served in &poisoned.apis {
        let (api, version) = *served;
        let mut entropy = [0; 80];
        random.fill_bytes(&mut entropy);
        let body = RequestBody::sample(api, version, &entropy).context("served")?;
        let frame = whole(&body, version)?;
        // Every field of the header, and places all over the body, are overwritten with each.
        let header = [CLIENT_ID_AT, BEHIND_CLIENT_ID];
        for at in header.into_iter().chain(places(BEHIND_CLIENT_ID, frame.len(), 12)) {
            for lie in lies {
                let mut bytes = frame[LENGTH_BYTES..at.min(frame.len())].to_vec();
                bytes.extend(lie);
                bytes.extend(frame.get(at + lie.len()..).unwrap_or_default());
                cases.push(case(*served, format!("{lie:?} at {at}"), framed(&bytes)?, Expected::Either));
            }
        }
        // Arrays and texts of an empty request begin behind the header: more than the frame has.
        let mut counts = frame[LENGTH_BYTES..CLIENT_ID_AT].to_vec();
        counts.extend(b"\x7f\xff");
        cases.push(case(*served, "a client id longer than the frame", framed(&counts)?, Expected::Closed));
    }
    poisoned.hold(cases).await?;
    poisoned.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tagged_fields_that_nobody_knows_are_skipped_and_garbage_closes() -> Result<()> {
    let poisoned = Poisoned::begin().await?;
    let mut many = vec![0x80, 0x08];
    for tag in 0..1024_u32 {
        let tag = tag + 5000;
        many.extend([u8::try_from(tag & 0x7f)? | 0x80, u8::try_from(tag >> 7)?, 1, 0xff]);
    }
    let rows: [(&str, &[u8], Expected); 8] = [
        ("one", b"\x01\x63\x03abc", Expected::Answered),
        ("an empty one", b"\x01\x63\0", Expected::Answered),
        ("a thousand", &many, Expected::Answered),
        ("four billion", b"\xff\xff\xff\xff\x0f", Expected::Closed),
        ("a count that does not end", b"\xff\xff\xff\xff\xff\x01", Expected::Closed),
        ("a size beyond the frame", b"\x01\x63\xff\xff\xff\xff\x0f", Expected::Closed),
        ("the same tag twice", b"\x02\x63\0\x63\0", Expected::Closed),
        ("falling tags", b"\x02\x63\0\x62\0", Expected::Closed),
    ];
    let mut cases = Vec::new();
    for served in &poisoned.apis {
        let (api, version) = *served;
        if !api.flexible(version) {
            continue;
        }
        let frame = empty(api, version)?;
        let (front, body) = (&frame[LENGTH_BYTES..BEHIND_CLIENT_ID], &frame[BEHIND_CLIENT_ID + 1..]);
        ensure!(frame[BEHIND_CLIENT_ID] == 0 && frame.last() == Some(&0), "{frame:?}");
        for (what, tags, expected) in rows {
            let expected = match expected {
                Expected::Answered if !answers_when_empty(api) => Expected::Either,
                expected => expected,
            };
            let header = [front, tags, body].concat();
            cases.push(case(*served, format!("header: {what}"), framed(&header)?, expected));
            if let Some((_, body)) = body.split_last() {
                let end = [front, &[0], body, tags].concat();
                cases.push(case(*served, format!("end: {what}"), framed(&end)?, expected));
            }
        }
    }
    poisoned.hold(cases).await?;
    poisoned.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_served_closes_and_what_is_empty_is_answered() -> Result<()> {
    let poisoned = Poisoned::begin().await?;
    let mut cases = Vec::new();
    for served in &poisoned.apis {
        let (api, version) = *served;
        let expected = if answers_when_empty(api) { Expected::Answered } else { Expected::Either };
        cases.push(case(*served, "empty", empty(api, version)?, expected));
    }
    let known: Vec<ApiKey> = poisoned.apis.iter().map(|(api, _)| *api).collect();
    let with = |api: i16, version: i16, rest: &[u8]| {
        let correlation_id = CORRELATION_ID.to_be_bytes();
        framed(&[&api.to_be_bytes()[..], &version.to_be_bytes(), &correlation_id, rest].concat())
    };
    for api in known.iter().copied().filter(|api| *api != ApiKey::ApiVersions) {
        let (first, last) = (*api.served().start(), *api.served().end());
        for version in [first - 1, last + 1, last + 100, i16::MIN, i16::MAX] {
            let bytes = with(api.number(), version, b"\xff\xff\0\0\0\0\0\0\0\0")?;
            cases.push(case((api, version), "a version that there is not", bytes, Expected::Closed));
        }
    }
    let numbers = (-3..=120).chain([i16::MIN, 1000, i16::MAX]);
    for number in numbers.filter(|number| !known.iter().any(|api| api.number() == *number)) {
        for version in [-1, 0, 3, i16::MAX] {
            let bytes = with(number, version, b"\xff\xff\0\0\0\0")?;
            let what = format!("API {number}, version {version}");
            cases.push(case((ApiKey::ApiVersions, 0), what, bytes, Expected::Closed));
        }
    }
    poisoned.hold(cases).await?;
    // The versions themselves can be asked for in any version.
    for version in [i16::MIN, -1, 5, 99, i16::MAX] {
        let bytes = with(ApiKey::ApiVersions.number(), version, b"\xff\xfe\xfd")?;
        let answer = outcome(poisoned.served.broker.kafka_address(), &bytes, PATIENCE).await?.answer;
        let frame = frames(&answer)?.into_iter().next().context("an answer")?;
        let mut reader = Reader::new(frame, 1 << 20);
        ResponseHeader::decode(&mut reader, ApiKey::ApiVersions, 0)?;
        let response = ApiVersionsResponse::decode_body(&mut reader, 0)?;
        ensure!(response.error_code == ErrorCode::UNSUPPORTED_VERSION, "version {version}: {response:?}");
    }
    poisoned.end().await
}

/// As long as the protocol has them, and no text at all: names of topics, groups and settings, in each API.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_any_length_and_texts_that_are_none() -> Result<()> {
    const MARK: &str = "MARKMARK";
    let poisoned = Poisoned::begin().await?;
    let huge = "x".repeat(0x7fff);
    let mut cases = Vec::new();
    for served in &poisoned.apis {
        let (api, version) = *served;
        // By id since version 13.
        let Some(body) = texts::saying(api, version, &huge) else {
            ensure!(api == ApiKey::Fetch, "{api} says nothing");
            continue;
        };
        cases.push(case(*served, "32 KiB of text", whole(&body, version)?, Expected::Answered));
        for odd in ["", "..", "/", "\0", "a\nb", "水", "../../etc/passwd", "%s%n", "'; --"] {
            let body = texts::saying(api, version, odd).context("said before")?;
            cases.push(case(*served, format!("{odd:?}"), whole(&body, version)?, Expected::Answered));
        }
        let body = texts::saying(api, version, MARK).context("said before")?;
        let frame = whole(&body, version)?;
        let at = frame.windows(MARK.len()).position(|window| window == MARK.as_bytes());
        if let Some(at) = at {
            for bytes in [&b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"[..], b"MARK\xc3(AR", b"\xed\xa0\x80MARKM"] {
                let mut broken = frame.clone();
                broken[at..at + MARK.len()].copy_from_slice(bytes);
                cases.push(case(*served, "text that is none", broken, Expected::Closed));
            }
        }
        // The client's own name: of any length, and not text.
        let frame = empty(api, version)?;
        let expected = if answers_when_empty(api) { Expected::Answered } else { Expected::Either };
        let named = |name: &[u8]| {
            let length = i16::try_from(name.len())?.to_be_bytes();
            let front = &frame[LENGTH_BYTES..CLIENT_ID_AT];
            framed(&[front, &length, name, &frame[BEHIND_CLIENT_ID..]].concat())
        };
        cases.push(case(*served, "a client id of 32 KiB", named(huge.as_bytes())?, expected));
        cases.push(case(*served, "a client id that is no text", named(b"\xff\xfe")?, Expected::Closed));
    }
    poisoned.hold(cases).await?;
    poisoned.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_anywhere_is_answered_or_closes() -> Result<()> {
    let poisoned = Poisoned::begin().await?;
    let mut random = seed::random("kafka_listener");
    let mut cases = Vec::new();
    for served in &poisoned.apis {
        let (api, version) = *served;
        for round in 0..20 {
            let mut entropy = [0; 200];
            random.fill_bytes(&mut entropy);
            let body = RequestBody::sample(api, version, &entropy).context("served")?;
            let mut bytes = whole(&body, version)?[LENGTH_BYTES..].to_vec();
            // API, version and correlation id stay, so that an answer can be told.
            let from = CLIENT_ID_AT - LENGTH_BYTES;
            for _ in 0..round % 5 {
                match random.random_range(0..4) {
                    0 if bytes.len() > from => {
                        let at = random.random_range(from..bytes.len());
                        bytes[at] ^= 1 << random.random_range(0..8);
                    }
                    1 if bytes.len() > from => {
                        let at = random.random_range(from..bytes.len());
                        bytes[at] = random.random();
                    }
                    2 => {
                        let at = random.random_range(from..=bytes.len());
                        let end = (at + random.random_range(0..8)).min(bytes.len());
                        bytes.drain(at..end);
                    }
                    _ => {
                        let at = random.random_range(from..=bytes.len());
                        let new: [u8; 4] = random.random();
                        bytes.splice(at..at, new);
                    }
                }
            }
            cases.push(case(*served, format!("round {round}"), framed(&bytes)?, Expected::Either));
        }
    }
    poisoned.hold(cases).await?;
    poisoned.end().await
}

/// The length of a frame is refused as soon as it is known whose it is; nothing of that length is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_beyond_the_limit_are_refused_by_their_length() -> Result<()> {
    let poisoned = Poisoned::begin().await?;
    let mut cases = Vec::new();
    for served in &poisoned.apis {
        let (api, version) = *served;
        let frame = empty(api, version)?;
        // Calls have 4 MiB, batches 16 MiB.
        let least = if api == ApiKey::Produce { (16 << 20) + 1 } else { (4 << 20) + 1 };
        for length in [least, 100 << 20, i32::MAX, -1, i32::MIN, 0, 7] {
            let bytes = [&length.to_be_bytes()[..], &frame[LENGTH_BYTES..]].concat();
            cases.push(case(*served, format!("a frame of {length} bytes"), bytes, Expected::Closed));
        }
    }
    poisoned.hold(cases).await?;
    poisoned.end().await
}

/// How soon: of each API in each version, a count that lies. The shortest of several tries counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_request_of_any_api_is_refused_at_once() -> Result<()> {
    let poisoned = Poisoned::begin().await?;
    for (api, version) in &poisoned.apis {
        let frame = empty(*api, *version)?;
        let bytes = [&frame[LENGTH_BYTES..CLIENT_ID_AT], b"\x7f\xffshort"].concat();
        closes(poisoned.served.broker.kafka_address(), &format!("{api} {version}"), &framed(&bytes)?).await?;
    }
    poisoned.end().await
}

/// Byte by byte it is the same request; who takes longer than a request may is given up, however busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_at_a_time() -> Result<()> {
    let arguments = ["--request-timeout-ms", "1500", "--handshake-timeout-ms", "1500"];
    let poisoned = Poisoned::begin_with(&arguments).await?;
    let address = poisoned.served.broker.kafka_address().to_owned();
    for (api, version) in &poisoned.apis {
        let mut stream = TcpStream::connect(&address).await?;
        stream.set_nodelay(true)?;
        for byte in empty(*api, *version)? {
            stream.write_all(&[byte]).await?;
        }
        let waits = if answers_when_empty(*api) { PATIENCE } else { GIVEN_UP_AFTER };
        let answers = frames(&read_to_end(&mut stream, waits).await?.answer)?;
        ensure!(answers.len() == usize::from(answers_when_empty(*api)), "{api} {version}: {answers:?}");
    }
    let mut dripping = JoinSet::new();
    let latest = poisoned.apis.iter().filter(|(api, version)| api.served().end() == version);
    for (api, version) in latest.copied() {
        let (address, frame) = (address.clone(), whole(&texts_of(api, version)?, version)?);
        dripping.spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let begun = Instant::now();
            for byte in frame {
                if stream.write_all(&[byte]).await.is_err() || begun.elapsed() > PATIENCE {
                    break;
                }
                sleep(Duration::from_millis(100)).await;
            }
            ensure!(begun.elapsed() < PATIENCE, "{api}: still taken after {:?}", begun.elapsed());
            let rest = read_to_end(&mut stream, PATIENCE).await?;
            ensure!(rest.ended && rest.answer.is_empty(), "{api}: {rest:?}");
            anyhow::Ok(())
        });
    }
    while let Some(dripped) = dripping.join_next().await {
        dripped??;
    }
    poisoned.end().await
}

/// Long enough that it would take a minute.
fn texts_of(api: ApiKey, version: i16) -> Result<RequestBody> {
    let long = "x".repeat(600);
    match texts::saying(api, version, &long) {
        Some(body) => Ok(body),
        None => RequestBody::sample(api, version, &[1; 600]).context("served"),
    }
}

/// Ten thousand requests at once by clients that read nothing, and by one that reads everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_at_once() -> Result<()> {
    const REQUESTS: usize = 10_000;
    let poisoned = Poisoned::begin().await?;
    let address = poisoned.served.broker.kafka_address().to_owned();
    let all = RequestBody::from(MetadataRequest::default());
    let bytes: Bytes = whole(&all, 12)?.repeat(REQUESTS).into();
    let mut deaf = Vec::new();
    for _ in 0..10 {
        let mut stream = TcpStream::connect(&address).await?;
        // As much as the broker takes; it takes no more once nobody takes its answers.
        let _ = timeout(Duration::from_millis(200), stream.write_all(&bytes)).await;
        deaf.push(stream);
    }
    let mut kafka = KafkaConnection::open(&address).await?;
    kafka.call(12, &MetadataRequest::default()).await?;
    let stream = TcpStream::connect(&address).await?;
    let (mut read, mut write) = stream.into_split();
    let mut writing = JoinSet::new();
    writing.spawn(async move {
        write.write_all(&bytes).await?;
        anyhow::Ok(write)
    });
    for number in 0..REQUESTS {
        let length =
            timeout(PATIENCE, read.read_i32()).await.with_context(|| format!("answer {number}"))??;
        let mut frame = vec![0; usize::try_from(length)?];
        read.read_exact(&mut frame).await?;
    }
    writing.join_next().await.context("a writer")???;
    drop((deaf, kafka));
    poisoned.end().await
}
