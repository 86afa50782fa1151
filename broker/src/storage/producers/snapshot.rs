//! Producer state on disk: a whole snapshot file, and what changed since one for the checkpoint. What was written is read
//! back equal, or refused; the state can always be built again from the batches.

use super::{BATCHES_MAX, CachedBatch, Producer, Producers};
use crate::{
    ids::Offset,
    storage::decode::{Cursor, DecodeError, count_of, seal, unseal},
};
use std::collections::VecDeque;

const FILE_MAGIC: [u8; 4] = *b"CPRD";
const FILE_VERSION: u8 = 1;
/// Id, epoch, end, transaction start, time, count of batches.
const PRODUCER_BYTES_MIN: usize = 8 + 2 + 8 + 8 + 8 + 1;
/// For an offset or a time that is not there.
const NONE: i64 = -1;

impl Producers {
    /// The snapshot file of the state at the log end `end`.
    pub(in crate::storage) fn encode_snapshot(&self, end: Offset) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&FILE_MAGIC);
        out.push(FILE_VERSION);
        out.extend_from_slice(&end.get().to_le_bytes());
        self.encode_since(Offset::ZERO, &mut out);
        seal(out)
    }

    /// Reads a snapshot file of the state at the log end `end`.
    ///
    /// # Errors
    /// It is damaged, of another version, or of another offset.
    pub(in crate::storage) fn decode_snapshot(sealed: &[u8], end: Offset) -> Result<Self, DecodeError> {
        let mut bytes = Cursor::new(unseal(sealed)?);
        if bytes.array()? != FILE_MAGIC {
            return Err(bytes.error("this is not a producer snapshot"));
        }
        if bytes.u8()? != FILE_VERSION {
            return Err(bytes.error("a producer snapshot of another version"));
        }
        if bytes.i64()? != end.get() {
            return Err(bytes.error("a producer snapshot of another offset"));
        }
        let mut producers = Self::default();
        producers.decode_onto(&mut bytes)?;
        if producers.reaches_beyond(end) {
            return Err(bytes.error("a producer snapshot reaches beyond its own offset"));
        }
        bytes.finish()?;
        Ok(producers)
    }

    /// Appends the producers with a batch behind `since`: with a snapshot at `since` they are the whole state, but for those
    /// that expired in between (they expire again). No checksum of its own.
    pub(in crate::storage) fn encode_since(&self, since: Offset, out: &mut Vec<u8>) {
        let changed = || self.by_id.iter().filter(|(_, producer)| producer.end_offset > since);
        out.push(u8::from(self.any_expired));
        out.extend_from_slice(&count_of(changed().count()));
        for (id, producer) in changed() {
            out.extend_from_slice(&id.to_le_bytes());
            encode_producer(producer, out);
        }
    }

    /// Takes what [`Producers::encode_since`] wrote off the front of some bytes and lays it over this state.
    ///
    /// # Errors
    /// The bytes end early or describe an impossible state. A part may have been laid over then.
    pub(in crate::storage) fn decode_onto(&mut self, bytes: &mut Cursor<'_>) -> Result<(), DecodeError> {
        match bytes.u8()? {
            0 => {}
            1 => self.any_expired = true,
            _ => return Err(bytes.error("a flag is neither 0 nor 1")),
        }
        let count = bytes.count(PRODUCER_BYTES_MIN)?;
        let mut last_id = NONE;
        for _ in 0..count {
            let before = *bytes;
            let id = bytes.i64()?;
            if id <= last_id {
                return Err(before.error("producer ids are negative or do not increase"));
            }
            last_id = id;
            self.by_id.insert(id, decode_producer(bytes)?);
        }
        Ok(())
    }
}

fn encode_producer(producer: &Producer, out: &mut Vec<u8>) {
    out.extend_from_slice(&producer.epoch.to_le_bytes());
    out.extend_from_slice(&producer.end_offset.get().to_le_bytes());
    out.extend_from_slice(&producer.transaction_start.map_or(NONE, Offset::get).to_le_bytes());
    out.extend_from_slice(&producer.recorded_ms.to_le_bytes());
    // At most BATCHES_MAX.
    out.push(u8::try_from(producer.batches.len()).unwrap_or(u8::MAX));
    for batch in &producer.batches {
        out.extend_from_slice(&batch.base_sequence.to_le_bytes());
        out.extend_from_slice(&batch.last_sequence.to_le_bytes());
        out.extend_from_slice(&batch.base_offset.get().to_le_bytes());
        out.extend_from_slice(&batch.end_offset.get().to_le_bytes());
        out.push(u8::from(batch.append_time_ms.is_some()));
        out.extend_from_slice(&batch.append_time_ms.unwrap_or(NONE).to_le_bytes());
    }
}

fn decode_producer(bytes: &mut Cursor<'_>) -> Result<Producer, DecodeError> {
    let start = *bytes;
    let epoch = bytes.i16()?;
    let end_offset = Offset(bytes.i64()?);
    let transaction_start = match bytes.i64()? {
        NONE => None,
        offset if (0..end_offset.get()).contains(&offset) => Some(Offset(offset)),
        _ => return Err(start.error("a transaction begins outside the log")),
    };
    let recorded_ms = bytes.i64()?;
    let count = usize::from(bytes.u8()?);
    if count > BATCHES_MAX || epoch < 0 || end_offset.get() <= 0 {
        return Err(start.error("a producer's epoch, end or count of batches is out of range"));
    }
    let mut batches: VecDeque<CachedBatch> = VecDeque::with_capacity(count);
    for _ in 0..count {
        let before = *bytes;
        let batch = decode_batch(bytes)?;
        let floor = batches.back().map_or(Offset::ZERO, |last| last.end_offset);
        if batch.base_offset < floor || batch.end_offset > end_offset {
            return Err(before.error("a producer's batches overlap or reach beyond its end"));
        }
        batches.push_back(batch);
    }
    Ok(Producer { epoch, batches, end_offset, transaction_start, recorded_ms })
}

fn decode_batch(bytes: &mut Cursor<'_>) -> Result<CachedBatch, DecodeError> {
    let start = *bytes;
    let (base_sequence, last_sequence) = (bytes.i32()?, bytes.i32()?);
    let (base_offset, end_offset) = (Offset(bytes.i64()?), Offset(bytes.i64()?));
    let append_time_ms = match (bytes.u8()?, bytes.i64()?) {
        (0, _) => None,
        (1, time_ms) => Some(time_ms),
        _ => return Err(start.error("a flag is neither 0 nor 1")),
    };
    if base_sequence < 0 || last_sequence < 0 || base_offset.get() < 0 || end_offset <= base_offset {
        return Err(start.error("a batch's sequences or offsets are out of range"));
    }
    Ok(CachedBatch { base_sequence, last_sequence, base_offset, end_offset, append_time_ms })
}
