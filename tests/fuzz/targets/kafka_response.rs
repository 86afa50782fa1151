//! Any bytes as a Kafka response of the API and version that its first bytes choose.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cairn_proto::kafka::fuzz::response(data);
});
