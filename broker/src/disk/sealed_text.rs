//! The form of the few small files of a data directory: lines that a person can read, sealed by a checksum. No byte of such
//! a file can change unnoticed: what decodes was encoded exactly so.
//!
//! ```text
//! cairn.meta format 1
//! broker = 1
//! crc32 = 0f3a9c11
//! ```

use std::fmt;

const SEAL: &str = "crc32 = ";
/// `crc32 = `, eight digits, a newline.
const SEAL_BYTES: usize = SEAL.len() + 9;

/// What is wrong with a sealed text, and at which byte of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) byte: usize,
    pub(super) detail: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.byte, self.detail)
    }
}

/// The lines of a sealed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SealedText {
    /// Of the file's content; 1 is the first.
    pub(super) format: u32,
    /// Names and values in the order of the lines, with the byte at which each line begins.
    pub(super) lines: Vec<Line>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) byte: usize,
    pub(super) name: String,
    pub(super) value: String,
}

/// The bytes of a file of that kind and format. Names and values hold no newline and no ` = `; kinds no blank.
pub(super) fn encode(kind: &str, format: u32, lines: &[(&str, String)]) -> Vec<u8> {
    let mut text = format!("{kind} format {format}\n");
    for (name, value) in lines {
        text.push_str(&format!("{name} = {value}\n"));
    }
    let seal = seal(text.as_bytes());
    text.push_str(&seal);
    text.into_bytes()
}

/// The lines of a file that must be of that kind.
pub(super) fn decode(kind: &str, bytes: &[u8]) -> Result<SealedText, Damage> {
    let damage = |byte: usize, detail: &str| Damage { byte, detail: detail.to_string() };
    let body_bytes = bytes.len().saturating_sub(SEAL_BYTES);
    let (body, sealed) = bytes.split_at(body_bytes);
    if sealed != seal(body).as_bytes() {
        let detail = format!(
            "the checksum line of bytes 0 to {body_bytes} is {:?}, {:?} was expected",
            String::from_utf8_lossy(sealed),
            seal(body)
        );
        return Err(Damage { byte: body_bytes, detail });
    }
    let text = std::str::from_utf8(body).map_err(|error| damage(error.valid_up_to(), "not UTF-8"))?;
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    let format = first.strip_prefix(kind).and_then(|rest| rest.strip_prefix(" format "));
    // As it is written, and in no other way: "+3" and "03" are 3 as well.
    let written = |number: &str| number.parse().ok().filter(|parsed: &u32| parsed.to_string() == number);
    let format = format.and_then(|number| written(number.strip_suffix('\n')?));
    let Some(format) = format else {
        return Err(damage(0, &format!("not a {kind} file")));
    };
    let mut found = SealedText { format, lines: Vec::new() };
    let mut byte = first.len();
    for line in lines {
        let pair = line.strip_suffix('\n').and_then(|line| line.split_once(" = "));
        let Some((name, value)) = pair else { return Err(damage(byte, "not a line `name = value`")) };
        found.lines.push(Line { byte, name: name.into(), value: value.into() });
        byte += line.len();
    }
    Ok(found)
}

/// The last line, of everything in front of it.
pub(super) fn seal(body: &[u8]) -> String {
    format!("{SEAL}{:08x}\n", crc32fast::hash(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        encode("sample", 3, &[("one", "1".into()), ("two", "a b".into())])
    }

    #[test]
    fn decodes_what_it_encoded() {
        let text = decode("sample", &sample()).expect("sound");
        assert_eq!(text.format, 3);
        let lines: Vec<_> = text.lines.iter().map(|line| (line.name.as_str(), line.value.as_str())).collect();
        assert_eq!(lines, [("one", "1"), ("two", "a b")]);
        assert_eq!(text.lines[1].byte, "sample format 3\none = 1\n".len());
    }

    #[test]
    fn the_bytes_are_as_documented() {
        let expected = "sample format 3\none = 1\ntwo = a b\ncrc32 = 202a56ca\n";
        assert_eq!(String::from_utf8(sample()).expect("text"), expected);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let sound = sample();
        for byte in 0..sound.len() {
            for bit in 0..8 {
                let mut damaged = sound.clone();
                damaged[byte] ^= 1 << bit;
                decode("sample", &damaged).expect_err("a flipped bit");
            }
            decode("sample", &sound[..byte]).expect_err("a cut");
        }
        let mut longer = sound;
        longer.push(b'\n');
        decode("sample", &longer).expect_err("a byte too many");
    }

    #[test]
    fn a_number_in_other_words_is_refused() {
        for format in ["+3", "03", "3 ", ""] {
            let body = format!("sample format {format}\n");
            decode("sample", format!("{body}{}", seal(body.as_bytes())).as_bytes()).expect_err(format);
        }
    }

    #[test]
    fn another_kind_is_refused() {
        assert_eq!(decode("other", &sample()).expect_err("another kind").byte, 0);
    }
}
