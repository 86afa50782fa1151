//! What compaction may make of a log: batches and records may be missing, never changed or moved. Of each key the last
//! committed record stays; if that one has no value, it may go, and with it everything in front of it.

use super::model::{LogModel, ModelBatch};
use anyhow::{Context, Result, ensure};
use cairn_proto::record::{Batch, BatchHeader, DecompressLimit, Record};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const LIMIT: DecompressLimit = DecompressLimit { bytes_max: 1 << 24 };

/// Which part of a log some bytes show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// From the start to the end.
    Everything,
    /// From the batch at or behind this offset on.
    From(i64),
}

impl LogModel {
    /// Whether a log in this state may show these batches.
    pub(super) fn allows(&self, shown: &[u8], part: Shows) -> Result<()> {
        let from = match part {
            Shows::Everything => self.start,
            Shows::From(offset) => offset,
        };
        let expected = self.batches.iter().filter(|batch| batch.end > from);
        let whole: Vec<u8> = expected.clone().flat_map(|batch| batch.bytes.iter().copied()).collect();
        let same = match part {
            Shows::Everything => whole == shown,
            Shows::From(_) => whole.starts_with(shown),
        };
        if same {
            return Ok(());
        }
        ensure!(self.may_be_compacted, "{} bytes where {} other ones are", shown.len(), whole.len());
        let by_base: BTreeMap<i64, &Arc<ModelBatch>> = expected.map(|batch| (batch.base, batch)).collect();
        let (mut bases, mut offsets) = (BTreeSet::new(), BTreeSet::new());
        let mut rest = bytes::Bytes::copy_from_slice(shown);
        while let Some(batch) = Batch::split_first(&mut rest)? {
            let base = batch.header().base_offset;
            let original =
                by_base.get(&base).with_context(|| format!("a batch at {base}, where none was"))?;
            ensure!(bases.last().is_none_or(|last| *last < base), "batch {base} is out of order");
            bases.insert(base);
            offsets.extend(surviving(original, &batch).with_context(|| format!("batch {base}"))?);
        }
        if part == Shows::Everything {
            self.check_missing(&by_base, &bases, &offsets)?;
        }
        Ok(())
    }

    fn check_missing(
        &self,
        by_base: &BTreeMap<i64, &Arc<ModelBatch>>,
        bases: &BTreeSet<i64>,
        offsets: &BTreeSet<i64>,
    ) -> Result<()> {
        let mut last_of_key: BTreeMap<&[u8], &Record> = BTreeMap::new();
        let mut records = Vec::new();
        for batch in by_base.values() {
            for record in original_records(batch)? {
                if let Some(key) = record.key.as_ref().filter(|_| record.offset < self.committed) {
                    last_of_key.insert(key, record);
                }
                records.push(record);
            }
        }
        for record in records {
            let is_shown = offsets.contains(&record.offset);
            let last = record.key.as_ref().and_then(|key| last_of_key.get(&key[..]));
            let Some(last) = last.filter(|last| last.offset >= record.offset) else {
                ensure!(is_shown, "record {} is missing, and nothing supersedes it", record.offset);
                continue;
            };
            let last_is_shown = offsets.contains(&last.offset);
            ensure!(
                last_is_shown || last.value.is_none(),
                "record {} is missing, the last of its key",
                last.offset
            );
            ensure!(last_is_shown || !is_shown, "record {} is back: what deleted it is gone", record.offset);
        }
        for producer_id in 1..4 {
            for batch in self.repeatable(producer_id) {
                let base = batch.base;
                ensure!(
                    bases.contains(&base),
                    "batch {base} is missing, and producer {producer_id} may repeat it"
                );
            }
        }
        Ok(())
    }
}

/// The offsets of the records that are left of a batch; each of them is as it was.
fn surviving(original: &ModelBatch, shown: &Batch) -> Result<Vec<i64>> {
    if shown.bytes() == &original.bytes {
        return Ok(original_records(original)?.iter().map(|record| record.offset).collect());
    }
    ensure!(shown.crc_ok(), "its checksum is wrong");
    let (old, new) = (BatchHeader::parse(&original.bytes)?, shown.header());
    let kept = |header: &BatchHeader| {
        let range = (header.base_offset, header.next_offset(), header.leader_epoch);
        (range, header.producer_id, header.producer_epoch, header.base_sequence, header.timestamp_type())
    };
    ensure!(kept(&old) == kept(new), "{new:?} was {old:?}");
    let by_offset: BTreeMap<i64, &Record> =
        original_records(original)?.iter().map(|record| (record.offset, record)).collect();
    let left = records_of(shown)?;
    for record in &left {
        ensure!(by_offset.get(&record.offset) == Some(&record), "record {} has changed", record.offset);
    }
    Ok(left.into_iter().map(|record| record.offset).collect())
}

fn original_records(batch: &ModelBatch) -> Result<&[Record]> {
    if let Some(records) = batch.records.get() {
        return Ok(records);
    }
    let records = records_of(&Batch::parse(batch.bytes.clone())?)?;
    Ok(batch.records.get_or_init(|| records))
}

fn records_of(batch: &Batch) -> Result<Vec<Record>> {
    batch.records(LIMIT)?.map(|record| record.context("a record")).collect()
}
