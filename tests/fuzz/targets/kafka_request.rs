//! Any bytes as a Kafka request's frame, header and body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cairn_proto::kafka::fuzz::request(data);
});
