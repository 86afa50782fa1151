//! Says what of a recorded history was not allowed to happen. Pure: the same history gives the same answer.
//!
//! Without transactions and compaction a log has no gaps, so what was seen or acknowledged between two offsets that a
//! consumer was given one after the other was skipped.

use super::{Anomaly, History, Outcome, Reading, RecordId, Seen, Send};
use std::collections::{BTreeMap, BTreeSet, HashMap};

type Place = (u32, i64);

/// Every anomaly of a history. Empty: nothing is wrong with it.
pub fn check(history: &History) -> Vec<Anomaly> {
    let known = Known::of(history);
    let mut anomalies = Vec::new();
    anomalies.extend(lost_and_unseen(history, &known));
    anomalies.extend(not_sent_like_this(history, &known));
    anomalies.extend(duplicates(&known));
    anomalies.extend(inconsistent_offsets(&known));
    anomalies.extend(out_of_order(&known));
    for (consumer, reading) in history.readings.iter().enumerate() {
        anomalies.extend(polls_in_disorder(consumer, reading, &known));
    }
    anomalies
}

/// The history, arranged by record and by place.
struct Known {
    sends: HashMap<RecordId, Send>,
    places: BTreeMap<RecordId, BTreeSet<Place>>,
    records: BTreeMap<Place, BTreeSet<Option<RecordId>>>,
}

impl Known {
    fn of(history: &History) -> Self {
        let mut sends = HashMap::new();
        let mut places: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let mut records: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for send in &history.sends {
            assert!(
                sends.insert(send.id, *send).is_none(),
                "{:?} was sent twice by the test itself",
                send.id
            );
            if let Outcome::Acknowledged { partition, offset } = send.outcome {
                places.entry(send.id).or_default().insert((partition, offset));
                records.entry((partition, offset)).or_default().insert(Some(send.id));
            }
        }
        for seen in seen_by_all(history) {
            records.entry(place_of(seen)).or_default().insert(seen.id);
            if let Some(id) = seen.id {
                places.entry(id).or_default().insert(place_of(seen));
            }
        }
        Self { sends, places, records }
    }
}

fn seen_by_all(history: &History) -> impl Iterator<Item = &Seen> {
    history.readings.iter().flat_map(|reading| &reading.seen)
}

fn place_of(seen: &Seen) -> Place {
    (seen.partition, seen.offset)
}

fn lost_and_unseen(history: &History, known: &Known) -> Vec<Anomaly> {
    let seen: BTreeSet<(Place, Option<RecordId>)> =
        seen_by_all(history).map(|seen| (place_of(seen), seen.id)).collect();
    let read_to = |partition: u32| {
        history.readings.iter().filter_map(|reading| reading.read_to.get(&partition)).copied().max()
    };
    let mut sends: Vec<_> = known.sends.values().collect();
    sends.sort_by_key(|send| send.id);
    let mut anomalies = Vec::new();
    for send in sends {
        let Outcome::Acknowledged { partition, offset } = send.outcome else { continue };
        let (id, acknowledged) = (send.id, (partition, offset));
        if seen.contains(&(acknowledged, Some(id))) {
            continue;
        }
        if read_to(partition).is_some_and(|end| end > offset) {
            anomalies.push(Anomaly::LostWrite { id, acknowledged });
        } else {
            anomalies.push(Anomaly::Unseen { id, acknowledged });
        }
    }
    anomalies
}

fn not_sent_like_this(history: &History, known: &Known) -> Vec<Anomaly> {
    let mut anomalies = Vec::new();
    let mut told = BTreeSet::new();
    for seen in seen_by_all(history) {
        let place = place_of(seen);
        if !told.insert((place, seen.id, seen.digest)) {
            continue;
        }
        let Some(send) =
            seen.id.and_then(|id| known.sends.get(&id)).filter(|send| send.digest == seen.digest)
        else {
            anomalies.push(Anomaly::Phantom { place, id: seen.id });
            continue;
        };
        if let Some(wanted) = send.partition.filter(|wanted| *wanted != seen.partition) {
            anomalies.push(Anomaly::Misrouted { id: send.id, wanted, place });
        }
        if send.outcome == Outcome::Failed {
            anomalies.push(Anomaly::FailedButPresent { id: send.id, place });
        }
    }
    anomalies
}

fn duplicates(known: &Known) -> Vec<Anomaly> {
    let twice = known.places.iter().filter(|(_, places)| places.len() > 1);
    twice
        .map(|(id, places)| Anomaly::Duplicate { id: *id, places: places.iter().copied().collect() })
        .collect()
}

fn inconsistent_offsets(known: &Known) -> Vec<Anomaly> {
    let several = known.records.iter().filter(|(_, ids)| ids.len() > 1);
    several
        .map(|(place, ids)| Anomaly::InconsistentOffset { place: *place, ids: ids.iter().copied().collect() })
        .collect()
}

/// Walks each partition by offset and remembers the newest record of each producer.
fn out_of_order(known: &Known) -> Vec<Anomaly> {
    let mut newest: HashMap<(u32, u32), (RecordId, Place)> = HashMap::new();
    let mut anomalies = Vec::new();
    for (place, ids) in &known.records {
        for id in ids.iter().flatten() {
            let entry = newest.entry((place.0, id.producer)).or_insert((*id, *place));
            if id.number < entry.0.number {
                anomalies.push(Anomaly::OutOfOrder {
                    earlier: *id,
                    earlier_place: *place,
                    later: entry.0,
                    later_place: entry.1,
                });
            } else {
                *entry = (*id, *place);
            }
        }
    }
    anomalies
}

fn polls_in_disorder(consumer: usize, reading: &Reading, known: &Known) -> Vec<Anomaly> {
    let mut last: HashMap<u32, i64> = HashMap::new();
    let mut anomalies = Vec::new();
    for seen in &reading.seen {
        let next = place_of(seen);
        let Some(before) = last.insert(seen.partition, seen.offset) else { continue };
        let after = (seen.partition, before);
        if seen.offset <= before {
            anomalies.push(Anomaly::NonMonotonicPoll { consumer, after, next });
        } else if known.records.range((seen.partition, before + 1)..next).next().is_some() {
            anomalies.push(Anomaly::PollSkip { consumer, after, next });
        }
    }
    anomalies
}
