//! Any bytes as a frame, as a file's head and as a whole journal file.

use super::{
    file_bytes::FileBytes,
    frame_codec::{FrameHead, decode},
    header::{FileHeader, HeaderPage, LapEnd},
    walk::{Limits, walk},
};
use bytes::Bytes;

/// Reads the bytes as whatever a journal file may hold. What reads as a whole frame decodes or is an error.
pub fn fuzz_journal_frame(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Some(head) = FrameHead::parse(&bytes) {
        let whole = bytes.slice(..head.length.min(bytes.len()));
        // Also with a wrong checksum: the content must be refused by itself.
        if let Ok(frame) = decode(&head, &whole) {
            assert!(frame.log == head.log, "a frame of another log was read");
        }
    }
    let header = match FileHeader::decode(data) {
        HeaderPage::Valid(header) => header,
        _ => FileHeader {
            lap: FrameHead::parse(&bytes).map_or(1, |head| head.place.lap.max(1)),
            file_bytes: data.len() as u64,
            block_bytes: 4096,
            first_sequence: 0,
            predecessor: LapEnd::default(),
        },
    };
    // In front of the frames stands the file's head.
    let start = usize::try_from(header.data_start()).unwrap_or(0).min(1 << 20);
    let mut content = vec![0; start];
    content.extend_from_slice(data);
    content.resize(content.len().next_multiple_of(4096), 0);
    let Ok(mut file) = FileBytes::from_slice(&content) else { return };
    let walked = walk(&mut file, &header, Limits { bound: None, from: 0 });
    assert!(
        walked.position <= content.len().max(start) + header.block_bytes as usize,
        "the walk left the file"
    );
}
