//! The log's start: it only rises, only with a recorded cause, and files go only after the frame that says so is durable.

use super::Log;
use crate::{
    ids::Offset,
    storage::{
        DeletionCause, TruncateError,
        frame::FrameBody,
        retention::{SegmentFacts, start_after_retention},
        state::LogState,
    },
};

impl Log {
    pub(super) fn raise_start(&self, start: Offset, cause: DeletionCause) -> Result<(), TruncateError> {
        let _changing = self.core.changing.lock();
        let mut state = self.core.state.lock();
        self.raise_locked(&mut state, start, cause)
    }

    fn raise_locked(
        &self,
        state: &mut LogState,
        start: Offset,
        cause: DeletionCause,
    ) -> Result<(), TruncateError> {
        if let Some(failure) = self.engine.journal.failure() {
            return Err(failure.into());
        }
        if state.closed || self.engine.is_closed() {
            return Err(TruncateError::Closed);
        }
        if start > state.end || start.get() < 0 {
            let (from, end) = (state.start, state.end);
            return Err(TruncateError::OutOfRange { offset: start, start: from, end });
        }
        if start <= state.start {
            return Ok(());
        }
        let log = self.core.id;
        let sequence = self.engine.enqueue(log, state, FrameBody::LogStart { start, cause })?;
        let gone = state.raise_start(start);
        self.core.publish(state);
        tracing::debug!(%log, %start, ?cause, segments = gone.len(), "log start moved");
        self.engine.doom_segments(log, &gone, sequence);
        Ok(())
    }

    pub(super) fn retain(&self, high_watermark: Offset) -> Result<Option<Offset>, TruncateError> {
        let _changing = self.core.changing.lock();
        let mut state = self.core.state.lock();
        if state.segments.len() < 2 {
            return Ok(None);
        }
        let facts: Vec<SegmentFacts> = state
            .segments
            .iter()
            .map(|segment| SegmentFacts {
                end: segment.end,
                bytes: segment.bytes,
                max_timestamp_ms: segment.index.max_timestamp_ms(),
                last_append_ms: segment.index.last_append_ms(),
            })
            .collect();
        let by_age = state.options.retention_ms.is_some();
        let now_ms = if by_age { self.engine.trusted_wall_ms() } else { None };
        let Some(start) = start_after_retention(&facts, &state.options, high_watermark, now_ms) else {
            return Ok(None);
        };
        if start <= state.start {
            return Ok(None);
        }
        self.raise_locked(&mut state, start, DeletionCause::Retention)?;
        Ok(Some(start))
    }
}
