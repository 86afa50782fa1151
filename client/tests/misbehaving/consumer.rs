//! The consumer against a broker that misbehaves on command: nothing is skipped, nothing comes twice, errors name the
//! place, and the buffer stays bounded.

use crate::fake::FakeBroker;
use cairn_client::{Client, ConsumeError, Consumer, OutOfRange, Record, StartAt};
use cairn_proto::v1::{ErrorCode, FetchResponse};
use std::time::Duration;
use tokio::time::timeout;
use tokio_stream::StreamExt;

const SOON: Duration = Duration::from_secs(20);

async fn filled(broker: &FakeBroker, records: usize) -> Client {
    let client =
        Client::builder(broker.address()).request_timeout(Duration::from_secs(5)).build().await.unwrap();
    fill(&client, 0..records).await;
    client
}

async fn fill(client: &Client, numbers: std::ops::Range<usize>) {
    let producer = client.producer().batch_bytes(500).build().await.unwrap();
    for number in numbers {
        drop(producer.send(Record::to("t").partition(0).value(number.to_string())).await.unwrap());
    }
    producer.close(SOON).await.unwrap();
}

async fn consumer(client: &Client, start: StartAt) -> Consumer {
    client.consumer().assign("t", [0]).from(start).build().await.unwrap()
}

async fn take(consumer: &mut Consumer, count: usize) -> Vec<(i64, String)> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let record = timeout(SOON, consumer.next()).await.expect("records come").unwrap().unwrap();
        taken.push((record.offset, String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
    }
    taken
}

fn expected(numbers: std::ops::Range<usize>) -> Vec<(i64, String)> {
    numbers.map(|number| (i64::try_from(number).unwrap(), number.to_string())).collect()
}

async fn quiet(consumer: &mut Consumer) {
    let next = timeout(Duration::from_millis(30), consumer.next()).await;
    assert!(next.is_err(), "{next:?}");
}

#[tokio::test]
async fn reads_from_wherever_it_is_told() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 300).await;
    let starts = [
        (StartAt::Beginning, 0),
        (StartAt::Offset(123), 123),
        (StartAt::FromEnd(7), 293),
        (StartAt::FromEnd(999), 0),
    ];
    for (start, first) in starts {
        let mut consumer = consumer(&client, start).await;
        assert_eq!(consumer.high_watermark("t", 0), Some(300));
        assert_eq!(take(&mut consumer, 300 - first).await, expected(first..300), "{start:?}");
        assert_eq!(consumer.position("t", 0), Some(300));
    }
    let mut consumer = consumer(&client, StartAt::End).await;
    quiet(&mut consumer).await;
    fill(&client, 300..310).await;
    assert_eq!(take(&mut consumer, 10).await, expected(300..310));
    client.close().await;
    assert!(timeout(SOON, consumer.next()).await.unwrap().is_none(), "the stream ends with its client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_exactly_where_it_was_when_the_broker_comes_back() {
    let mut broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 2_000).await;
    let consumer = client.consumer().assign_all("t").from(StartAt::Beginning).buffer_bytes(2_000);
    let mut consumer = consumer.build().await.unwrap();
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.extend(take(&mut consumer, 500).await);
        broker.restart();
    }
    assert_eq!(taken, expected(0..2_000));
}

#[tokio::test]
async fn a_seek_gives_out_nothing_of_the_old_place() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 300).await;
    let mut consumer = consumer(&client, StartAt::Beginning).await;
    assert_eq!(take(&mut consumer, 5).await, expected(0..5));
    consumer.seek("t", 0, StartAt::Offset(250)).await.unwrap();
    assert_eq!(consumer.position("t", 0), Some(250));
    assert_eq!(take(&mut consumer, 50).await, expected(250..300));
    consumer.seek("t", 0, StartAt::Beginning).await.unwrap();
    assert_eq!(take(&mut consumer, 300).await, expected(0..300));
    assert!(consumer.seek("t", 1, StartAt::End).await.is_err(), "not assigned");
}

#[tokio::test]
async fn a_paused_partition_waits_and_goes_on_at_its_position() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 300).await;
    let mut consumer = consumer(&client, StartAt::Beginning).await;
    assert_eq!(take(&mut consumer, 50).await, expected(0..50));
    consumer.pause("t", 0).unwrap();
    quiet(&mut consumer).await;
    assert_eq!(consumer.position("t", 0), Some(50));
    consumer.resume("t", 0).unwrap();
    assert_eq!(take(&mut consumer, 250).await, expected(50..300));
}

