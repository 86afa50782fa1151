//! Medians, percentiles and the one-line form in which a benchmark states its figure against its limit.

use std::time::Duration;

/// The median of some measurements; zero of none. With an even count the lower of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// The smallest value that at least this share (0 to 1) of the durations do not exceed, in microseconds.
pub fn percentile_us(durations: &mut [Duration], share: f64) -> f64 {
    durations.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is an index"
    )]
    let index = ((durations.len() as f64 * share).ceil() as usize).saturating_sub(1);
    durations.get(index).map_or(0.0, |duration| duration.as_secs_f64() * 1e6)
}

/// One row of the table: what was measured (a name and a figure), what it is held against, and how far it should reach.
pub fn row(measured: (&str, f64), limit: (&str, f64), unit: &str, reach: &str) -> String {
    let ratio = if limit.1 == 0.0 { f64::NAN } else { measured.1 / limit.1 };
    format!(
        "{}: {:.1} {unit} = {ratio:.2} x {} ({:.1} {unit}); to reach: {reach}",
        measured.0, measured.1, limit.0, limit.1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn percentiles_count_from_below() {
        let mut durations: Vec<_> = (1..=100).rev().map(Duration::from_micros).collect();
        assert_eq!(percentile_us(&mut durations, 0.5).round(), 50.0);
        assert_eq!(percentile_us(&mut durations, 0.99).round(), 99.0);
        assert_eq!(percentile_us(&mut durations, 1.0).round(), 100.0);
    }
}
