//! Backslash escapes in what is typed on the command line: a tab or a newline is hard to type otherwise.

/// A backslash followed by something that is no escape.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown escape '\\{0}': known are \\n \\r \\t \\0 \\\\ and \\xHH")]
pub(crate) struct EscapeError(pub(crate) String);

/// Replaces the escapes; the result is bytes, because `\xHH` names any byte.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, EscapeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        bytes.extend_from_slice(plain.as_bytes());
        let (byte, length) = one_escape(escape)?;
        bytes.push(byte);
        rest = escape.get(length..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// The byte that the escape at the front of `text` means, and the escape's length.
fn one_escape(text: &str) -> Result<(u8, usize), EscapeError> {
    let unknown = || EscapeError(text.chars().skip(1).take(3).collect());
    match text.as_bytes().get(1) {
        Some(b'n') => Ok((b'\n', 2)),
        Some(b'r') => Ok((b'\r', 2)),
        Some(b't') => Ok((b'\t', 2)),
        Some(b'0') => Ok((0, 2)),
        Some(b'\\') => Ok((b'\\', 2)),
        Some(b'x') => {
            let digits = text.get(2..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            value.map(|byte| (byte, 4)).ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_escapes_become_bytes() {
        assert_eq!(unescape(r"a\tb\n\\\r\0\xfF é").unwrap(), b"a\tb\n\\\r\0\xff \xc3\xa9");
        assert_eq!(unescape("").unwrap(), b"");
    }

    #[test]
    fn anything_else_is_an_error_that_shows_it() {
        for (text, shown) in
            [(r"\q", "q"), ("a\\", ""), (r"\x", "x"), (r"\x4", "x4"), (r"\x+1", "x+1"), (r"\é", "é")]
        {
            assert_eq!(unescape(text), Err(EscapeError(shown.into())), "{text}");
        }
    }
}
