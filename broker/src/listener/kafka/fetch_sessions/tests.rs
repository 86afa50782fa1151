//! Sessions as a client drives them.

use super::*;
use bytes::Bytes;
use cairn_proto::kafka::fetch::ForgottenTopic;

const NOW: Monotonic = Monotonic(Duration::ZERO);

fn request(session_id: i32, session_epoch: i32, partitions: &[(i32, i64)]) -> FetchRequest {
    let one = |(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition: *partition,
        fetch_offset: *fetch_offset,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: "t".into(),
        partitions: partitions.iter().map(one).collect(),
        ..Default::default()
    };
    let topics = if partitions.is_empty() { Vec::new() } else { vec![topic] };
    FetchRequest { session_id, session_epoch, topics, ..Default::default() }
}

fn empty(partition_index: i32, high_watermark: i64) -> PartitionData {
    PartitionData { partition_index, high_watermark, records: Some(Bytes::new()), ..Default::default() }
}

/// Answers every partition with its high watermark, and records for one of them; what was told, by partition.
fn answer(sessions: &FetchSessions, fetching: Fetching, end: i64, records: Option<i32>) -> (i32, Vec<i32>) {
    let one = |entry: &Entry| {
        let partition = entry.wanted.partition;
        let mut data = empty(partition, end);
        if records == Some(partition) {
            data.records = Some(Bytes::from_static(b"records"));
        }
        data
    };
    let answers = fetching.entries.iter().map(one).collect();
    let (id, told) = sessions.finish(fetching, answers, false, NOW);
    (id, told.into_iter().map(|(_, data)| data.partition_index).collect())
}

#[test]
fn a_session_remembers_its_partitions_and_tells_what_is_new() {
    let sessions = FetchSessions::default();
    let fetching = sessions.begin(&request(0, FIRST, &[(0, 0), (1, 0), (2, 0)]), false).expect("new");
    let (id, told) = answer(&sessions, fetching, 5, None);
    assert!(id > 0);
    assert_eq!(told, [0, 1, 2]);

    let fetching = sessions.begin(&request(id, 1, &[]), false).expect("known");
    assert_eq!(answer(&sessions, fetching, 5, Some(0)), (id, vec![0]));
    // Partition 0 got something: its turn is last now.
    let fetching = sessions.begin(&request(id, 2, &[(0, 7)]), false).expect("known");
    let order: Vec<_> =
        fetching.entries.iter().map(|entry| (entry.wanted.partition, entry.wanted.fetch_offset)).collect();
    assert_eq!(order, [(1, 0), (2, 0), (0, 7)]);
    assert_eq!(answer(&sessions, fetching, 6, None), (id, vec![1, 2, 0]));

    let mut changed = request(id, 3, &[(9, 0)]);
    let forgotten = ForgottenTopic { topic: "t".into(), partitions: vec![1, 2], ..Default::default() };
    changed.forgotten_topics_data = vec![forgotten];
    let fetching = sessions.begin(&changed, false).expect("known");
    assert_eq!(answer(&sessions, fetching, 6, None), (id, vec![9]));
}

#[test]
fn who_is_not_where_the_session_is_hears_of_it() {
    let sessions = FetchSessions::default();
    let refused = |request: &FetchRequest, by_id| sessions.begin(request, by_id).expect_err("refused");
    assert_eq!(refused(&request(7, 1, &[]), false), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    let fetching = sessions.begin(&request(0, FIRST, &[(0, 0)]), false).expect("new");
    let (id, _) = answer(&sessions, fetching, 0, None);
    assert_eq!(refused(&request(id, 2, &[]), false), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(refused(&request(id, 1, &[]), true), ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    // Taken out by one request, it is nobody else's; what is not put back is gone.
    let _taken = sessions.begin(&request(id, 1, &[]), false).expect("known");
    assert_eq!(refused(&request(id, 1, &[]), false), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn an_ended_session_and_a_request_outside_of_any() {
    let sessions = FetchSessions::default();
    let fetching = sessions.begin(&request(0, FIRST, &[(0, 0)]), false).expect("new");
    let (id, _) = answer(&sessions, fetching, 0, None);
    let fetching = sessions.begin(&request(id, OUTSIDE, &[(0, 0)]), false).expect("outside");
    assert_eq!(answer(&sessions, fetching, 0, None), (NO_SESSION, vec![0]));
    assert!(sessions.sessions.lock().is_empty());
}

#[test]
fn beyond_the_limits_there_is_no_session() {
    let sessions = FetchSessions::default();
    for _ in 0..SESSIONS_MAX {
        let fetching = sessions.begin(&request(0, FIRST, &[(0, 0)]), false).expect("new");
        assert!(answer(&sessions, fetching, 0, None).0 > 0);
    }
    let fetching = sessions.begin(&request(0, FIRST, &[(0, 0)]), false).expect("new");
    assert_eq!(answer(&sessions, fetching, 0, None), (NO_SESSION, vec![0]));
    // One that was not used for long makes room.
    let fetching = sessions.begin(&request(0, FIRST, &[(0, 0)]), false).expect("new");
    let (id, _) = sessions.finish(fetching, vec![empty(0, 0)], false, Monotonic(UNUSED));
    assert!(id > 0);
    assert_eq!(sessions.sessions.lock().len(), SESSIONS_MAX);

    let sessions = FetchSessions::default();
    let many: Vec<_> = (0..).map(|index| (index, 0)).take(PARTITIONS_MAX + 1).collect();
    let fetching = sessions.begin(&request(0, FIRST, &many), false).expect("new");
    assert_eq!(answer(&sessions, fetching, 0, None).0, NO_SESSION);
}

#[test]
fn an_error_is_told_until_something_is_done_about_it() {
    let sessions = FetchSessions::default();
    let fetching = sessions.begin(&request(0, FIRST, &[(0, 0)]), false).expect("new");
    let (id, _) = answer(&sessions, fetching, 0, None);
    for epoch in 1..4 {
        let fetching = sessions.begin(&request(id, epoch, &[]), false).expect("known");
        let data = PartitionData { error_code: ErrorCode::OFFSET_OUT_OF_RANGE, ..empty(0, -1) };
        assert_eq!(sessions.finish(fetching, vec![data], false, NOW).1.len(), 1);
    }
}
