//! Any bytes as choices that make Kafka messages, which must survive a round trip.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_proto::kafka::fuzz::sampled(data));
