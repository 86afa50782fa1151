//! Where `consume --from` begins.

use crate::rfc3339;
use std::str::FromStr;

/// A starting point, meant for each partition by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The oldest record that is still there.
    Beginning,
    /// What is written from now on.
    End,
    /// This offset.
    Offset(i64),
    /// The last so many records.
    Last(u64),
    /// The first record whose timestamp is this or later, in milliseconds since 1970.
    Time(i64),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(timestamp) = text.strip_prefix('@') {
            return rfc3339::parse(timestamp).map(Start::Time).map_err(|error| error.to_string());
        }
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let too_large = |_| format!("'{text}' is too large: at most {}", i64::MAX);
        match text {
            "beginning" => Ok(Start::Beginning),
            "end" => Ok(Start::End),
            _ if digits(text) => text.parse().map(Start::Offset).map_err(too_large),
            _ => match text.strip_prefix('-') {
                Some(count) if digits(count) => {
                    let count: i64 = count.parse().map_err(too_large)?;
                    Ok(Start::Last(count.unsigned_abs()))
                }
                _ => Err("expected beginning, end, an offset like 42, -N for the last N records of each partition, \
                          or @ and a timestamp like @2026-01-31T09:30:00Z"
                    .into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        assert_eq!("beginning".parse(), Ok(Start::Beginning));
        assert_eq!("end".parse(), Ok(Start::End));
        assert_eq!("0".parse(), Ok(Start::Offset(0)));
        assert_eq!("9223372036854775807".parse(), Ok(Start::Offset(i64::MAX)));
        assert_eq!("-3".parse(), Ok(Start::Last(3)));
        assert_eq!("-0".parse(), Ok(Start::Last(0)));
        assert_eq!("@1970-01-01T00:00:01Z".parse(), Ok(Start::Time(1000)));
    }

    #[test]
    fn refusals_say_what_would_do() {
        for text in ["", "-", "--1", "+1", "1.5", "start", "- 1", "0x1"] {
            assert!(text.parse::<Start>().unwrap_err().contains("beginning"), "{text}");
        }
        assert!("9223372036854775808".parse::<Start>().unwrap_err().contains("at most"));
        assert!("@yesterday".parse::<Start>().unwrap_err().contains("2026-01-31"));
    }
}
