//! A finished file takes its place in the log: one change under the log's lock. The old files stay until a checkpoint knows
//! the new one.

use super::job::Source;
use crate::{
    ids::Offset,
    storage::{
        engine::{Engine, LogCore},
        segment::Segment,
        state::LogState,
    },
};
use std::ops::Range;

impl Engine {
    /// Puts `segment` in the place of `group`. `false`: the log has changed meanwhile, and is as it was.
    pub(super) fn put_in_place(&self, core: &LogCore, group: &[Source], mut segment: Segment) -> bool {
        let _changing = core.changing.lock();
        let mut state = core.state.lock();
        let Some(place) = place_of(&state, group).filter(|_| !self.is_closed()) else { return false };
        // The same offsets belong to it, whatever its last batch is.
        segment.end = group.last().map_or(segment.end, |last| last.end.max(segment.end));
        let old: Vec<Segment> = state.segments.splice(place, [segment]).collect();
        for old in old {
            if let Some(open) = old.open.upgrade() {
                self.files.forget(&open);
            }
            state.replaced.push(old.id());
        }
        #[cfg(feature = "planted-bugs")]
        if self.options.plant == Some(crate::storage::options::StorePlant::ReplacedRemovedAtOnce) {
            for id in std::mem::take(&mut state.replaced) {
                // A planted bug does not look at errors.
                let _ = self.files.remove(core.id, crate::storage::layout::LogFile::Segment(id));
            }
        }
        state.names_changed += 1;
        self.touch(core.id, &mut state);
        true
    }

    /// A round has come to its end: the next one need not look there for keys.
    pub(super) fn note_compacted(&self, core: &LogCore, to: Offset) {
        let _changing = core.changing.lock();
        let mut state = core.state.lock();
        if state.closed || to > state.end {
            return;
        }
        state.compacted_to = state.compacted_to.max(to);
        self.touch(core.id, &mut state);
    }
}

/// Whether all of these segments are still there as they were, closed, one behind the other.
fn place_of(state: &LogState, group: &[Source]) -> Option<Range<usize>> {
    let (first, closed) = (group.first()?, state.segments.len().checked_sub(1)?);
    let from = state.segments.iter().position(|segment| segment.id() == first.id)?;
    let place = from..from + group.len();
    let same =
        state.segments.get(place.clone())?.iter().zip(group).all(|(segment, source)| source.is(segment));
    (same && place.end <= closed && !state.closed && state.truncating.is_none()).then_some(place)
}
