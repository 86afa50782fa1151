//! The brokers, the controller and the cluster's id.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Asks for the cluster.
    pub struct DescribeClusterRequest {
        /// Whether to say what the client may do with the cluster.
        include_cluster_authorized_operations: bool,
        /// 1 asks for brokers, 2 for controllers.
        endpoint_type: i8 [1+, else refuse] = 1,
    }

    /// The cluster.
    pub struct DescribeClusterResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// What went wrong, for people.
        error_message: Option<String>,
        /// 1 lists brokers, 2 controllers.
        endpoint_type: i8 [1+] = 1,
        /// The cluster's id.
        cluster_id: String,
        /// The broker to send administrative requests to; -1 is none.
        controller_id: i32 = -1,
        /// The live brokers.
        brokers: Vec<DescribeClusterBroker>,
        /// Bits of what the client may do; the lowest number there is when it did not ask.
        cluster_authorized_operations: i32 = i32::MIN,
    }

    /// A live broker.
    pub struct DescribeClusterBroker {
        /// The broker's id.
        broker_id: i32,
        /// Where it listens.
        host: String,
        /// Where it listens.
        port: i32,
        /// Its rack, if it has one.
        rack: Option<String>,
    }
}
