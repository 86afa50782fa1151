//! Comparing a store with the model: which of the allowed states does each log show? One that shows none of them breaks
//! I34 (prefix, durable end), I35 (no resurrection), I39 (start never falls) or I17 (epochs).

use super::{
    model::{LogModel, Model},
    reduction::Shows,
};
use anyhow::{Context, Result, anyhow, ensure};
use bytes::{Bytes, BytesMut};
use cairn_broker::{
    ids::{LeaderEpoch, LogId, Offset},
    storage::{Log, Residency, Store},
};
use std::collections::BTreeMap;

/// What a log shows.
#[derive(Debug)]
struct Shown {
    start: i64,
    end: i64,
    bytes: Bytes,
}

/// The state of every log, which is one of those that the model allows.
pub(super) fn states_of(store: &Store, model: &Model) -> Result<BTreeMap<u64, LogModel>> {
    let known: BTreeMap<u64, _> = model.histories().collect();
    for id in store.log_ids() {
        ensure!(known.contains_key(&id.get()), "log {id} exists and was never created");
    }
    let mut states = BTreeMap::new();
    for (id, history) in known {
        let shown = store.log(LogId(id)).map(|log| show(&log).map(|shown| (log, shown))).transpose();
        let shown = shown.with_context(|| format!("log {id}"))?;
        let Some((log, shown)) = shown else {
            let may_be_absent = history.allowed().any(|state| state.is_none());
            ensure!(may_be_absent, "log {id} is gone; allowed is {}", describe(history.allowed()));
            continue;
        };
        let found = history.allowed().flatten().find(|state| matches(state, &log, &shown));
        let mut state = found.cloned().ok_or_else(|| {
            let (start, end, bytes) = (shown.start, shown.end, shown.bytes.len());
            let allowed = describe(history.allowed());
            let newest = history.allowed().flatten().next();
            let why = newest.and_then(|state| state.allows(&shown.bytes, Shows::Everything).err());
            let why = why.map(|why| format!("; of the newest: {why:#}")).unwrap_or_default();
            anyhow!(
                "log {id} shows {start}..{end} ({bytes} bytes, {}), allowed is {allowed}{why}",
                epochs_of(&log)
            )
        })?;
        let written = state.written_epochs().to_vec();
        state.epochs = written;
        state.advance_start(shown.start);
        state.start_max = state.start;
        ensure!(log.durable().get() == shown.end, "log {id}: what was recovered is not durable");
        ensure!(log.stored_high_watermark() <= log.end(), "log {id}: a high watermark above the end");
        ensure!(log.damaged_ranges().is_empty(), "log {id}: damage {:?}", log.damaged_ranges());
        states.insert(id, state);
    }
    Ok(states)
}

fn show(log: &Log) -> Result<Shown> {
    let (start, end) = (log.start(), log.end());
    Ok(Shown { start: start.get(), end: end.get(), bytes: read_all(log, start, end)? })
}

/// All batches from the one that holds `start`.
pub(super) fn read_all(log: &Log, start: Offset, end: Offset) -> Result<Bytes> {
    let (mut offset, mut bytes) = (start, BytesMut::new());
    while offset < end {
        let run =
            log.read(offset, end, 4_096, Residency::MayBlock).with_context(|| format!("offset {offset}"))?;
        ensure!(run.next_offset > offset && run.next_offset <= end, "reading at {offset} leads to {run:?}");
        bytes.extend_from_slice(&run.bytes);
        offset = run.next_offset;
    }
    Ok(bytes.freeze())
}

fn matches(state: &LogModel, log: &Log, shown: &Shown) -> bool {
    if shown.end != state.end || !(state.start..=state.start_max).contains(&shown.start) {
        return false;
    }
    let mut state = state.clone();
    state.advance_start(shown.start);
    state.allows(&shown.bytes, Shows::Everything).is_ok() && epochs_match(&state, log)
}

fn epochs_match(state: &LogModel, log: &Log) -> bool {
    let written = state.written_epochs();
    written.iter().enumerate().all(|(index, (epoch, _))| {
        let end = written.get(index + 1).map_or(state.end, |(_, next)| *next);
        log.end_offset_for(LeaderEpoch(*epoch)) == Some((LeaderEpoch(*epoch), Offset(end)))
    })
}

fn epochs_of(log: &Log) -> String {
    let ends: Vec<_> = (0..=log.latest_epoch().map_or(-1, LeaderEpoch::get))
        .filter_map(|epoch| log.end_offset_for(LeaderEpoch(epoch)))
        .map(|(epoch, end)| (epoch.get(), end.get()))
        .collect();
    let ends = ends.get(ends.len().saturating_sub(5)..).unwrap_or_default();
    format!("epoch ends {ends:?}")
}

fn describe<'a>(states: impl Iterator<Item = Option<&'a LogModel>>) -> String {
    let one = |state: Option<&LogModel>| match state {
        None => "absent".to_string(),
        Some(state) => {
            let bytes: usize = state.batches.iter().map(|batch| batch.bytes.len()).sum();
            let start_max =
                if state.start_max > state.start { format!("..={}", state.start_max) } else { String::new() };
            format!("{}{start_max}..{} ({bytes} bytes, epochs {:?})", state.start, state.end, state.epochs)
        }
    };
    states.map(one).collect::<Vec<_>>().join(", or ")
}
