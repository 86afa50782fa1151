//! Fetch sessions (KIP-227): a client that reads many partitions names them once, and then only what changes; it is
//! answered with those that have something to say. Pure but for one lock, which is held for no longer than a look.
//!
//! What always holds: a session is used by one request at a time, since that request takes it out and puts it back; one
//! that is lost on the way costs its client one full request. There are never more sessions, nor more partitions in
//! them, than the limits say: beyond them a client is answered without a session.

use crate::{clock::Monotonic, metadata::TOPIC_NAME_LENGTH_MAX};
use cairn_proto::kafka::{
    ErrorCode,
    fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData},
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use uuid::Uuid;

/// Sessions at a time.
const SESSIONS_MAX: usize = 1000;
/// Partitions of all sessions together.
const PARTITIONS_MAX: usize = 200_000;
/// A session may make room for another when it was not used for this long.
const UNUSED: Duration = Duration::from_secs(120);
/// No session.
const NO_SESSION: i32 = 0;
/// The epoch of a request outside of any session, which also ends the one that it names.
const OUTSIDE: i32 = -1;
/// The epoch of a request that wants a new session.
const FIRST: i32 = 0;

/// A partition as one client reads it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Empty where topics are named by id.
    pub(super) topic: String,
    /// Zero where topics are named by name.
    pub(super) topic_id: Uuid,
    pub(super) wanted: FetchPartition,
    told: Option<Told>,
}

/// What the client was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    high_watermark: i64,
    log_start_offset: i64,
}

type EntryKey<'a> = (&'a str, Uuid, i32);

impl Entry {
    fn new(topic: &FetchTopic, wanted: &FetchPartition) -> Self {
        let (topic, topic_id) = (topic.topic.clone(), topic.topic_id);
        Self { topic, topic_id, wanted: wanted.clone(), told: None }
    }

    fn key(&self) -> EntryKey<'_> {
        (&self.topic, self.topic_id, self.wanted.partition)
    }
}

/// What one request is about.
#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) entries: Vec<Entry>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Outside,
    /// A session is wanted.
    First,
    /// The session, and the epoch of this request in it.
    Within(i32, i32),
}

#[derive(Debug)]
struct Session {
    /// Of the next request.
    epoch: i32,
    by_id: bool,
    entries: Vec<Entry>,
    used: Monotonic,
}

/// The sessions of all clients.
#[derive(Debug, Default)]
pub(super) struct FetchSessions {
    sessions: Mutex<HashMap<i32, Session>>,
}

impl FetchSessions {
    /// The partitions that a request is about, by itself or with what its session knows.
    ///
    /// # Errors
    /// There is no such session, or it is not where the client thinks it is.
    pub(super) fn begin(&self, request: &FetchRequest, by_id: bool) -> Result<Fetching, ErrorCode> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        if epoch == OUTSIDE || epoch == FIRST {
            self.sessions.lock().remove(&id);
            let kind = if epoch == FIRST { Kind::First } else { Kind::Outside };
            return Ok(Fetching { entries: entries(request).collect(), kind });
        }
        let mut sessions = self.sessions.lock();
        let session = sessions.get(&id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        let session = sessions.remove(&id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        drop(sessions);
        let mut known = session.entries;
        change(&mut known, request);
        Ok(Fetching { entries: known, kind: Kind::Within(id, epoch) })
    }

    /// Keeps the session for its next request. The session's number, and what is to be told, in the order in which it was
    /// read.
    pub(super) fn finish(
        &self,
        fetching: Fetching,
        answers: Vec<PartitionData>,
        by_id: bool,
        now: Monotonic,
    ) -> (i32, Vec<(Entry, PartitionData)>) {
        let Fetching { mut entries, kind } = fetching;
        let within = matches!(kind, Kind::Within(..));
        let mut answered = Vec::new();
        let (mut with_records, mut without) = (Vec::new(), Vec::new());
        for (mut entry, answer) in entries.drain(..).zip(answers) {
            let told =
                Told { high_watermark: answer.high_watermark, log_start_offset: answer.log_start_offset };
            let has_records = answer.records.as_ref().is_some_and(|records| !records.is_empty());
            let failed = !answer.error_code.is_none() || answer.diverging_epoch.end_offset >= 0;
            let news = entry.told.replace(told) != Some(told);
            // An error is told again and again, until the client does something about it.
            if !within || has_records || failed || news {
                answered.push((entry.clone(), answer));
            }
            if has_records { with_records.push(entry) } else { without.push(entry) }
        }
        // Who got something comes last the next time, so that everybody gets something.
        without.append(&mut with_records);
        let session = |epoch| Session { epoch, by_id, entries: without, used: now };
        let id = match kind {
            Kind::Outside => NO_SESSION,
            Kind::First => self.keep(None, session(1)),
            Kind::Within(id, epoch) => self.keep(Some(id), session(epoch.checked_add(1).unwrap_or(1))),
        };
        (id, answered)
    }

    /// The number under which the session is kept; 0 when there is no room for it, or nothing in it (any more).
    fn keep(&self, id: Option<i32>, session: Session) -> i32 {
        let mut sessions = self.sessions.lock();
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used);
            let unused =
                oldest.filter(|(_, other)| session.used.since(other.used) >= UNUSED).map(|(id, _)| *id);
            let Some(unused) = unused else { return NO_SESSION };
            sessions.remove(&unused);
        }
        let partitions: usize = sessions.values().map(|session| session.entries.len()).sum();
        let nothing = session.entries.is_empty();
        // Longer names are no topic's; they are answered, and not remembered.
        let too_long = session.entries.iter().any(|entry| entry.topic.len() > TOPIC_NAME_LENGTH_MAX);
        if nothing || too_long || partitions.saturating_add(session.entries.len()) > PARTITIONS_MAX {
            return NO_SESSION;
        }
        let id = id.unwrap_or_else(|| unused_id(&sessions));
        sessions.insert(id, session);
        id
    }
}

fn entries(request: &FetchRequest) -> impl Iterator<Item = Entry> + '_ {
    request.topics.iter().flat_map(|topic| topic.partitions.iter().map(|wanted| Entry::new(topic, wanted)))
}

/// Takes over what a request changes in its session.
fn change(known: &mut Vec<Entry>, request: &FetchRequest) {
    let forgotten = request.forgotten_topics_data.iter();
    let forgotten: HashSet<EntryKey<'_>> = forgotten
        .flat_map(|topic| topic.partitions.iter().map(|index| (topic.topic.as_str(), topic.topic_id, *index)))
        .collect();
    if !forgotten.is_empty() {
        known.retain(|entry| !forgotten.contains(&entry.key()));
    }
    if request.topics.is_empty() {
        return;
    }
    let mut added = Vec::new();
    let places: HashMap<(String, Uuid, i32), usize> = (0..)
        .zip(known.iter())
        .map(|(place, entry)| ((entry.topic.clone(), entry.topic_id, entry.wanted.partition), place))
        .collect();
    for entry in entries(request) {
        let key = (entry.topic.clone(), entry.topic_id, entry.wanted.partition);
        match places.get(&key).and_then(|place| known.get_mut(*place)) {
            Some(present) => present.wanted = entry.wanted,
            None => added.push(entry),
        }
    }
    known.append(&mut added);
}

/// Nobody can guess another client's.
fn unused_id(sessions: &HashMap<i32, Session>) -> i32 {
    loop {
        let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
        let id = i32::from_be_bytes([a, b, c, d]) & i32::MAX;
        if id != NO_SESSION && !sessions.contains_key(&id) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests;