#[tokio::test]
async fn runs_hold_the_same_records() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 300).await;
    let mut consumer = consumer(&client, StartAt::Offset(3)).await;
    let mut taken = take(&mut consumer, 2).await;
    while taken.len() < 297 {
        let run = timeout(SOON, consumer.next_batch()).await.unwrap().unwrap().unwrap();
        assert_eq!(consumer.position("t", 0), Some(run.next_offset()));
        for record in run {
            let record = record.unwrap();
            taken.push((record.offset, String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
        }
    }
    assert_eq!(taken, expected(3..300));
}

#[tokio::test]
async fn credit_bounds_what_is_buffered() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 5_000).await;
    let consumer = client.consumer().assign_all("t").from(StartAt::Beginning).buffer_bytes(4_000);
    let mut consumer = consumer.build().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (granted, pushed) = {
        let memory = broker.memory.lock();
        (memory.granted_bytes, memory.pushed_bytes)
    };
    assert_eq!(granted, 4_000, "nothing was taken, so nothing more was granted");
    assert!(pushed > 0 && pushed < 4_600, "one batch beyond the credit at most: {pushed}");
    assert_eq!(take(&mut consumer, 5_000).await, expected(0..5_000));
}

#[tokio::test]
async fn an_offset_out_of_range_is_an_error_unless_the_policy_says_otherwise() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 300).await;
    broker.memory.lock().topics.get_mut("t").unwrap()[0].start = 200;
    let mut strict = consumer(&client, StartAt::Offset(5)).await;
    let error = timeout(SOON, strict.next()).await.unwrap().unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            ConsumeError::OffsetOutOfRange { offset: 5, log_start: 200, high_watermark: 300, .. }
        ),
        "{error}"
    );
    quiet(&mut strict).await;
    strict.seek("t", 0, StartAt::Beginning).await.unwrap();
    assert_eq!(take(&mut strict, 100).await[0].0, 200);

    let options = || client.consumer().assign("t", [0]).from(StartAt::Offset(9_999));
    let mut earliest = options().out_of_range(OutOfRange::Earliest).build().await.unwrap();
    assert_eq!(take(&mut earliest, 1).await[0].0, 200);
    let mut latest = options().out_of_range(OutOfRange::Latest).build().await.unwrap();
    let moved = async {
        while latest.position("t", 0) != Some(300) {
            quiet(&mut latest).await;
        }
    };
    timeout(SOON, moved).await.expect("moved to the end");
}

#[tokio::test]
async fn damage_truncation_and_refusals_name_the_place_and_stop_the_partition() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 30).await;
    let fault = |code: ErrorCode| {
        let mut fault = FetchResponse { damaged_from: 3, damaged_to: 9, ..FetchResponse::default() };
        fault.set_error(code);
        broker.memory.lock().fetch_fault = Some(fault);
    };
    fault(ErrorCode::Damaged);
    let mut consumer = consumer(&client, StartAt::Beginning).await;
    let error = timeout(SOON, consumer.next()).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, ConsumeError::Damaged { damaged_from: 3, damaged_to: 9, .. }), "{error}");
    assert!(error.to_string().contains("seek to 9"), "{error}");
    quiet(&mut consumer).await;
    assert_eq!(consumer.position("t", 0), Some(0), "nothing was skipped");

    fault(ErrorCode::LogTruncated);
    consumer.seek("t", 0, StartAt::Offset(9)).await.unwrap();
    let error = timeout(SOON, consumer.next()).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, ConsumeError::LogTruncated { offset: 9, .. }), "{error}");

    // What passes by itself is not the application's business.
    fault(ErrorCode::NotLeader);
    consumer.seek("t", 0, StartAt::Offset(9)).await.unwrap();
    assert_eq!(take(&mut consumer, 21).await, expected(9..30));
}

#[tokio::test]
async fn a_corrupt_batch_is_never_given_out() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 300).await;
    {
        let mut memory = broker.memory.lock();
        let batch = &mut memory.topics.get_mut("t").unwrap()[0].batches[3];
        let mut bytes = batch.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        *batch = bytes.into();
    }
    let options = client.consumer().assign("t", [0]).from(StartAt::Beginning).buffer_bytes(600);
    let mut consumer = options.build().await.unwrap();
    let mut good = 0;
    let error = loop {
        match timeout(SOON, consumer.next()).await.unwrap().unwrap() {
            Ok(record) => {
                assert_eq!(record.offset, good);
                good += 1;
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ConsumeError::Corrupt { offset, .. } if offset == good), "{error}");
    assert_eq!(consumer.position("t", 0), Some(good));
    quiet(&mut consumer).await;
}

#[tokio::test]
async fn what_does_not_exist_is_said_at_build() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 1).await;
    let missing = client.consumer().assign_all("nowhere").build().await.unwrap_err();
    assert_eq!(missing, ConsumeError::UnknownTopic { topic: "nowhere".to_owned() });
    let partition = client.consumer().assign("t", [1]).build().await.unwrap_err();
    assert!(matches!(partition, ConsumeError::UnknownPartition { partitions: 1, .. }), "{partition}");
    assert!(matches!(client.consumer().build().await, Err(ConsumeError::InvalidOptions(_))));
}

#[tokio::test]
async fn a_topic_that_is_deleted_is_an_error_not_silence() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = filled(&broker, 3).await;
    let mut consumer = consumer(&client, StartAt::Beginning).await;
    assert_eq!(take(&mut consumer, 3).await, expected(0..3));
    client.admin().delete_topic("t").await.unwrap();
    let error = timeout(SOON, consumer.next()).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error, ConsumeError::UnknownTopic { topic: "t".to_owned() });
}
