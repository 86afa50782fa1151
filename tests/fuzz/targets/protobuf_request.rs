//! Any bytes as each request of the public API.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_proto::fuzz::protobuf_request(data));
