//! The producer against a broker that misbehaves on command: what the application is told agrees with the log, each record
//! stands there once and in order, and nothing waits longer than it must.

use crate::fake::{FakeBroker, Fault};
use cairn_client::{Acks, Client, Compression, Delivered, Delivery, ProduceError, Producer, Record};
use cairn_proto::v1::ErrorCode;
use std::time::Duration;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

async fn client(broker: &FakeBroker) -> Client {
    Client::builder(broker.address()).request_timeout(Duration::from_secs(5)).build().await.unwrap()
}

fn record(number: usize) -> Record {
    Record::to("t").partition(0).value(number.to_string())
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

/// One record a batch, so that faults hit single records.
async fn single(producer: &Producer, number: usize) -> Delivery {
    let delivery = producer.send(record(number)).await.unwrap();
    tokio::task::yield_now().await;
    delivery
}

async fn all(deliveries: Vec<Delivery>) -> Vec<Result<Delivered, ProduceError>> {
    let mut results = Vec::new();
    for delivery in deliveries {
        results.push(timeout(SOON, delivery).await.expect("every delivery resolves"));
    }
    results
}

#[tokio::test]
async fn records_arrive_in_order_and_know_their_offsets() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    for compression in [Compression::None, Compression::Lz4] {
        let before = broker.values("t", 0).len();
        let producer = client.producer().compression(compression).build().await.unwrap();
        let mut deliveries = Vec::new();
        for number in 0..1_000 {
            deliveries.push(producer.send(record(number)).await.unwrap());
        }
        for (number, result) in all(deliveries).await.into_iter().enumerate() {
            let delivered = result.unwrap();
            assert_eq!(delivered.offset, i64::try_from(before + number).unwrap());
            assert_eq!((&*delivered.topic, delivered.partition), ("t", 0));
        }
        assert_eq!(broker.values("t", 0)[before..], texts(1_000));
        producer.close(SOON).await.unwrap();
    }
    client.close().await;
}

