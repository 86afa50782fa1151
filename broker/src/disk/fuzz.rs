//! Bodies for fuzzing: any bytes in, nothing out, and no way to panic. Property tests and fuzz targets call them.

use super::{dir::small_files_round_trip, sealed_text};

/// Bytes as each of the small files of a data directory; also with the checksum line put right, so that what lies behind it
/// is read too. What is read was written exactly so. Answers whether any
/// of them was read.
pub fn small_file(data: &[u8]) -> bool {
    let mut sealed = data.to_vec();
    sealed.extend_from_slice(sealed_text::seal(data).as_bytes());
    [data, &sealed].into_iter().filter(|bytes| small_files_round_trip(bytes)).count() > 0
}
