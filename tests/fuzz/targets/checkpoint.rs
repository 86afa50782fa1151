//! Any bytes as a checkpoint file and a log's entry in one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cairn_broker::storage::fuzz::checkpoint(data);
});
