//! What crosses a process or a machine: the protobuf services, Kafka's wire messages and the record batch codec. No I/O,
//! no runtime; every decoder checks each declared length against the bytes that remain before it acts on it.

#![forbid(unsafe_code)]

pub mod framing;
pub mod fuzz;
pub mod kafka;
pub mod record;

/// The public protobuf API, version 1: services `Log`, `Admin`, `Cluster`, `Groups`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    unreachable_pub,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("cairn.v1");
}

/// The encoded `FileDescriptorSet` of all services, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cairn_descriptors.bin"));
