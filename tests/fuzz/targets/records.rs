//! Any bytes as the body of a batch in a codec that the first byte chooses.
#![no_main]

use cairn_proto::record::Compression;

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let [first, body @ ..] = data {
        cairn_proto::fuzz::records(CODECS[usize::from(*first) % CODECS.len()], body);
    }
});
