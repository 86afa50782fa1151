//! Any bytes as the small files of a data directory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cairn_broker::disk::fuzz::small_file(data);
});
