//! Which topics a member of a `consumer` group wants, as far as its client says so in the metadata that is meant for the
//! group's leader: a version (2), a count (4), and each name as its length (2) and bytes. What follows is not looked at.

use bytes::{Buf as _, Bytes};

/// The names; `None`: these are no such bytes.
pub(super) fn topics_of(metadata: &Bytes) -> Option<Vec<String>> {
    let mut bytes = metadata.clone();
    bytes.try_get_i16().ok().filter(|version| *version >= 0)?;
    let count = bytes.try_get_i32().ok().filter(|count| *count >= 0)?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::from(bytes.try_get_u16().ok()?);
        let name = (length <= bytes.len()).then(|| bytes.split_to(length))?;
        topics.push(std::str::from_utf8(&name).ok()?.to_owned());
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_anything_else_is_none() {
        let bytes = Bytes::from(&b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff"[..]);
        assert_eq!(topics_of(&bytes), Some(vec!["a".to_string(), "bc".to_string()]));
        for end in 0..bytes.len() - 4 {
            assert_eq!(topics_of(&bytes.slice(..end)), None, "{end} bytes");
        }
        assert_eq!(
            topics_of(&Bytes::from(&b"\0\x01\x7f\xff\xff\xff"[..])),
            None,
            "a count that nothing stands behind"
        );
    }
}
