//! The checker finds each anomaly when it is planted into a good history, finds nothing in the good one, and what is
//! indeterminate may go either way.

use super::*;

const PARTITIONS: u32 = 2;

fn id(producer: u32, number: u64) -> RecordId {
    RecordId { producer, number }
}

fn content(id: RecordId) -> (Option<RecordId>, u64) {
    let value = value_of(id, 40);
    (identify(&value), digest(Some(b"key"), Some(&value)))
}

/// Two producers, six acknowledged records each, three a partition; read to the end by one consumer.
fn good() -> History {
    let recorder = Recorder::default();
    let mut reading = Reading::default();
    for number in 0..6 {
        for producer in 0..2 {
            let id = id(producer, number);
            let partition = u32::try_from(number).expect("small") % PARTITIONS;
            let offset = i64::try_from(number).expect("small") / 2 * 2 + i64::from(producer);
            let (seen_id, digest) = content(id);
            let send = recorder.sending(id, Some(partition), digest);
            recorder.resolved(send, Outcome::Acknowledged { partition, offset });
            reading.seen.push(Seen { partition, offset, id: seen_id, digest });
        }
    }
    reading.seen.sort_by_key(|seen| (seen.partition, seen.offset));
    reading.read_to = (0..PARTITIONS).map(|partition| (partition, 6)).collect();
    recorder.read(reading);
    recorder.history()
}

fn reading(history: &mut History) -> &mut Reading {
    history.readings.first_mut().expect("one reading")
}

/// The place in `seen` of the record at (0, offset).
fn at(history: &History, offset: i64) -> usize {
    let seen = &history.readings[0].seen;
    seen.iter().position(|seen| seen.partition == 0 && seen.offset == offset).expect("is there")
}

fn send_of(history: &mut History, id: RecordId) -> &mut Send {
    history.sends.iter_mut().find(|send| send.id == id).expect("was sent")
}

#[test]
fn a_good_history_has_no_anomaly() {
    assert_eq!(check(&good()), []);
    assert_eq!(check(&History::default()), []);
}

#[test]
fn a_lost_write_is_found() {
    let mut history = good();
    let lost = at(&history, 5);
    reading(&mut history).seen.remove(lost);
    assert_eq!(check(&history), [Anomaly::LostWrite { id: id(1, 4), acknowledged: (0, 5) }]);
}

#[test]
fn an_acknowledged_record_that_nobody_looked_for_is_found() {
    let mut history = good();
    let unseen = at(&history, 5);
    reading(&mut history).seen.remove(unseen);
    reading(&mut history).read_to.insert(0, 5);
    assert_eq!(check(&history), [Anomaly::Unseen { id: id(1, 4), acknowledged: (0, 5) }]);
    reading(&mut history).read_to.clear();
    assert_eq!(check(&history).len(), 1);
}

#[test]
fn a_duplicate_is_found_even_of_an_unknown_outcome() {
    let mut history = good();
    let first = at(&history, 0);
    let again = Seen { offset: 6, ..history.readings[0].seen[first] };
    let end = at(&history, 5) + 1;
    reading(&mut history).seen.insert(end, again);
    let duplicate = Anomaly::Duplicate { id: id(0, 0), places: vec![(0, 0), (0, 6)] };
    assert!(check(&history).contains(&duplicate), "{:?}", check(&history));
    send_of(&mut history, id(0, 0)).outcome = Outcome::Unknown;
    assert!(check(&history).contains(&duplicate), "{:?}", check(&history));
}

#[test]
fn a_phantom_is_found() {
    let mut history = good();
    let index = at(&history, 2);
    reading(&mut history).seen[index].digest ^= 1;
    assert_eq!(check(&history), [Anomaly::Phantom { place: (0, 2), id: Some(id(0, 2)) }]);
    let mut history = good();
    let (never_sent, digest) = content(id(7, 7));
    reading(&mut history).seen.push(Seen { partition: 1, offset: 6, id: never_sent, digest });
    assert_eq!(check(&history), [Anomaly::Phantom { place: (1, 6), id: Some(id(7, 7)) }]);
    reading(&mut history).seen.last_mut().expect("pushed").id = None;
    assert_eq!(check(&history), [Anomaly::Phantom { place: (1, 6), id: None }]);
}

