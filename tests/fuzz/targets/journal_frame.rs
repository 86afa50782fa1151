//! Any bytes as a frame, a head and a whole file of the journal.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_broker::storage::fuzz::fuzz_journal_frame(data));
