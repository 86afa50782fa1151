//! The Cairn broker as a library. `main` parses the command line and calls [`node`]; everything else is a layer that
//! imports only what stands to its right:
//!
//! `node → {listener, http} → service → replication → metadata → storage → disk`; `ids`, `clock` and `telemetry` serve all.

pub mod clock;
pub mod command_line;
pub mod config;
pub mod coordinator;
pub mod disk;
pub mod http;
pub mod ids;
pub mod listener;
pub mod metadata;
pub mod node;
pub mod replication;
pub mod service;
pub mod storage;
pub mod telemetry;

pub use command_line::run;
