//! What a group committed for some partitions is forgotten, but for topics that its members read.

use super::Call;
use crate::{
    listener::kafka::{
        error_code::Coded as _,
        names::{TopicKey, partition},
    },
    service::Refusal,
};
use cairn_proto::kafka::{
    ErrorCode,
    offset_delete::{
        OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
    },
};
use std::collections::BTreeSet;

pub(super) async fn handle(call: &Call, request: OffsetDeleteRequest) -> Result<OffsetDeleteResponse, Refusal> {
    let broker = &call.shared.broker;
    let image = broker.cluster(&call.context)?;
    broker.check_places(request.topics.iter().map(|topic| topic.partitions.len()).sum())?;
    let mut places = Vec::new();
    for topic in &request.topics {
        for wanted in &topic.partitions {
            places.push((topic.name.clone(), wanted.partition_index));
        }
    }
    let known = |(topic, index): &(String, i32)| {
        TopicKey::Name(topic).find(&image).and_then(|topic| partition(topic, *index)).map(drop)
    };
    let present = places.iter().filter(|place| known(place).is_ok()).cloned().collect();
    let refused = match broker.delete_offsets(&call.context, &request.group_id, present).await {
        Ok(refused) => refused.into_iter().collect::<BTreeSet<_>>(),
        Err(error) => return Ok(OffsetDeleteResponse { error_code: error.code(), ..Default::default() }),
    };
    let code = |place: &(String, i32)| match known(place) {
        Err(error_code) => error_code,
        Ok(()) if refused.contains(place) => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        Ok(()) => ErrorCode::NONE,
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| OffsetDeleteResponsePartition {
            partition_index: wanted.partition_index,
            error_code: code(&(topic.name.clone(), wanted.partition_index)),
        });
        OffsetDeleteResponseTopic { partitions: partitions.collect(), name: topic.name }
    });
    Ok(OffsetDeleteResponse { topics: topics.collect(), ..Default::default() })
}