#[tokio::test]
async fn refusals_lost_answers_and_lost_connections_change_nothing_but_the_time() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    let producer = client.producer().batch_bytes(1).build().await.unwrap();
    broker.next_faults(&[
        Fault::None,
        Fault::Refuse(ErrorCode::NotEnoughReplicas),
        Fault::None,
        Fault::AppendAndCut,
        Fault::AppendAndSay(ErrorCode::OutcomeUnknown),
        Fault::Cut,
        Fault::Refuse(ErrorCode::StorageFull),
        Fault::AppendAndSay(ErrorCode::NotEnoughReplicasAfterAppend),
        Fault::Refuse(ErrorCode::NotLeader),
        Fault::None,
        Fault::AppendAndCut,
    ]);
    let mut deliveries = Vec::new();
    for number in 0..200 {
        deliveries.push(single(&producer, number).await);
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    for (number, result) in all(deliveries).await.into_iter().enumerate() {
        assert_eq!(
            result.unwrap().offset,
            i64::try_from(number).unwrap(),
            "the original offset of a duplicate"
        );
    }
    assert_eq!(broker.values("t", 0), texts(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_and_comes_back_is_latency_not_an_error() {
    let mut broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    let producer = client.producer().build().await.unwrap();
    let mut deliveries = Vec::new();
    for number in 0..3_000 {
        deliveries.push(producer.send(record(number)).await.unwrap());
        if number % 600 == 599 {
            broker.restart();
        }
        if number % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    for (number, result) in all(deliveries).await.into_iter().enumerate() {
        assert_eq!(result.unwrap().offset, i64::try_from(number).unwrap());
    }
    assert_eq!(broker.values("t", 0), texts(3_000));
}

#[tokio::test]
async fn after_the_delivery_timeout_what_was_sent_is_unknown_and_what_was_not_is_not_appended() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    let options = client.producer().batch_bytes(1).delivery_timeout(Duration::from_millis(300));
    let producer = options.build().await.unwrap();
    single(&producer, 0).await.await.unwrap();
    broker.standing_fault(Some(Fault::Swallow));
    let mut deliveries = Vec::new();
    for number in 1..20 {
        deliveries.push(single(&producer, number).await);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let results = all(deliveries).await;
    let is_unknown = |result: &Result<_, _>| matches!(result, Err(ProduceError::OutcomeUnknown { .. }));
    assert!(results[..5].iter().all(is_unknown), "five batches were on their way: {results:?}");
    // The others take their places as these are given up, or never get one.
    let unknown = results.iter().filter(|result| is_unknown(result)).count();
    assert!(unknown >= broker.requests() - 1, "what a broker saw is unknown: {results:?}");
    for late in results.iter().filter(|result| !is_unknown(result)) {
        assert!(
            matches!(late, Err(error @ ProduceError::TimedOut { .. }) if error.nothing_appended()),
            "{late:?}"
        );
    }
    // The sequences that nobody used leave no trace: a new epoch begins at 0.
    broker.standing_fault(None);
    assert_eq!(timeout(SOON, single(&producer, 99).await).await.unwrap().unwrap().offset, 1);
    assert_eq!(broker.values("t", 0), ["0", "99"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_reached_a_connection_is_certainly_not_appended() {
    let mut broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    let options = client.producer().delivery_timeout(Duration::from_millis(300));
    let producer = options.build().await.unwrap();
    producer.send(record(0)).await.unwrap().await.unwrap();
    broker.kill();
    // Until the client has noticed.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let late = timeout(SOON, producer.send(record(1)).await.unwrap()).await.unwrap().unwrap_err();
    assert!(matches!(late, ProduceError::TimedOut { .. }) && late.retryable(), "{late}");
    assert!(late.to_string().contains("not appended"), "{late}");
    broker.restart();
    assert_eq!(timeout(SOON, producer.send(record(2)).await.unwrap()).await.unwrap().unwrap().offset, 1);
}

#[tokio::test]
async fn a_batch_that_is_refused_for_good_does_not_take_its_successors_with_it() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    let producer = client.producer().batch_bytes(1).build().await.unwrap();
    broker.next_faults(&[Fault::None, Fault::Refuse(ErrorCode::InvalidTimestamp)]);
    let mut deliveries = Vec::new();
    for number in 0..6 {
        deliveries.push(single(&producer, number).await);
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    let results = all(deliveries).await;
    assert!(matches!(&results[1], Err(ProduceError::InvalidRecord { .. })), "{results:?}");
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5, "{results:?}");
    assert_eq!(broker.values("t", 0), ["0", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn a_drop_resolves_everything_at_once() {
    let broker = FakeBroker::start(&[("t", 1), ("never", 1)]);
    let client = client(&broker).await;
    broker.standing_fault(Some(Fault::Swallow));
    let producer = client.producer().linger(Duration::from_secs(60)).build().await.unwrap();
    let unsent = producer.send(record(1)).await.unwrap();
    let other = client.producer().batch_bytes(1).build().await.unwrap();
    let sent = other.send(record(2)).await.unwrap();
    while broker.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop((producer, other));
    assert_eq!(timeout(SOON, unsent).await.unwrap(), Err(ProduceError::Closed));
    let sent = timeout(SOON, sent).await.unwrap();
    assert!(matches!(sent, Err(ProduceError::OutcomeUnknown { .. })), "{sent:?}");
    assert!(broker.values("t", 0).is_empty());
}

#[tokio::test]
async fn close_waits_until_the_deadline_and_refuses_afterwards() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    let producer = client.producer().linger(Duration::from_secs(60)).build().await.unwrap();
    let delivery = producer.send(record(1)).await.unwrap();
    producer.close(SOON).await.unwrap();
    assert_eq!(timeout(Duration::ZERO, delivery).await.expect("resolved by close").unwrap().offset, 0);
    assert_eq!(producer.send(record(2)).await.unwrap_err(), ProduceError::Closed);
    assert_eq!(producer.try_send(record(2)).unwrap_err(), ProduceError::Closed);

    broker.standing_fault(Some(Fault::Swallow));
    let producer = client.producer().build().await.unwrap();
    let delivery = producer.send(record(3)).await.unwrap();
    let late = producer.close(Duration::from_millis(50)).await;
    assert!(matches!(late, Err(ProduceError::TimedOut { .. })), "{late:?}");
    assert!(timeout(Duration::ZERO, delivery).await.expect("resolved by close").is_err());
}

#[tokio::test]
async fn a_full_buffer_makes_send_wait_and_try_send_refuse() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    let producer = client.producer().buffer_bytes(1_000).build().await.unwrap();
    broker.standing_fault(Some(Fault::Refuse(ErrorCode::StorageFull)));
    let large = || Record::to("t").value(vec![b'x'; 600]);
    let first = producer.send(large()).await.unwrap();
    assert!(
        matches!(producer.try_send(large()), Err(error @ ProduceError::BufferFull { .. }) if error.retryable())
    );
    assert!(timeout(Duration::from_millis(50), producer.send(large())).await.is_err(), "send waits");
    broker.standing_fault(None);
    let second = timeout(SOON, producer.send(large())).await.unwrap().unwrap();
    assert_eq!((first.await.unwrap().offset, second.await.unwrap().offset), (0, 1));
    let error = producer.send(Record::to("t").value(vec![0; 1_001])).await.unwrap_err();
    assert!(error.to_string().contains("buffer_bytes = 1000"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_at_once_and_says_why() {
    let broker = FakeBroker::start(&[("t", 2)]);
    let client = client(&broker).await;
    let options = client.producer().acks(Acks::Leader).build().await.unwrap_err();
    assert!(options.to_string().contains("idempotent(false)"), "{options}");

    let producer = client.producer().build().await.unwrap();
    let missing = timeout(SOON, producer.send(Record::to("nowhere"))).await.unwrap().unwrap_err();
    assert_eq!(missing, ProduceError::UnknownTopic { topic: "nowhere".to_owned() });
    let partition = producer.send(Record::to("t").partition(2)).await.unwrap_err();
    assert!(matches!(partition, ProduceError::UnknownPartition { partitions: 2, .. }), "{partition}");
    let large = producer.send(Record::to("t").value(vec![0; 2 << 20])).await.unwrap_err();
    assert!(large.to_string().contains("max.message.bytes = 1048576"), "{large}");
    // A topic that is created after it was missed is found.
    client.admin().create_topic(cairn_client::NewTopic::named("nowhere")).await.unwrap();
    let delivery = timeout(SOON, producer.send(Record::to("nowhere").value("here"))).await.unwrap().unwrap();
    assert_eq!(delivery.await.unwrap().offset, 0);
    // And one that is deleted ends what is pending.
    broker.standing_fault(Some(Fault::Refuse(ErrorCode::UnknownTopicOrPartition)));
    let delivery = producer.send(Record::to("nowhere").value("gone")).await.unwrap();
    client.admin().delete_topic("nowhere").await.unwrap();
    let gone = timeout(SOON, delivery).await.unwrap().unwrap_err();
    // It is unknown if it was just on its way again.
    assert!(
        matches!(gone, ProduceError::UnknownTopic { .. } | ProduceError::OutcomeUnknown { .. }),
        "{gone}"
    );
}

#[tokio::test]
async fn weaker_acknowledgements_work_without_idempotence() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    for (acks, offset) in [(Acks::Leader, 0), (Acks::None, -1)] {
        let producer = client.producer().acks(acks).idempotent(false).build().await.unwrap();
        let delivery = producer.send(record(0)).await.unwrap();
        assert_eq!(timeout(SOON, delivery).await.unwrap().unwrap().offset, offset);
        producer.close(SOON).await.unwrap();
    }
    assert_eq!(
        broker.values("t", 0).len(),
        2,
        "close waits until what nobody acknowledges is on the other side"
    );
}

#[tokio::test]
async fn nothing_outlives_a_closed_client() {
    let broker = FakeBroker::start(&[("t", 1)]);
    let client = client(&broker).await;
    broker.standing_fault(Some(Fault::Swallow));
    let producer = client.producer().build().await.unwrap();
    let pending = producer.send(record(0)).await.unwrap();
    timeout(SOON, client.close()).await.expect("close waits for its own tasks only");
    assert!(timeout(SOON, pending).await.unwrap().is_err());
    let refused = timeout(SOON, producer.send(record(1))).await.unwrap().unwrap_err();
    assert_eq!(refused, ProduceError::Closed);
}

#[tokio::test]
async fn a_key_always_goes_to_its_partition() {
    let broker = FakeBroker::start(&[("t", 10)]);
    let client = client(&broker).await;
    let producer = client.producer().build().await.unwrap();
    for _ in 0..3 {
        let delivery = producer.send(Record::to("t").key("abc").value("v")).await.unwrap();
        assert_eq!(delivery.await.unwrap().partition, 7, "where Kafka's clients put this key");
    }
}
