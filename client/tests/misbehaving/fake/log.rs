//! One partition in memory, with what a broker remembers of its producers.

use bytes::Bytes;
use cairn_proto::{
    record::{Batch, DecompressLimit},
    v1::ErrorCode,
};
use std::collections::{BTreeMap, VecDeque};

const LIMIT: DecompressLimit = DecompressLimit { bytes_max: 64 << 20 };

#[derive(Clone, Debug, Default)]
pub(crate) struct PartitionLog {
    /// Stamped batches.
    pub(crate) batches: Vec<Bytes>,
    pub(crate) start: i64,
    pub(crate) end: i64,
    producers: BTreeMap<i64, Producer>,
}

#[derive(Clone, Debug, Default)]
struct Producer {
    epoch: i16,
    next_sequence: i32,
    /// (first sequence, base offset)
    recent: VecDeque<(i32, i64)>,
}

impl PartitionLog {
    /// The base offset, the original one for a duplicate.
    pub(crate) fn append(&mut self, bytes: Bytes) -> Result<i64, ErrorCode> {
        let batch = Batch::parse(bytes).or(Err(ErrorCode::CorruptBatch))?;
        batch.validate_produced(LIMIT).or(Err(ErrorCode::InvalidRecord))?;
        let header = *batch.header();
        if header.producer_id >= 0 {
            let known = self.producers.entry(header.producer_id).or_default();
            if header.producer_epoch < known.epoch {
                return Err(ErrorCode::ProducerFenced);
            }
            if header.producer_epoch > known.epoch {
                *known = Producer { epoch: header.producer_epoch, ..Producer::default() };
            }
            if let Some((_, base)) = known.recent.iter().find(|(first, _)| *first == header.base_sequence) {
                return Ok(*base);
            }
            if header.base_sequence != known.next_sequence {
                return Err(ErrorCode::OutOfOrderSequence);
            }
            known.next_sequence = header.last_sequence().wrapping_add(1);
            known.recent.push_back((header.base_sequence, self.end));
            if known.recent.len() > 5 {
                known.recent.pop_front();
            }
        }
        let base = self.end;
        let stamped = batch.stamp(base, 1, None);
        self.end = stamped.header().next_offset();
        self.batches.push(stamped.to_bytes());
        Ok(base)
    }

    /// Whole batches from `offset` on, at least one if there is one.
    pub(crate) fn read(&self, offset: i64, bytes_max: usize) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        for batch in &self.batches {
            if Batch::parse(batch.clone()).unwrap().header().last_offset() < offset {
                continue;
            }
            if !taken.is_empty() && bytes + batch.len() > bytes_max {
                break;
            }
            bytes += batch.len();
            taken.push(batch.clone());
        }
        taken
    }

    pub(crate) fn values(&self) -> Vec<String> {
        let batches = self.batches.iter().map(|batch| Batch::parse(batch.clone()).unwrap());
        let records = batches.flat_map(|batch| batch.records(LIMIT).unwrap());
        records
            .map(|record| String::from_utf8_lossy(&record.unwrap().value.unwrap_or_default()).into_owned())
            .collect()
    }
}
