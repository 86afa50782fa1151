//! Bodies for fuzzing: any bytes in, nothing out, and no way to panic. What decodes says the same when it is encoded and
//! decoded again. Each answers whether anything decoded. Property tests and fuzz targets call them.

use super::{ClusterState, Command, snapshot};

/// Bytes as a snapshot file; also with its head put right, so that the JSON is read too.
pub fn metadata_snapshot(data: &[u8]) -> bool {
    let mut decoded = false;
    let json = data.get(snapshot::HEADER_BYTES..).unwrap_or_default();
    for file in [data.to_vec(), snapshot::file_of(json), snapshot::file_of(data)] {
        if let Ok(state) = snapshot::decode(&file) {
            comes_back(&state);
            decoded = true;
        }
    }
    decoded
}

/// Bytes as a logged command. One that decodes is applied or refused, and the state that it leads to can be stored.
pub fn metadata_command(data: &[u8]) -> bool {
    let Ok(command) = Command::decode(data) else { return false };
    let again = Command::decode(&command.encode());
    assert_eq!(again.ok().as_ref(), Some(&command), "a command says the same after a round trip");
    let mut state = sample_state();
    let index = state.index.next();
    if state.apply(index, &command).is_ok() {
        comes_back(&state);
    }
    true
}

/// The file of a state with a broker, a topic and a deleted one, to be spoilt.
pub fn sample_snapshot() -> Vec<u8> {
    snapshot::file_of(SAMPLE.as_bytes())
}

const SAMPLE: &str = r#"{
    "cluster": "00000000-0000-0000-0000-000000000001",
    "index": 7, "feature_level": 1, "next_log": 4, "next_producer": 10,
    "brokers": {"3": {
        "epoch": 2, "incarnation": "00000000-0000-0000-0000-000000000002",
        "endpoints": {"grpc": "127.0.0.1:9095"}, "fenced": false, "shutting_down": false,
        "directories": ["00000000-0000-0000-0000-000000000004"], "disk_epoch": 2, "logs_created_below": 4
    }},
    "topics": [{
        "id": "00000000-0000-0000-0000-000000000005", "name": "one", "replication_factor": 1,
        "configs": {"retention.ms": "7"},
        "partitions": [
            {"log": 1, "replicas": [3], "isr": [3], "last_known_leader": 3, "leader": 3, "leader_epoch": 0,
             "partition_epoch": 0, "min_isr": 1},
            {"log": 3, "replicas": [3], "isr": [3], "last_known_leader": 3, "leader": 3, "leader_epoch": 1,
             "partition_epoch": 2, "min_isr": 1}
        ]
    }],
    "deleted": [{
        "id": "00000000-0000-0000-0000-000000000006", "name": "two", "index": 6, "logs": [2], "remaining": [3]
    }]
}"#;

fn sample_state() -> ClusterState {
    match snapshot::decode(&sample_snapshot()) {
        Ok(state) => state,
        Err(problem) => panic!("the sample is a state: {problem:?}"),
    }
}

fn comes_back(state: &ClusterState) {
    let again = snapshot::decode(&snapshot::encode(state));
    assert_eq!(again.as_ref(), Ok(state), "a state says the same after a round trip");
}
