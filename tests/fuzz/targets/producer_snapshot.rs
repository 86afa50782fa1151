//! Any bytes as a producer snapshot.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cairn_broker::storage::fuzz::producer_snapshot(data);
});
