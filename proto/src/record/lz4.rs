//! LZ4 frames as Kafka clients write them. Reading stops at the cap, and what follows the frame is refused.

use super::compression::{Unpack, reserve};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use std::io::{self, Read, Write};

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// Appends `plain` as one frame of independent 64 KiB blocks, the kind every client reads.
pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(plain)?;
    encoder.finish().map_err(io::Error::other).map(drop)
}

/// The content of one frame, at most `bytes_max` bytes.
pub(super) fn decompress(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, Unpack> {
    if !packed.starts_with(&MAGIC) {
        return Err(Unpack::invalid("it does not begin with a frame"));
    }
    let mut decoder = FrameDecoder::new(packed);
    let mut out = Vec::new();
    reserve(&mut out, packed.len().saturating_mul(4).min(bytes_max), bytes_max)?;
    let mut chunk = [0; 16 * 1024];
    loop {
        let count = decoder.read(&mut chunk).map_err(Unpack::invalid)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        reserve(&mut out, read.len(), bytes_max)?;
        out.extend_from_slice(read);
    }
    let behind = decoder.into_inner().len();
    if behind > 0 {
        return Err(Unpack::invalid(format!("{behind} bytes follow the frame")));
    }
    Ok(out)
}
