//! The data directory: its file system, and how many bytes each partition has in it.

use super::Call;
use crate::{ids::PartitionIndex, service::Refusal};
use cairn_proto::kafka::{
    ErrorCode,
    describe_log_dirs::{
        DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
        DescribeLogDirsTopic,
    },
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn handle(
    call: &Call,
    request: DescribeLogDirsRequest,
) -> Result<DescribeLogDirsResponse, Refusal> {
    let asked = request.topics.map(|topics| {
        let mut asked: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for topic in topics {
            let partitions = topic.partitions.into_iter().filter_map(|index| u32::try_from(index).ok());
            asked.entry(topic.topic).or_default().extend(partitions);
        }
        asked
    });
    let wanted = move |topic: &str, partition: PartitionIndex| match &asked {
        None => true,
        Some(asked) => asked.get(topic).is_some_and(|partitions| partitions.contains(&partition.get())),
    };
    let directory = call.shared.broker.directory_size(&call.context, wanted).await?;
    let mut topics: Vec<DescribeLogDirsTopic> = Vec::new();
    for ((name, partition), bytes) in directory.partitions {
        let one = DescribeLogDirsPartition {
            partition_index: i32::try_from(partition.get()).unwrap_or(i32::MAX),
            partition_size: signed(bytes),
            // The only replica is never behind itself.
            offset_lag: 0,
            is_future_key: false,
        };
        match topics.last_mut() {
            Some(topic) if topic.name == name => topic.partitions.push(one),
            _ => topics.push(DescribeLogDirsTopic { name, partitions: vec![one] }),
        }
    }
    let unknown_or = |bytes: Option<u64>| bytes.map_or(-1, signed);
    let result = DescribeLogDirsResult {
        error_code: directory.problem.map_or(ErrorCode::NONE, |_| ErrorCode::KAFKA_STORAGE_ERROR),
        log_dir: directory.path.display().to_string(),
        topics,
        total_bytes: unknown_or(directory.total_bytes),
        usable_bytes: unknown_or(directory.free_bytes),
    };
    Ok(DescribeLogDirsResponse { results: vec![result], ..Default::default() })
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
