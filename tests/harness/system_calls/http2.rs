//! Just enough HTTP/2 to find gRPC messages in what a server wrote to a socket: the payload of DATA frames, stream by
//! stream, each message with the moment at which its first byte left.

use std::collections::HashMap;

const FRAME_HEADER_BYTES: usize = 9;
const MESSAGE_HEADER_BYTES: usize = 5;
const DATA: u8 = 0;
const PADDED: u8 = 8;

/// All gRPC messages of one connection. `writes`: what went out and when, in order.
pub(super) fn messages(writes: &[(usize, &[u8])]) -> Vec<(usize, Vec<u8>)> {
    let bytes: Vec<(usize, u8)> =
        writes.iter().flat_map(|(when, data)| data.iter().map(move |byte| (*when, *byte))).collect();
    let mut streams: HashMap<u32, Vec<(usize, u8)>> = HashMap::new();
    let mut rest = bytes.as_slice();
    while let Some((frame, payload, behind)) = first_frame(rest) {
        if frame.kind == DATA {
            let padded = usize::from(frame.flags & PADDED != 0);
            let padding = payload.first().map_or(0, |(_, length)| usize::from(*length) * padded);
            let end = payload.len().saturating_sub(padding);
            streams.entry(frame.stream).or_default().extend(payload.get(padded..end).unwrap_or_default());
        }
        rest = behind;
    }
    let mut messages: Vec<_> = streams.values().flat_map(|stream| split_messages(stream)).collect();
    messages.sort();
    messages
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

type Timed = [(usize, u8)];

fn first_frame(bytes: &Timed) -> Option<(Frame, &Timed, &Timed)> {
    let header: Vec<u8> = bytes.get(..FRAME_HEADER_BYTES)?.iter().map(|(_, byte)| *byte).collect();
    let [high, middle, low, kind, flags, stream @ ..] = header.as_slice() else { return None };
    let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
    let stream = u32::from_be_bytes(stream.try_into().ok()?) & 0x7fff_ffff;
    let payload = bytes.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + length)?;
    Some((Frame { kind: *kind, flags: *flags, stream }, payload, bytes.get(FRAME_HEADER_BYTES + length..)?))
}

fn split_messages(mut stream: &Timed) -> Vec<(usize, Vec<u8>)> {
    let mut messages = Vec::new();
    while let Some(header) = stream.get(..MESSAGE_HEADER_BYTES) {
        let length = header.iter().skip(1).fold(0, |length, (_, byte)| length << 8 | usize::from(*byte));
        let Some(body) = stream.get(MESSAGE_HEADER_BYTES..MESSAGE_HEADER_BYTES + length) else { break };
        let left = header.first().map_or(0, |(when, _)| *when);
        messages.push((left, body.iter().map(|(_, byte)| *byte).collect()));
        stream = stream.get(MESSAGE_HEADER_BYTES + length..).unwrap_or_default();
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_across_frames_and_writes() {
        let first = b"\0\0\x04\x04\0\0\0\0\0abcd\0\0\x07\0\0\0\0\0\x01\0\0\0\0\x03ab";
        let second = b"\0\0\x01\0\x01\0\0\0\x01c\0\0\x08\0\x08\0\0\0\x03\x01\0\0\0\0\x01zP";
        let found = messages(&[(3, first), (9, second)]);
        assert_eq!(found, [(3, b"abc".to_vec()), (9, b"z".to_vec())]);
        assert_eq!(messages(&[(3, b"half a header")]), []);
    }
}
