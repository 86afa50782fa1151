//! The rule: a reply to a produce request leaves (its `write` begins) only after a sync of a journal file has ended that
//! began after the write had ended which put the request's bytes into that same file.
//!
//! Requests are told apart by their id, which their record repeats in its bytes as a [`marker`].

use super::{Call, http2};
use cairn_proto::v1::{ErrorCode, ProduceResponse};
use prost::Message as _;
use std::collections::BTreeMap;

/// Marked requests have ids from here on, so that no other message looks like a reply to one.
pub const MARKED_REQUEST: u64 = 0x00ca_1a00_0000_0000;

/// What the record of a marked request must contain.
pub fn marker(request_id: u64) -> String {
    format!("<marked {request_id}>")
}

/// What the trace says about one acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A completed sync covers it.
    Covered,
    /// It left before any sync that covers it had completed.
    BeforeItsSync,
    /// Its bytes were written to no journal file before it left.
    NeverWritten,
}

/// A finding for each acknowledged marked request, by id.
pub fn judge(calls: &[Call]) -> BTreeMap<u64, Finding> {
    acknowledged(calls).into_iter().map(|(id, left)| (id, finding(calls, id, left))).collect()
}

fn finding(calls: &[Call], request_id: u64, left: usize) -> Finding {
    let marker = marker(request_id);
    let writes = calls.iter().filter(|call| {
        is_journal(call) && call.result >= 0 && call.ended.is_some_and(|ended| ended < left) && {
            call.data.windows(marker.len()).any(|window| window == marker.as_bytes())
        }
    });
    let mut written = false;
    for write in writes {
        written = true;
        let covers = |sync: &Call| {
            is_sync(sync)
                && sync.target == write.target
                && sync.result == 0
                && write.ended.is_some_and(|ended| sync.begun > ended)
                && sync.ended.is_some_and(|ended| ended < left)
        };
        if calls.iter().any(covers) {
            return Finding::Covered;
        }
    }
    if written { Finding::BeforeItsSync } else { Finding::NeverWritten }
}

fn is_journal(call: &Call) -> bool {
    call.target.ends_with(".journal") && call.name.contains("write")
}

fn is_sync(call: &Call) -> bool {
    call.name == "fdatasync" || call.name == "fsync"
}

/// By request id, the line at which the reply began to leave.
fn acknowledged(calls: &[Call]) -> BTreeMap<u64, usize> {
    let mut sockets: BTreeMap<&str, Vec<(usize, &[u8])>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.target.starts_with("socket:")) {
        let sent = usize::try_from(call.result).unwrap_or(0);
        sockets
            .entry(&call.target)
            .or_default()
            .push((call.begun, call.data.get(..sent).unwrap_or_default()));
    }
    let mut replies = BTreeMap::new();
    for (left, message) in sockets.values().flat_map(|writes| http2::messages(writes)) {
        let Ok(reply) = ProduceResponse::decode(message.as_slice()) else { continue };
        if reply.request_id >= MARKED_REQUEST && reply.error() == ErrorCode::None {
            replies.entry(reply.request_id).or_insert(left);
        }
    }
    replies
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u64 = MARKED_REQUEST + 5;

    fn call(name: &str, target: &str, data: &[u8], lines: (usize, usize)) -> Call {
        let (begun, ended) = lines;
        let result = if name.contains("sync") { 0 } else { i64::try_from(data.len()).expect("short") };
        Call {
            name: name.into(),
            target: target.into(),
            data: data.into(),
            begun,
            ended: Some(ended),
            result,
        }
    }

    fn reply(line: usize) -> Call {
        let message = ProduceResponse { request_id: ID, ..Default::default() }.encode_to_vec();
        let body_length = u8::try_from(message.len()).expect("short");
        let mut bytes = vec![0, 0, body_length + 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, body_length];
        bytes.extend(message);
        call("sendto", "socket:[7]", &bytes, (line, line))
    }

    fn write(lines: (usize, usize)) -> Call {
        call("pwrite64", "/d/journal/0001.journal", format!("..{}..", marker(ID)).as_bytes(), lines)
    }

    fn sync(lines: (usize, usize)) -> Call {
        call("fdatasync", "/d/journal/0001.journal", b"", lines)
    }

    fn verdict(calls: &[Call]) -> Finding {
        judge(calls).remove(&ID).expect("the reply is found")
    }

    #[test]
    fn a_reply_after_its_sync_is_covered() {
        assert_eq!(verdict(&[write((1, 2)), sync((3, 4)), reply(5)]), Finding::Covered);
    }

    #[test]
    fn a_reply_before_or_during_its_sync_is_found() {
        assert_eq!(verdict(&[write((1, 2)), reply(3), sync((4, 5))]), Finding::BeforeItsSync);
        assert_eq!(verdict(&[write((1, 2)), sync((3, 6)), reply(5)]), Finding::BeforeItsSync);
        assert_eq!(verdict(&[write((1, 2)), reply(5)]), Finding::BeforeItsSync);
    }

    #[test]
    fn a_sync_that_began_too_early_or_failed_or_was_elsewhere_covers_nothing() {
        assert_eq!(verdict(&[sync((1, 4)), write((2, 3)), reply(5)]), Finding::BeforeItsSync);
        let failed = Call { result: -1, ..sync((3, 4)) };
        assert_eq!(verdict(&[write((1, 2)), failed, reply(5)]), Finding::BeforeItsSync);
        let elsewhere = Call { target: "/d/journal/0002.journal".into(), ..sync((3, 4)) };
        assert_eq!(verdict(&[write((1, 2)), elsewhere, reply(5)]), Finding::BeforeItsSync);
    }

    #[test]
    fn a_reply_without_a_write_is_found() {
        assert_eq!(verdict(&[sync((3, 4)), reply(5)]), Finding::NeverWritten);
        let segment = Call { target: "/d/logs/1/0.log".into(), ..write((1, 2)) };
        assert_eq!(verdict(&[segment, sync((3, 4)), reply(5)]), Finding::NeverWritten);
    }
}