#[test]
fn a_misrouted_record_is_found() {
    let mut history = good();
    send_of(&mut history, id(1, 3)).partition = Some(0);
    assert_eq!(check(&history), [Anomaly::Misrouted { id: id(1, 3), wanted: 0, place: (1, 3) }]);
}

#[test]
fn an_inconsistent_offset_is_found() {
    let mut history = good();
    let mut other = history.readings[0].clone();
    let (first, second) = (at(&history, 2), at(&history, 3));
    (other.seen[first].id, other.seen[second].id) = (other.seen[second].id, other.seen[first].id);
    (other.seen[first].digest, other.seen[second].digest) =
        (other.seen[second].digest, other.seen[first].digest);
    history.readings.push(other);
    let expected = Anomaly::InconsistentOffset { place: (0, 2), ids: vec![Some(id(0, 2)), Some(id(1, 2))] };
    assert!(check(&history).contains(&expected), "{:?}", check(&history));
}

#[test]
fn two_acknowledgements_of_one_offset_are_found() {
    let mut history = good();
    send_of(&mut history, id(0, 2)).outcome = Outcome::Acknowledged { partition: 0, offset: 3 };
    let expected = Anomaly::InconsistentOffset { place: (0, 3), ids: vec![Some(id(0, 2)), Some(id(1, 2))] };
    assert!(check(&history).contains(&expected), "{:?}", check(&history));
}

#[test]
fn a_producers_records_out_of_order_are_found() {
    let mut history = good();
    for (number, offset) in [(2, 4), (4, 2)] {
        send_of(&mut history, id(0, number)).outcome = Outcome::Acknowledged { partition: 0, offset };
        let (record, digest) = content(id(0, number));
        let index = at(&history, offset);
        reading(&mut history).seen[index] = Seen { partition: 0, offset, id: record, digest };
    }
    let expected = Anomaly::OutOfOrder {
        earlier: id(0, 2),
        earlier_place: (0, 4),
        later: id(0, 4),
        later_place: (0, 2),
    };
    assert_eq!(check(&history), [expected]);
}

#[test]
fn a_poll_that_skips_is_found() {
    let mut history = good();
    let mut other = history.readings[0].clone();
    other.seen.remove(at(&history, 2));
    history.readings.push(other);
    assert_eq!(check(&history), [Anomaly::PollSkip { consumer: 1, after: (0, 1), next: (0, 3) }]);
}

#[test]
fn a_poll_that_goes_back_is_found() {
    let mut history = good();
    let mut other = history.readings[0].clone();
    let (first, second) = (at(&history, 2), at(&history, 3));
    other.seen.swap(first, second);
    history.readings.push(other);
    let back = Anomaly::NonMonotonicPoll { consumer: 1, after: (0, 3), next: (0, 2) };
    assert!(check(&history).contains(&back), "{:?}", check(&history));
}

#[test]
fn a_definite_failure_that_is_present_is_found() {
    let mut history = good();
    send_of(&mut history, id(0, 0)).outcome = Outcome::Failed;
    assert_eq!(check(&history), [Anomaly::FailedButPresent { id: id(0, 0), place: (0, 0) }]);
}

#[test]
fn an_unknown_outcome_may_be_there_or_not() {
    let mut history = good();
    send_of(&mut history, id(1, 4)).outcome = Outcome::Unknown;
    assert_eq!(check(&history), []);
    let last = at(&history, 5);
    reading(&mut history).seen.remove(last);
    assert_eq!(check(&history), []);
}

#[test]
fn a_value_says_what_it_is_and_nothing_else_does() {
    for bytes in [0, 5, 40, 1000] {
        assert_eq!(identify(&value_of(id(3, 1_000_007), bytes)), Some(id(3, 1_000_007)));
    }
    let mut value = value_of(id(3, 9), 100);
    for index in 0..value.len() {
        value[index] ^= 1;
        assert_ne!(identify(&value), Some(id(3, 9)), "byte {index}");
        value[index] ^= 1;
    }
    assert_eq!(identify(b"hello"), None);
    assert_eq!(identify(b""), None);
}
