//! RFC 3339 timestamps to and from milliseconds since 1970, in the proleptic Gregorian calendar. A timestamp without an
//! offset is refused: nobody should have to guess whose midnight was meant.

/// Why a text is no timestamp.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimestampError {
    /// Not of the form at all.
    #[error("expected a timestamp like 2026-01-31T09:30:00Z or 2026-01-31T09:30:00.250+01:00")]
    Form,
    /// A field beyond its range.
    #[error("{field} is out of range in the timestamp")]
    Range {
        /// Which field.
        field: &'static str,
    },
}

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970; digits beyond the millisecond are cut off.
pub(crate) fn parse(text: &str) -> Result<i64, TimestampError> {
    let mut rest = Cursor(text.as_bytes());
    let year = rest.digits(4)?;
    rest.expect(b"-")?;
    let month = rest.digits(2)?;
    rest.expect(b"-")?;
    let day = rest.digits(2)?;
    rest.expect(b"Tt ")?;
    let hour = rest.digits(2)?;
    rest.expect(b":")?;
    let minute = rest.digits(2)?;
    rest.expect(b":")?;
    let second = rest.digits(2)?;
    let millisecond = rest.fraction_ms()?;
    let offset_ms = rest.offset_ms()?;
    if !rest.0.is_empty() {
        return Err(TimestampError::Form);
    }
    in_range("month", month, 1, 12)?;
    in_range("day", day, 1, days_in_month(year, month))?;
    in_range("hour", hour, 0, 23)?;
    in_range("minute", minute, 0, 59)?;
    // A leap second counts as the first second of the next minute, as POSIX time has it.
    in_range("second", second, 0, 60)?;
    let time_ms = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond;
    Ok(days_from_civil(year, month, day) * DAY_MS + time_ms - offset_ms)
}

/// The timestamp in UTC with milliseconds; a moment outside the years 0 to 9999 stays a number.
pub(crate) fn format(timestamp_ms: i64) -> String {
    let (days, time_ms) = (timestamp_ms.div_euclid(DAY_MS), timestamp_ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil_from_days(days);
    if !(0..=9999).contains(&year) {
        return format!("{timestamp_ms} ms");
    }
    let (seconds, ms) = (time_ms / 1000, time_ms % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

fn in_range(field: &'static str, value: i64, low: i64, high: i64) -> Result<(), TimestampError> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(TimestampError::Range { field }) }
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

// Both conversions count in years that begin on the first of March, so that the leap day is the last day of its year, and
// in eras of 400 years, which all have 146,097 days.

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let march_year = if month <= 2 { year - 1 } else { year };
    let era = march_year.div_euclid(400);
    let year_of_era = march_year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn next_if(&mut self, accept: impl Fn(u8) -> bool) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !accept(*first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    fn expect(&mut self, any_of: &[u8]) -> Result<u8, TimestampError> {
        self.next_if(|byte| any_of.contains(&byte)).ok_or(TimestampError::Form)
    }

    fn digits(&mut self, count: usize) -> Result<i64, TimestampError> {
        let mut value = 0;
        for _ in 0..count {
            let digit = self.next_if(|byte| byte.is_ascii_digit()).ok_or(TimestampError::Form)?;
            value = value * 10 + i64::from(digit - b'0');
        }
        Ok(value)
    }

    fn fraction_ms(&mut self) -> Result<i64, TimestampError> {
        if self.next_if(|byte| byte == b'.').is_none() {
            return Ok(0);
        }
        let mut milliseconds = self.digits(1)? * 100;
        let mut unit = 10;
        while let Some(digit) = self.next_if(|byte| byte.is_ascii_digit()) {
            milliseconds += i64::from(digit - b'0') * unit;
            unit /= 10;
        }
        Ok(milliseconds)
    }

    fn offset_ms(&mut self) -> Result<i64, TimestampError> {
        let sign = match self.expect(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let hours = self.digits(2)?;
        self.expect(b":")?;
        let minutes = self.digits(2)?;
        in_range("the offset's hour", hours, 0, 23)?;
        in_range("the offset's minute", minutes, 0, 59)?;
        Ok(sign * (hours * 60 + minutes) * 60_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        // Checked against `date -d … +%s`.
        assert_eq!(parse("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(parse("2026-11-24T18:37:43Z"), Ok(1_795_545_463_000));
        assert_eq!(parse("2000-02-29T12:00:00.5+01:00"), Ok(951_822_000_500));
        assert_eq!(parse("1969-12-31t23:59:59.999z"), Ok(-1));
        assert_eq!(parse("2016-12-31 23:59:60-00:30"), Ok(1_483_230_600_000));
        assert_eq!(parse("2024-05-01T00:00:00.1239Z"), Ok(1_714_521_600_123));
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        let forms =
            ["", "2024", "2024-05-01", "2024-05-01T10:00:00", "2024-05-01T10:00Z", "24-05-01T10:00:00Z"];
        for text in
            forms.iter().chain(&["2024-05-01T10:00:00.Z", "2024-05-01T10:00:00Zx", "＋024-05-01T10:00:00Z"])
        {
            assert_eq!(parse(text), Err(TimestampError::Form), "{text}");
        }
        for (text, field) in [
            ("2023-02-29T00:00:00Z", "day"),
            ("1900-02-29T00:00:00Z", "day"),
            ("2024-13-01T00:00:00Z", "month"),
            ("2024-01-01T24:00:00Z", "hour"),
            ("2024-01-01T00:60:00Z", "minute"),
            ("2024-01-01T00:00:61Z", "second"),
            ("2024-01-01T00:00:00+24:00", "the offset's hour"),
        ] {
            assert_eq!(parse(text), Err(TimestampError::Range { field }), "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_comes_back() {
        let first = days_from_civil(1600, 1, 1);
        let mut expected = (1600, 1, 1);
        for days in first..first + 2 * 146_097 {
            assert_eq!(civil_from_days(days), expected);
            assert_eq!(days_from_civil(expected.0, expected.1, expected.2), days);
            let (year, month, day) = expected;
            expected = if day < days_in_month(year, month) {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
    }

    #[test]
    fn formatting_is_the_inverse_of_parsing() {
        for text in ["2026-11-24T18:37:43.007Z", "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        for extreme in [i64::MIN, i64::MAX] {
            assert_eq!(format(extreme), format!("{extreme} ms"));
        }
    }
}
