//! Gives a producer the id and epoch that make its sends idempotent.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Asks for an id, or for a new epoch of the one the producer has.
    pub struct InitProducerIdRequest {
        /// The producer's name across restarts; null without transactions.
        transactional_id: Option<String>,
        /// When an unfinished transaction is given up, in milliseconds.
        transaction_timeout_ms: i32,
        /// The producer; -1 is none.
        producer_id: i64 [3+, else refuse] = -1,
        /// The producer's epoch; -1 is none.
        producer_epoch: i16 [3+, else refuse] = -1,
    }

    /// The id and epoch to use from now on.
    pub struct InitProducerIdResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The producer; -1 is none.
        producer_id: i64 = -1,
        /// The producer's epoch; -1 is none.
        producer_epoch: i16,
    }
}
