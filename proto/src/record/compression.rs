//! The codecs of a batch's records. Decompression writes into a buffer that cannot grow beyond the caller's cap: a size
//! that the input declares is at most a reason to refuse early, never a reason to allocate.

use super::{BatchError, lz4};
use bytes::Bytes;
use std::{
    fmt,
    io::{self, Read, Write},
    str::FromStr,
};
use zstd::zstd_safe;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Snappy, read raw or in the xerial framing of Java clients, written in the framing.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard (RFC 8878, KIP-110).
    Zstd,
}

/// The most bytes that one batch may decompress to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecompressLimit {
    /// The cap, in bytes.
    pub bytes_max: usize,
}

/// A name that is none of the codecs'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression {0:?}: use none, gzip, snappy, lz4 or zstd")]
pub struct UnknownCompressionName(pub String);

const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Version 1, readable by version 1.
const XERIAL_VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;
/// Snappy's densest element is 3 bytes for 64, so that no valid input expands more than this.
const SNAPPY_EXPANSION_MAX: usize = 22;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

impl Compression {
    /// All codecs.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec's number in a batch's attributes.
    #[must_use]
    pub fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec with this number.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.id() == id)
    }

    /// The lower-case name, as in configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Appends `plain`, compressed, to `out`.
    pub(super) fn compress(self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), BatchError> {
        let result = match self {
            Self::None => out.write_all(plain),
            Self::Gzip => gzip_compress(plain, out),
            Self::Snappy => snappy_compress(plain, out),
            Self::Lz4 => lz4::compress(plain, out),
            Self::Zstd => zstd_compress(plain, out),
        };
        result.map_err(|error| BatchError::Compress { compression: self, reason: error.to_string() })
    }

    /// The decompressed form of `packed`, at most `limit` bytes of it.
    pub(crate) fn decompress(self, packed: &Bytes, limit: DecompressLimit) -> Result<Bytes, BatchError> {
        let result = match self {
            Self::None if packed.len() > limit.bytes_max => Err(Unpack::TooLarge),
            Self::None => return Ok(packed.clone()),
            Self::Gzip => {
                read_all(flate2::bufread::MultiGzDecoder::new(packed.as_ref()), packed.len(), limit)
            }
            Self::Snappy => snappy_decompress(packed, limit),
            Self::Lz4 => lz4::decompress(packed, limit.bytes_max),
            Self::Zstd => zstd_decompress(packed, limit),
        };
        result.map(Bytes::from).map_err(|unpack| match unpack {
            Unpack::TooLarge => {
                BatchError::DecompressedTooLarge { compression: self, bytes_max: limit.bytes_max }
            }
            Unpack::Invalid(reason) => BatchError::Decompress { compression: self, reason },
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompressionName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|compression| compression.name() == name);
        found.ok_or_else(|| UnknownCompressionName(name.to_owned()))
    }
}

/// Why a codec gave up.
pub(super) enum Unpack {
    /// The output passed the cap.
    TooLarge,
    /// The input is not what it should be.
    Invalid(String),
}

impl Unpack {
    pub(super) fn invalid(reason: impl fmt::Display) -> Self {
        Self::Invalid(reason.to_string())
    }
}

/// Makes room for `more_bytes` behind `out`, which never gets a capacity beyond `bytes_max`.
pub(super) fn reserve(out: &mut Vec<u8>, more_bytes: usize, bytes_max: usize) -> Result<(), Unpack> {
    let needed = out.len().saturating_add(more_bytes);
    if needed > bytes_max {
        return Err(Unpack::TooLarge);
    }
    if needed > out.capacity() {
        let wanted = needed.max(out.capacity().saturating_mul(2)).min(bytes_max);
        out.reserve_exact(wanted - out.len());
    }
    Ok(())
}

/// Reads a decoder to its end. The first allocation follows the size of the input.
fn read_all(mut decoder: impl Read, packed_bytes: usize, limit: DecompressLimit) -> Result<Vec<u8>, Unpack> {
    let mut out = Vec::new();
    reserve(&mut out, packed_bytes.saturating_mul(4).min(limit.bytes_max), limit.bytes_max)?;
    let mut chunk = [0; 16 * 1024];
    loop {
        let count = decoder.read(&mut chunk).map_err(Unpack::invalid)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            return Ok(out);
        };
        reserve(&mut out, read.len(), limit.bytes_max)?;
        out.extend_from_slice(read);
    }
}

fn gzip_compress(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
    encoder.write_all(plain)?;
    encoder.finish().map(drop)
}

fn zstd_compress(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = zstd::stream::write::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?;
    encoder.set_pledged_src_size(Some(plain.len() as u64))?;
    encoder.write_all(plain)?;
    encoder.finish().map(drop)
}

