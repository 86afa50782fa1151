//! Any bytes as a metadata snapshot.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cairn_broker::metadata::fuzz::metadata_snapshot(data);
});
