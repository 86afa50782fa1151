//! The brokers and the cluster's id, for administrators.

use super::Call;
use crate::{
    listener::kafka::names::{broker_number, cluster_id, kafka_brokers},
    service::Refusal,
};
use cairn_proto::kafka::{
    ErrorCode,
    describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse},
};

/// What the request calls an endpoint of brokers, and one of controllers.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;
/// Create, alter, describe, cluster action, describe and alter configs, idempotent write: everything that the cluster
/// knows, since nobody is refused.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

#[expect(clippy::unused_async, reason = "handlers are called alike")]
pub(super) async fn handle(
    call: &Call,
    request: DescribeClusterRequest,
) -> Result<DescribeClusterResponse, Refusal> {
    let broker = &call.shared.broker;
    let image = broker.cluster(&call.context)?;
    let refused = |error_code, message: &str| {
        let error_message = Some(message.to_owned());
        Ok(DescribeClusterResponse { error_code, error_message, ..Default::default() })
    };
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => return refused(ErrorCode::MISMATCHED_ENDPOINT_TYPE, "this is an endpoint of brokers"),
        _ => return refused(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, "there are no endpoints of this type"),
    }
    let brokers = kafka_brokers(&image).map(|(broker_id, record, host, port)| {
        let rack = record.rack.clone();
        DescribeClusterBroker { broker_id, host, port, rack }
    });
    let mut response = DescribeClusterResponse {
        cluster_id: cluster_id(&image),
        controller_id: broker_number(broker.id()),
        brokers: brokers.collect(),
        ..Default::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_the_bits_of_their_numbers() {
        let [create, alter, describe, cluster_action, describe_configs, alter_configs, idempotent_write] =
            [5, 7, 8, 9, 10, 11, 12];
        let operations =
            [create, alter, describe, cluster_action, describe_configs, alter_configs, idempotent_write];
        assert_eq!(CLUSTER_OPERATIONS, operations.iter().map(|bit| 1 << bit).sum::<i32>());
    }
}
