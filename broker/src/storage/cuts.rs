//! The truncations and log starts of a journal's tail, known before it is replayed. A segment that a later truncation has cut already no
//! longer holds the place that an earlier one names: the earlier one is passed over, and the later one finds its place. Nor
//! need a segment be there that lies below a later log start.

use crate::ids::{LogId, Offset};
use std::collections::BTreeMap;

/// What the tail removes.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    /// For each log its truncate frames in order: the sequence, and the lowest end of this and all later ones.
    ends: BTreeMap<LogId, Vec<(u64, Offset)>>,
    /// The highest start of each log.
    starts: BTreeMap<LogId, Offset>,
}

impl Cuts {
    /// Notes a truncate frame; frames come in the order of their sequence.
    pub(super) fn note(&mut self, log: LogId, sequence: u64, end: Offset) {
        let frames = self.ends.entry(log).or_default();
        for (_, lowest) in frames.iter_mut().rev().take_while(|(_, lowest)| *lowest > end) {
            *lowest = end;
        }
        frames.push((sequence, end));
    }

    /// Notes a log-start frame.
    pub(super) fn note_start(&mut self, log: LogId, start: Offset) {
        let highest = self.starts.entry(log).or_default();
        *highest = start.max(*highest);
    }

    /// Whether what ends at `end` lies below a log start of the tail: its segment may be gone.
    pub(super) fn is_below_start(&self, log: LogId, end: Offset) -> bool {
        self.starts.get(&log).is_some_and(|start| end <= *start)
    }

    /// Whether what the frame of this sequence did at `offset` or above is undone by a later truncation.
    pub(super) fn undo(&self, log: LogId, sequence: u64, offset: Offset) -> bool {
        let Some(frames) = self.ends.get(&log) else { return false };
        let later = frames.partition_point(|(at, _)| *at <= sequence);
        frames.get(later).is_some_and(|(_, lowest)| *lowest <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_later_and_lower_truncations_undo() {
        let (log, mut cuts) = (LogId(1), Cuts::default());
        for (sequence, end) in [(10, 50), (20, 40), (30, 45)] {
            cuts.note(log, sequence, Offset(end));
        }
        for (sequence, offset, undone) in [
            (5, 39, false),
            (5, 40, true),
            (10, 50, true),
            (15, 40, true),
            (20, 40, false),
            (20, 45, true),
            (25, 44, false),
            (30, 99, false),
        ] {
            assert_eq!(cuts.undo(log, sequence, Offset(offset)), undone, "frame {sequence} at {offset}");
        }
        assert!(!cuts.undo(LogId(2), 5, Offset(99)));
    }
}
