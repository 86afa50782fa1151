//! The template of `consume --format`: parsed once, then each record is appended to a buffer without formatting machinery
//! where bytes are just bytes.

use crate::{
    escape::{self, EscapeError},
    rfc3339,
};
use bytes::Bytes;
use std::io::Write;

/// What a template shows of one record. Null is shown as nothing; its size as -1.
#[derive(Debug)]
pub(crate) struct Shown<'a, H> {
    /// The topic's name.
    pub(crate) topic: &'a str,
    /// The partition's number.
    pub(crate) partition: u32,
    /// The record's offset.
    pub(crate) offset: i64,
    /// Milliseconds since 1970.
    pub(crate) timestamp_ms: i64,
    /// The key, if not null.
    pub(crate) key: Option<&'a [u8]>,
    /// The value, if not null.
    pub(crate) value: Option<&'a [u8]>,
    /// Key and value of each header, in order.
    pub(crate) headers: H,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Timestamp,
    Date,
    Key,
    KeySize,
    Value,
    ValueSize,
    Headers,
}

/// The letters behind `%`, for parsing and for the help.
const FIELDS: &[(char, Part)] = &[
    ('t', Part::Topic),
    ('p', Part::Partition),
    ('o', Part::Offset),
    ('T', Part::Timestamp),
    ('d', Part::Date),
    ('k', Part::Key),
    ('K', Part::KeySize),
    ('v', Part::Value),
    ('s', Part::ValueSize),
    ('h', Part::Headers),
];

/// What the help says about the template.
pub(crate) const HELP: &str = "What to print of each record: %t topic, %p partition, %o offset, %T timestamp in \
    milliseconds since 1970, %d the same as date and time, %k key, %v value, %h headers as k=v,k=v, %K and %s size of key and value (-1 for null), \
    %% a percent sign; \\n \\t \\\\ \\xHH as usual";

/// Why a template is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// `%` and something unknown.
    #[error("unknown field '%{0}': known are %t %p %o %T %d %k %K %v %s %h and %%")]
    Field(String),
    /// A backslash and something unknown.
    #[error(transparent)]
    Escape(#[from] EscapeError),
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

impl std::str::FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, behind)) = rest.split_once('%') {
            push_literal(&mut parts, escape::unescape(literal)?);
            let mut letters = behind.chars();
            match letters.next() {
                Some('%') => push_literal(&mut parts, vec![b'%']),
                letter => {
                    let field = FIELDS.iter().find(|(known, _)| Some(*known) == letter);
                    let unknown = || TemplateError::Field(letter.map(String::from).unwrap_or_default());
                    parts.push(field.ok_or_else(unknown)?.1.clone());
                }
            }
            rest = letters.as_str();
        }
        push_literal(&mut parts, escape::unescape(rest)?);
        Ok(Self(parts))
    }
}

fn push_literal(parts: &mut Vec<Part>, bytes: Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    if let Some(Part::Literal(before)) = parts.last_mut() {
        before.extend(bytes);
    } else {
        parts.push(Part::Literal(bytes));
    }
}

impl Template {
    /// The value and a newline.
    pub(crate) fn value_line() -> Self {
        Self(vec![Part::Value, Part::Literal(vec![b'\n'])])
    }

    /// Appends one record.
    pub(crate) fn render<H>(&self, record: &Shown<'_, H>, into: &mut Vec<u8>)
    where
        H: Iterator<Item = (Bytes, Option<Bytes>)> + Clone,
    {
        for part in &self.0 {
            match part {
                Part::Literal(bytes) => into.extend_from_slice(bytes),
                Part::Topic => into.extend_from_slice(record.topic.as_bytes()),
                Part::Partition => number(i64::from(record.partition), into),
                Part::Offset => number(record.offset, into),
                Part::Timestamp => number(record.timestamp_ms, into),
                Part::Date => date(record.timestamp_ms, into),
                Part::Key => into.extend_from_slice(record.key.unwrap_or_default()),
                Part::KeySize => number(size(record.key), into),
                Part::Value => into.extend_from_slice(record.value.unwrap_or_default()),
                Part::ValueSize => number(size(record.value), into),
                Part::Headers => headers(record.headers.clone(), into),
            }
        }
    }
}

fn number(value: i64, into: &mut Vec<u8>) {
    // Writing into a Vec cannot fail.
    let _ = write!(into, "{value}");
}

/// A record without a timestamp has -1.
fn date(timestamp_ms: i64, into: &mut Vec<u8>) {
    if timestamp_ms != -1 {
        into.extend_from_slice(rfc3339::format(timestamp_ms).as_bytes());
    }
}

fn size(field: Option<&[u8]>) -> i64 {
    field.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

fn headers(headers: impl Iterator<Item = (Bytes, Option<Bytes>)>, into: &mut Vec<u8>) {
    for (index, (key, value)) in headers.enumerate() {
        if index > 0 {
            into.push(b',');
        }
        into.extend_from_slice(&key);
        into.push(b'=');
        into.extend_from_slice(&value.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pair = (&'static [u8], Option<&'static [u8]>);

    const HEADERS: [Pair; 3] = [(b"a", Some(b"1")), (b"a", Some(b"\xff")), (b"n", None)];

    fn shown(
        headers: &'static [Pair],
    ) -> Shown<'static, impl Iterator<Item = (Bytes, Option<Bytes>)> + Clone> {
        let headers =
            headers.iter().map(|(key, value)| (Bytes::from_static(key), value.map(Bytes::from_static)));
        let (key, value) = (Some(&b"k"[..]), Some(&b"va\0\xfel"[..]));
        Shown { topic: "orders", partition: 3, offset: 42, timestamp_ms: 1_000, key, value, headers }
    }

    fn render(template: &str) -> Vec<u8> {
        let mut into = b">".to_vec();
        template.parse::<Template>().unwrap().render(&shown(&HEADERS), &mut into);
        into
    }

    #[test]
    fn every_field() {
        assert_eq!(render(r"%t %p %o %T %K %s\n"), b">orders 3 42 1000 1 5\n");
        assert_eq!(render(r"%k=%v"), b">k=va\0\xfel");
        assert_eq!(render("%d"), b">1970-01-01T00:00:01.000Z");
        assert_eq!(render("%h"), b">a=1,a=\xff,n=");
        assert_eq!(render(r"100%%\t%%t\\n%p"), b">100%\t%t\\n3");
        assert_eq!(render("é"), ">é".as_bytes());
        assert_eq!(render(""), b">");
    }

    #[test]
    fn null_is_nothing_and_its_size_minus_one() {
        let record = Shown { key: None, value: None, ..shown(&[]) };
        let mut into = Vec::new();
        "[%k %v %h] %K %s".parse::<Template>().unwrap().render(&record, &mut into);
        assert_eq!(into, b"[  ] -1 -1");
    }

    #[test]
    fn the_default_is_the_value_and_a_newline() {
        assert_eq!(r"%v\n".parse(), Ok(Template::value_line()));
    }

    #[test]
    fn unknown_fields_and_escapes_are_refused() {
        assert_eq!("%q".parse::<Template>(), Err(TemplateError::Field("q".into())));
        assert_eq!("a%".parse::<Template>(), Err(TemplateError::Field(String::new())));
        assert!(matches!(r"\q".parse::<Template>(), Err(TemplateError::Escape(_))));
    }

    #[test]
    fn the_help_names_every_field() {
        for (letter, _) in FIELDS {
            assert!(HELP.contains(&format!("%{letter} ")), "%{letter}");
        }
    }
}
