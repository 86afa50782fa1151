//! Any bytes as a run of record batches.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_proto::fuzz::batch(data));
