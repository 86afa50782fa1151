//! What a measurement says: one object for machines, three lines for people.

use crate::table;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

/// Latencies beyond this are counted as this.
const LATENCY_US_MAX: u64 = 3_600_000_000;

/// Latencies, recorded in microseconds with three digits kept.
#[derive(Debug)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram accepts")]
    pub(super) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("1 to an hour, three digits"))
    }

    /// One more.
    pub(super) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LATENCY_US_MAX));
    }

    /// Takes in those of another.
    pub(super) fn add(&mut self, other: &Latencies) {
        // Both have the same bounds, so every value fits.
        let _ = self.0.add(&other.0);
    }

    fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Quantiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: self.0.max() }
    }
}

/// Latencies in microseconds: so much of all were at most this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Quantiles {
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

/// A measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_second: f64,
    mib_per_second: f64,
    latency_us: Quantiles,
}

impl Report {
    /// `bytes` are those of the values.
    #[expect(clippy::cast_precision_loss, reason = "rates for people; 53 bits are enough")]
    pub(super) fn new(records: u64, bytes: u64, took: Duration, latencies: &Latencies) -> Self {
        let seconds = took.as_secs_f64().max(1e-9);
        Self {
            records,
            bytes,
            seconds,
            records_per_second: records as f64 / seconds,
            mib_per_second: bytes as f64 / f64::from(1 << 20) / seconds,
            latency_us: latencies.quantiles(),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let Quantiles { p50, p90, p99, p999, max } = self.latency_us;
        format!(
            "{} records, {} in {:.3} s\n{:.0} records/s   {:.1} MiB/s\nlatency   p50 {}   p90 {}   p99 {}   p99.9 {}   max {}\n",
            self.records,
            table::bytes(self.bytes),
            self.seconds,
            self.records_per_second,
            self.mib_per_second,
            milliseconds(p50),
            milliseconds(p90),
            milliseconds(p99),
            milliseconds(p999),
            milliseconds(max)
        )
    }
}

fn milliseconds(microseconds: u64) -> String {
    format!("{}.{:03} ms", microseconds / 1000, microseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_exactly_the_documented_keys() {
        let mut latencies = Latencies::new();
        for milliseconds in 1..=1000 {
            latencies.record(Duration::from_millis(milliseconds));
        }
        let mut others = Latencies::new();
        others.record(Duration::from_secs(100_000));
        latencies.add(&others);
        let report = Report::new(1000, 2 << 20, Duration::from_millis(500), &latencies);
        let value = serde_json::to_value(&report).unwrap();
        let mut keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        keys.sort();
        let expected = ["bytes", "latency_us", "mib_per_second", "records", "records_per_second", "seconds"];
        assert_eq!(keys, expected);
        assert_eq!(value["records_per_second"], 2000.0);
        assert_eq!(value["mib_per_second"], 4.0);
        let near = |name: &str, expected: u64| {
            let found = value["latency_us"][name].as_u64().unwrap();
            assert!(found.abs_diff(expected) * 1000 <= expected, "{name} is {found}, not {expected}");
        };
        near("p50", 501_000);
        near("p90", 901_000);
        near("p99", 991_000);
        near("p999", 1_000_000);
        near("max", LATENCY_US_MAX);
        assert_eq!(value["latency_us"].as_object().unwrap().len(), 5);
    }

    #[test]
    fn nothing_measured_is_zero_and_not_a_division_by_it() {
        let text = Report::new(0, 0, Duration::ZERO, &Latencies::new()).text();
        assert!(text.starts_with("0 records, 0 B in 0.000 s\n0 records/s   0.0 MiB/s\n"), "{text}");
    }
}
