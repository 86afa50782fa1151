//! Any bytes as an index file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cairn_broker::storage::fuzz::index(data);
});
