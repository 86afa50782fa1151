//! LZ4 frames (LZ4 frame format 1.6) as Kafka clients write them: one frame, blocks independent or linked. Blocks are
//! decompressed straight into the output, so that no size in the frame header reserves memory. The frame's own optional
//! checksums are stepped over: the batch's CRC-32C covers every byte of the frame.

use super::compression::{Unpack, reserve};
use lz4_flex::{
    block::{DecompressError, decompress_into, decompress_into_with_dict},
    frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo},
};
use std::io::{self, Write};

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const VERSION_MASK: u8 = 0b1100_0000;
const VERSION_1: u8 = 0b0100_0000;
const INDEPENDENT_BIT: u8 = 1 << 5;
const BLOCK_CHECKSUM_BIT: u8 = 1 << 4;
const CONTENT_SIZE_BIT: u8 = 1 << 3;
const CONTENT_CHECKSUM_BIT: u8 = 1 << 2;
const DICTIONARY_BIT: u8 = 1;
const UNCOMPRESSED_BIT: u32 = 1 << 31;
const CHECKSUM_BYTES: usize = 4;
/// How far back a match in a linked block may reach.
const WINDOW_BYTES: usize = 64 * 1024;
/// A run-length byte stands for at most 255 bytes; nothing in a block is denser.
const EXPANSION_MAX: usize = 255;

/// Appends `plain` as one frame of independent 64 KiB blocks, the kind every client reads.
pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(plain)?;
    encoder.finish().map_err(io::Error::other).map(drop)
}

/// The content of the one frame in `packed`, at most `bytes_max` bytes.
pub(super) fn decompress(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, Unpack> {
    let (frame, mut rest) = Frame::parse(packed)?;
    let mut out = Vec::new();
    loop {
        let size = u32::from_le_bytes(*chunk(&mut rest)?);
        if size == 0 {
            break;
        }
        let length = (size & !UNCOMPRESSED_BIT) as usize;
        if length > frame.block_bytes_max {
            return Err(Unpack::invalid("a block is larger than the frame allows"));
        }
        let block = slice(&mut rest, length)?;
        if size & UNCOMPRESSED_BIT == 0 {
            frame.unpack_block(block, &mut out, bytes_max)?;
        } else {
            reserve(&mut out, length, bytes_max)?;
            out.extend_from_slice(block);
        }
        slice(&mut rest, if frame.block_checksums { CHECKSUM_BYTES } else { 0 })?;
    }
    slice(&mut rest, if frame.content_checksum { CHECKSUM_BYTES } else { 0 })?;
    if !rest.is_empty() {
        return Err(Unpack::invalid(format!("{} bytes follow the frame", rest.len())));
    }
    if frame.content_bytes.is_some_and(|declared| declared != out.len() as u64) {
        return Err(Unpack::invalid("the content is not as long as the frame says"));
    }
    Ok(out)
}

/// What a frame's header says about its blocks.
struct Frame {
    linked: bool,
    block_checksums: bool,
    content_checksum: bool,
    content_bytes: Option<u64>,
    block_bytes_max: usize,
}

impl Frame {
    /// The header, and what follows it.
    fn parse(packed: &[u8]) -> Result<(Self, &[u8]), Unpack> {
        let mut rest = packed;
        if *chunk(&mut rest)? != MAGIC {
            return Err(Unpack::invalid("it does not begin with a frame"));
        }
        let [flags, block_descriptor] = *chunk(&mut rest)?;
        if flags & VERSION_MASK != VERSION_1 {
            return Err(Unpack::invalid("the frame's version is not 1"));
        }
        if flags & DICTIONARY_BIT != 0 {
            return Err(Unpack::invalid("the frame needs a dictionary"));
        }
        let block_bytes_max = match block_descriptor >> 4 {
            4 => 64 * 1024,
            5 => 256 * 1024,
            6 => 1024 * 1024,
            7 => 4 * 1024 * 1024,
            _ => return Err(Unpack::invalid("the frame's block size is unknown")),
        };
        let content_bytes = match flags & CONTENT_SIZE_BIT {
            0 => None,
            _ => Some(u64::from_le_bytes(*chunk(&mut rest)?)),
        };
        // The header's checksum.
        let [_] = *chunk(&mut rest)?;
        let frame = Self {
            linked: flags & INDEPENDENT_BIT == 0,
            block_checksums: flags & BLOCK_CHECKSUM_BIT != 0,
            content_checksum: flags & CONTENT_CHECKSUM_BIT != 0,
            content_bytes,
            block_bytes_max,
        };
        Ok((frame, rest))
    }

    /// Decompresses one block behind `out`, which is what a linked block refers back to.
    fn unpack_block(&self, block: &[u8], out: &mut Vec<u8>, bytes_max: usize) -> Result<(), Unpack> {
        let start = out.len();
        let possible = self.block_bytes_max.min(block.len().saturating_mul(EXPANSION_MAX));
        let room = possible.min(bytes_max.saturating_sub(start));
        reserve(out, room, bytes_max)?;
        out.resize(start + room, 0);
        let (before, target) = out.split_at_mut(start);
        let result = if self.linked {
            let window = before.get(start.saturating_sub(WINDOW_BYTES)..).unwrap_or_default();
            decompress_into_with_dict(block, target, window)
        } else {
            decompress_into(block, target)
        };
        match result {
            Ok(written) => {
                out.truncate(start + written);
                Ok(())
            }
            Err(DecompressError::OutputTooSmall { .. }) if room < possible => Err(Unpack::TooLarge),
            Err(error) => Err(Unpack::invalid(error)),
        }
    }
}

fn chunk<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Unpack> {
    let (first, behind) = rest.split_first_chunk().ok_or_else(cut)?;
    *rest = behind;
    Ok(first)
}

fn slice<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Unpack> {
    let (first, behind) = rest.split_at_checked(length).ok_or_else(cut)?;
    *rest = behind;
    Ok(first)
}

fn cut() -> Unpack {
    Unpack::invalid("the frame is cut short")
}
