//! Kafka's wire messages: a codec of ours. Each API is a file with the tables of its request and its response; structs,
//! decoding and encoding of every served version follow from them (see `table.rs`). Record batches stay slices of the
//! frame they came in, and go out as they are.
//!
//! A listener reads a frame's four bytes of length, then the frame, and then:
//!
//! ```
//! use bytes::{Buf, Bytes};
//! use cairn_proto::kafka::{
//!     ApiKey, DecodeError, Frame, Reader, RequestBody, RequestHeader, api_versions::ApiVersionsResponse, response_frame,
//! };
//!
//! fn answer(frame: Bytes) -> Result<Option<Frame>, DecodeError> {
//!     let mut reader = Reader::new(frame, 1 << 20);
//!     let header = RequestHeader::decode(&mut reader)?;
//!     let Some(api) = header.api() else { return Ok(None) };
//!     match RequestBody::decode(api, header.api_version, &mut reader)? {
//!         RequestBody::ApiVersions(_) => {
//!             let body = ApiVersionsResponse::advertise(ApiKey::ALL.iter().copied());
//!             Ok(response_frame(header.correlation_id, header.api_version, &body).ok())
//!         }
//!         _ => Ok(None),
//!     }
//! }
//!
//! let request = b"\x00\x12\x00\x00\x00\x00\x00\x07\x00\x01c";
//! let response = answer(Bytes::from_static(request)).unwrap().unwrap();
//! assert_eq!(response.chunk()[4..10], [0, 0, 0, 7, 0, 0]);
//! ```
//!
//! What holds for any bytes: decoding takes time and memory in proportion to them, reserves nothing for a declared count
//! that the remaining bytes cannot fill, and nests as deep as the tables and no deeper.

mod api;
mod error;
mod error_code;
mod frame;
pub mod fuzz;
mod header;
mod primitives;
mod reader;
mod sample;
mod sink;
mod table;
#[cfg(test)]
mod tests;

pub mod alter_configs;
pub mod api_versions;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leader;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod sync_group;

pub use api::{ApiKey, Message, Request, RequestBody, Response, ResponseBody};
pub use error::{DecodeError, DecodeProblem, EncodeError, EncodeProblem};
pub use error_code::ErrorCode;
pub use frame::Frame;
pub use header::{RequestHeader, ResponseHeader, request_frame, response_frame};
pub use reader::Reader;
pub use sink::OWN_CHUNK_BYTES_MIN;
