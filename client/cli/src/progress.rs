//! Progress of long work, drawn on standard error and only where that is a terminal.

use crate::output;
use indicatif::{ProgressBar, ProgressStyle};
use std::{borrow::Cow, time::Duration};

/// A bar that is removed when it is dropped; without a terminal it does nothing.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Counts records up to `total`.
    pub(crate) fn records(total: u64) -> Self {
        Self::visible(
            || ProgressBar::new(total),
            "{bar:30} {percent:>3} %  {human_pos} of {human_len} records  {per_sec}  {eta} left",
        )
    }

    /// Counts bytes up to `total`, or just up where that is not known.
    pub(crate) fn bytes(total: Option<u64>) -> Self {
        match total {
            Some(total) => Self::visible(
                || ProgressBar::new(total),
                "{bar:30} {percent:>3} %  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left  {wide_msg}",
            ),
            None => Self::visible(ProgressBar::no_length, "{spinner} {binary_bytes}  {binary_bytes_per_sec}"),
        }
    }

    fn visible(bar: impl FnOnce() -> ProgressBar, template: &str) -> Self {
        if !output::progress_is_visible() {
            return Self(ProgressBar::hidden());
        }
        let bar = bar();
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// So much more is done.
    pub(crate) fn advance(&self, amount: u64) {
        self.0.inc(amount);
    }

    /// So much is done in all, out of so much.
    pub(crate) fn set(&self, position: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(position);
    }

    /// What is worked on.
    pub(crate) fn message(&self, text: impl Into<Cow<'static, str>>) {
        self.0.set_message(text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
