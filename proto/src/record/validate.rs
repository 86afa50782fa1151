//! What a leader accepts from a producer. One pass over the header and one over the records, nothing allocated unless
//! the batch is compressed; the first thing wrong is the answer.

use super::{
    Batch, BatchError, BatchHeader, DecompressLimit, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    NO_TIMESTAMP_MS, ProducedProblem, RecordProblem, TimestampType,
    header::{APPEND_TIME_BIT, COMPRESSION_MASK, CONTROL_BIT, TRANSACTIONAL_BIT},
    records::RawRecord,
    varint::Reader,
};

/// Records without a key that an error names at most.
const KEYLESS_NAMED_MAX: usize = 1000;

/// What a topic asks of each record, beyond what holds for every batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRules {
    /// Every record needs a key: the topic is compacted.
    pub keys_required: bool,
    /// A record with a timestamp below this is refused, in ms; one without a timestamp is not.
    pub timestamp_min_ms: i64,
}

impl Default for RecordRules {
    fn default() -> Self {
        Self { keys_required: false, timestamp_min_ms: i64::MIN }
    }
}

/// See [`Batch::validate_produced_under`].
pub(super) fn produced(batch: &Batch, limit: DecompressLimit, rules: RecordRules) -> Result<(), BatchError> {
    batch.check_crc()?;
    let header = batch.header();
    header.compression()?;
    check_header(header)?;
    let records = batch.plain_records(limit)?;
    check_records(header, &records, rules)
}

fn check_header(header: &BatchHeader) -> Result<(), ProducedProblem> {
    let BatchHeader { base_offset, record_count, last_offset_delta, attributes, .. } = *header;
    if base_offset != 0 {
        return Err(ProducedProblem::BaseOffset { base_offset });
    }
    if record_count == 0 {
        return Err(ProducedProblem::Empty);
    }
    if record_count.saturating_sub(1) != last_offset_delta {
        return Err(ProducedProblem::LastOffsetDelta { record_count, last_offset_delta });
    }
    if header.is_control() {
        return Err(ProducedProblem::Control);
    }
    if header.timestamp_type() == TimestampType::LogAppend {
        return Err(ProducedProblem::AppendTime);
    }
    if attributes & !(COMPRESSION_MASK | APPEND_TIME_BIT | TRANSACTIONAL_BIT | CONTROL_BIT) != 0 {
        return Err(ProducedProblem::Attributes { attributes });
    }
    check_producer(header)
}

/// Without a producer id, epoch and sequence mean nothing: -1 by the protocol, and 0 from clients that leave the
/// fields alone. Anything else is a producer that lost its id.
fn check_producer(header: &BatchHeader) -> Result<(), ProducedProblem> {
    let BatchHeader { producer_id, producer_epoch, base_sequence, .. } = *header;
    let consistent = if producer_id == NO_PRODUCER_ID {
        (NO_PRODUCER_EPOCH..=0).contains(&producer_epoch) && (NO_SEQUENCE..=0).contains(&base_sequence)
    } else {
        producer_id >= 0 && producer_epoch >= 0 && base_sequence >= 0
    };
    if !consistent {
        return Err(ProducedProblem::Producer { producer_id, producer_epoch, base_sequence });
    }
    if header.is_transactional() && producer_id == NO_PRODUCER_ID {
        return Err(ProducedProblem::TransactionWithoutProducer);
    }
    Ok(())
}

fn check_records(header: &BatchHeader, records: &[u8], rules: RecordRules) -> Result<(), BatchError> {
    let mut reader = Reader::new(records, 0);
    let mut actual_ms = i64::MIN;
    let mut keyless = Vec::new();
    for index in 0..header.record_count {
        let position = reader.position();
        let (timestamp_ms, has_key) = check_record(header, &mut reader, index)
            .map_err(|problem| BatchError::Record { index, position, problem })?;
        if timestamp_ms < NO_TIMESTAMP_MS {
            return Err(ProducedProblem::Timestamp { index, timestamp_ms }.into());
        }
        if timestamp_ms < rules.timestamp_min_ms && timestamp_ms != NO_TIMESTAMP_MS {
            let timestamp_min_ms = rules.timestamp_min_ms;
            return Err(ProducedProblem::TooOld { index, timestamp_ms, timestamp_min_ms }.into());
        }
        if rules.keys_required && !has_key && keyless.len() < KEYLESS_NAMED_MAX {
            keyless.push(index);
        }
        actual_ms = actual_ms.max(timestamp_ms);
    }
    if reader.remaining() != 0 {
        let extra_bytes = reader.remaining();
        return Err(BatchError::BytesAfterRecords { record_count: header.record_count, extra_bytes });
    }
    if !keyless.is_empty() {
        return Err(BatchError::Keyless { indexes: keyless });
    }
    // The last of all: who puts it right has a batch that may be sent.
    let declared_ms = header.max_timestamp_ms;
    if declared_ms != actual_ms {
        return Err(ProducedProblem::MaxTimestamp { declared_ms, actual_ms }.into());
    }
    Ok(())
}

/// The record's timestamp and whether it has a key, once its framing and its offset are right.
fn check_record(
    header: &BatchHeader,
    reader: &mut Reader<'_>,
    index: i32,
) -> Result<(i64, bool), RecordProblem> {
    let raw = RawRecord::read(reader)?;
    if raw.offset_delta != index {
        let offset_delta = raw.offset_delta;
        return Err(RecordProblem::OffsetDelta { offset_delta, expected_min: index, expected_max: index });
    }
    Ok((header.record_timestamp(raw.timestamp_delta_ms)?, raw.key.is_some()))
}
