//! Any bytes as a logged metadata command.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cairn_broker::metadata::fuzz::metadata_command(data);
});