/// In one pass into the output itself, so that no window is allocated, whatever size the frame declares. When the
/// output proves too small, again with twice as much, up to the cap.
fn zstd_decompress(packed: &[u8], limit: DecompressLimit) -> Result<Vec<u8>, Unpack> {
    check_zstd_frames(packed)?;
    let mut context = zstd_safe::DCtx::try_create().ok_or_else(|| Unpack::invalid("out of memory"))?;
    let mut capacity = zstd_first_guess(packed).min(limit.bytes_max);
    loop {
        let mut out = Vec::with_capacity(capacity);
        match context.decompress(&mut out, packed) {
            Ok(_) if out.len() > limit.bytes_max => return Err(Unpack::TooLarge),
            Ok(_) => return Ok(out),
            Err(code) if is_output_too_small(code) => {
                if capacity >= limit.bytes_max {
                    return Err(Unpack::TooLarge);
                }
                capacity =
                    capacity.saturating_mul(2).clamp(1024, limit.bytes_max.max(1024)).min(limit.bytes_max);
            }
            Err(code) => return Err(Unpack::invalid(zstd_safe::get_error_name(code))),
        }
    }
}

/// The declared size where the input is large enough to make it plausible, else a multiple of the input.
fn zstd_first_guess(packed: &[u8]) -> usize {
    let plausible_max = packed.len().saturating_mul(16);
    let declared = zstd_safe::get_frame_content_size(packed).ok().flatten();
    declared
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(packed.len().saturating_mul(4))
        .min(plausible_max)
}

/// Every frame is of today's format: the library would also read those from before the first release.
fn check_zstd_frames(packed: &[u8]) -> Result<(), Unpack> {
    let mut rest = packed;
    while !rest.is_empty() {
        if !rest.starts_with(&ZSTD_MAGIC) {
            return Err(Unpack::invalid("it does not begin with a frame"));
        }
        let frame_bytes = zstd_safe::find_frame_compressed_size(rest)
            .map_err(|code| Unpack::invalid(zstd_safe::get_error_name(code)))?;
        rest = rest
            .get(frame_bytes..)
            .filter(|_| frame_bytes > 0)
            .ok_or_else(|| Unpack::invalid("a frame is cut"))?;
    }
    Ok(())
}

/// The library's errors are negative numbers of its error list, in which this one is 70 (`zstd_errors.h`, stable).
fn is_output_too_small(code: usize) -> bool {
    const OUTPUT_TOO_SMALL: usize = 70;
    code.wrapping_neg() == OUTPUT_TOO_SMALL
}

fn snappy_compress(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(&XERIAL_MAGIC);
    out.extend_from_slice(&XERIAL_VERSIONS);
    let mut encoder = snap::raw::Encoder::new();
    let mut block = vec![0; snap::raw::max_compress_len(XERIAL_BLOCK_BYTES)];
    for piece in plain.chunks(XERIAL_BLOCK_BYTES) {
        let packed_bytes = encoder.compress(piece, &mut block)?;
        let length = u32::try_from(packed_bytes).map_err(io::Error::other)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(block.get(..packed_bytes).unwrap_or_default());
    }
    Ok(())
}

fn snappy_decompress(packed: &[u8], limit: DecompressLimit) -> Result<Vec<u8>, Unpack> {
    let mut out = Vec::new();
    let Some(framed) = packed.strip_prefix(&XERIAL_MAGIC) else {
        snappy_block(packed, &mut out, limit)?;
        return Ok(out);
    };
    let mut rest =
        framed.get(XERIAL_VERSIONS.len()..).ok_or_else(|| Unpack::invalid("the xerial header is cut"))?;
    while !rest.is_empty() {
        let (length, behind) =
            rest.split_first_chunk::<4>().ok_or_else(|| Unpack::invalid("a block length is cut"))?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, behind) = behind
            .split_at_checked(length)
            .ok_or_else(|| Unpack::invalid("a block is longer than the input"))?;
        snappy_block(block, &mut out, limit)?;
        rest = behind;
    }
    Ok(out)
}

/// Decompresses one raw block behind `out`. The block's own length is believed only as far as its bytes can make it.
fn snappy_block(block: &[u8], out: &mut Vec<u8>, limit: DecompressLimit) -> Result<(), Unpack> {
    let declared = snap::raw::decompress_len(block).map_err(Unpack::invalid)?;
    if declared > block.len().saturating_mul(SNAPPY_EXPANSION_MAX) {
        return Err(Unpack::invalid("a block declares more bytes than it can hold"));
    }
    reserve(out, declared, limit.bytes_max)?;
    let start = out.len();
    out.resize(start + declared, 0);
    let target = out.get_mut(start..).unwrap_or_default();
    let written = snap::raw::Decoder::new().decompress(block, target).map_err(Unpack::invalid)?;
    out.truncate(start + written);
    Ok(())
}
