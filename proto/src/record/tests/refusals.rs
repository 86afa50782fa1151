//! Every refusal of a header, a record and a produced batch, one by one, from a batch that is right but for that.

use super::samples::{LIMIT, Sample, build, read, small};
use crate::record::{
    Batch, BatchBuilder, BatchError, BatchHeader, BatchOptions, Compression, ProducedProblem, RecordProblem,
    crc32c,
};
use bytes::Bytes;

/// The batch with a changed header and a right checksum.
fn with_header(batch: &Batch, change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut header = *batch.header();
    change(&mut header);
    let mut bytes = batch.bytes().to_vec();
    bytes[..61].copy_from_slice(&header.encode());
    header.crc = crc32c(&bytes[21..]);
    bytes[..61].copy_from_slice(&header.encode());
    Bytes::from(bytes)
}

fn validate(bytes: Bytes) -> Result<(), BatchError> {
    Batch::parse(bytes)?.validate_produced(LIMIT)
}

/// A batch of `record_count` records whose body is exactly these bytes.
fn with_body(record_count: i32, body: &[u8]) -> Batch {
    let empty = build(BatchOptions::default(), &[]);
    let joined = [empty.bytes().as_ref(), body].concat();
    let mut header = *empty.header();
    header.record_count = record_count;
    header.last_offset_delta = (record_count - 1).max(0);
    header.batch_length += i32::try_from(body.len()).unwrap();
    let mut bytes = joined;
    bytes[..61].copy_from_slice(&header.encode());
    Batch::parse(with_header(&Batch::parse(Bytes::from(bytes)).unwrap(), |_| ())).unwrap()
}

fn record_problem(body: &[u8]) -> RecordProblem {
    let batch = with_body(1, body);
    let produced = batch.validate_produced(LIMIT).unwrap_err();
    let read = batch.records(LIMIT).unwrap().next().unwrap().unwrap_err();
    match (produced, read) {
        (BatchError::Record { problem, .. }, BatchError::Record { problem: same, .. }) => {
            assert_eq!(problem, same, "reader and validator agree");
            problem
        }
        other => panic!("no record problem: {other:?}"),
    }
}

#[test]
fn headers_that_cannot_be() {
    let batch = small(Compression::None);
    let parse = |change: fn(&mut BatchHeader)| Batch::parse(with_header(&batch, change)).unwrap_err();
    assert_eq!(parse(|header| header.magic = 1), BatchError::UnsupportedMagic { magic: 1 });
    assert_eq!(parse(|header| header.batch_length = 48), BatchError::BatchLength { batch_length: 48 });
    assert_eq!(
        parse(|header| header.batch_length = i32::MIN),
        BatchError::BatchLength { batch_length: i32::MIN }
    );
    assert!(matches!(parse(|header| header.batch_length = i32::MAX), BatchError::Truncated { .. }));
    assert!(matches!(parse(|header| header.batch_length -= 1), BatchError::TrailingBytes { .. }));
    assert!(matches!(parse(|header| header.base_offset = -1), BatchError::OffsetRange { .. }));
    assert!(matches!(parse(|header| header.base_offset = i64::MAX - 2), BatchError::OffsetRange { .. }));
    assert!(matches!(parse(|header| header.last_offset_delta = -1), BatchError::OffsetRange { .. }));
    assert!(matches!(parse(|header| header.record_count = -1), BatchError::RecordCount { .. }));
    assert!(matches!(parse(|header| header.record_count = 4), BatchError::RecordCount { .. }));
    assert!(Batch::parse(with_header(&batch, |header| header.base_offset = i64::MAX - 3)).is_ok());
}

#[test]
fn a_max_timestamp_is_put_right() {
    for compression in Compression::ALL {
        let batch = small(compression);
        let right = batch.header().max_timestamp_ms;
        for wrong in [right + 1, right - 1] {
            let sent = Batch::parse(with_header(&batch, |header| header.max_timestamp_ms = wrong)).unwrap();
            let problem = ProducedProblem::MaxTimestamp { declared_ms: wrong, actual_ms: right };
            assert_eq!(sent.validate_produced(LIMIT), Err(problem.into()));
            assert_eq!(sent.with_max_timestamp(right), batch);
        }
    }
}

#[test]
fn batches_that_no_producer_may_send() {
    let batch = small(Compression::None);
    let refused = |change: fn(&mut BatchHeader)| match validate(with_header(&batch, change)) {
        Err(BatchError::Produced(problem)) => problem,
        other => panic!("not refused as a whole: {other:?}"),
    };
    assert_eq!(refused(|header| header.base_offset = 5), ProducedProblem::BaseOffset { base_offset: 5 });
    assert_eq!(refused(|header| header.record_count = 0), ProducedProblem::Empty);
    assert!(matches!(refused(|header| header.record_count = 2), ProducedProblem::LastOffsetDelta { .. }));
    assert!(matches!(
        refused(|header| header.last_offset_delta = 3),
        ProducedProblem::LastOffsetDelta { .. }
    ));
    assert_eq!(refused(|header| header.attributes |= 1 << 5), ProducedProblem::Control);
    assert_eq!(refused(|header| header.attributes |= 1 << 3), ProducedProblem::AppendTime);
    assert!(matches!(refused(|header| header.attributes |= 1 << 6), ProducedProblem::Attributes { .. }));
    assert!(matches!(refused(|header| header.attributes |= i16::MIN), ProducedProblem::Attributes { .. }));
    assert!(matches!(refused(|header| header.max_timestamp_ms += 1), ProducedProblem::MaxTimestamp { .. }));
    assert!(matches!(
        refused(|header| header.base_timestamp_ms = -9),
        ProducedProblem::Timestamp { index: 0, .. }
    ));
    let unknown = validate(with_header(&batch, |header| header.attributes |= 7));
    assert_eq!(unknown, Err(BatchError::UnknownCompression { id: 7 }));
    let overflow = validate(with_header(&batch, |header| header.base_timestamp_ms = i64::MAX));
    assert!(
        matches!(
            overflow,
            Err(BatchError::Record { index: 1, problem: RecordProblem::TimestampOverflow { .. }, .. })
        ),
        "{overflow:?}"
    );
}

#[test]
fn producer_fields_fit_together() {
    let batch = small(Compression::Lz4);
    let outcome = |producer_id, producer_epoch, base_sequence, transactional: bool| {
        validate(with_header(&batch, |header| {
            (header.producer_id, header.producer_epoch, header.base_sequence) =
                (producer_id, producer_epoch, base_sequence);
            header.attributes |= i16::from(transactional) << 4;
        }))
    };
    // The last two: clients that leave the fields without a meaning at 0.
    for accepted in [(9, 0, 0), (0, 0, 0), (9, 5, i32::MAX), (-1, -1, -1), (-1, -1, 0), (-1, 0, 0)] {
        assert_eq!(outcome(accepted.0, accepted.1, accepted.2, false), Ok(()), "{accepted:?}");
    }
    for refused in [(-1, -1, 5), (-1, 3, -1), (9, -1, 0), (9, 0, -1), (-2, 0, 0), (9, 0, -2)] {
        let outcome = outcome(refused.0, refused.1, refused.2, false);
        assert!(
            matches!(outcome, Err(BatchError::Produced(ProducedProblem::Producer { .. }))),
            "{refused:?}"
        );
    }
    assert_eq!(outcome(9, 0, 0, true), Ok(()));
    assert_eq!(outcome(-1, -1, -1, true), Err(ProducedProblem::TransactionWithoutProducer.into()));
}

#[test]
fn records_that_are_not_framed_to_the_byte() {
    // length, attributes, timestamp delta, offset delta, key, value, header count
    let right = [12, 0, 0, 0, 1, 1, 0];
    assert_eq!(with_body(1, &right).validate_produced(LIMIT), Ok(()));
    assert_eq!(record_problem(&[]), RecordProblem::Truncated);
    assert_eq!(record_problem(&[1]), RecordProblem::NegativeLength { length: -1 });
    assert_eq!(
        record_problem(&[14, 0, 0, 0, 1, 1, 0]),
        RecordProblem::LengthBeyondEnd { length: 7, remaining_bytes: 6 }
    );
    assert_eq!(record_problem(&[10, 0, 0, 0, 1, 1, 0]), RecordProblem::Truncated);
    assert_eq!(
        record_problem(&[14, 0, 0, 0, 1, 1, 0, 0]),
        RecordProblem::BytesAfterFields { extra_bytes: 1 }
    );
    assert_eq!(record_problem(&[12, 0, 0, 0, 3, 1, 0]), RecordProblem::NegativeLength { length: -2 });
    assert_eq!(
        record_problem(&[12, 0, 0, 0, 1, 8, 0]),
        RecordProblem::LengthBeyondEnd { length: 4, remaining_bytes: 1 }
    );
    assert_eq!(record_problem(&[12, 0, 0, 0, 1, 1, 1]), RecordProblem::NegativeLength { length: -1 });
    assert_eq!(
        record_problem(&[12, 0, 0, 0, 1, 1, 2]),
        RecordProblem::LengthBeyondEnd { length: 1, remaining_bytes: 0 }
    );
    // One header with a null key.
    assert_eq!(record_problem(&[16, 0, 0, 0, 1, 1, 2, 1, 1]), RecordProblem::NegativeLength { length: -1 });
    let wrong_offset = RecordProblem::OffsetDelta { offset_delta: 1, expected_min: 0, expected_max: 0 };
    assert_eq!(record_problem(&[12, 0, 0, 2, 1, 1, 0]), wrong_offset);
    assert_eq!(record_problem(&[20, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 1, 1]), RecordProblem::Truncated);
    let too_many = with_body(1, &[right, right].concat());
    let extra = BatchError::BytesAfterRecords { record_count: 1, extra_bytes: 7 };
    assert_eq!(too_many.validate_produced(LIMIT), Err(extra.clone()));
    assert_eq!(too_many.records(LIMIT).unwrap().nth(1), Some(Err(extra)));
}

#[test]
fn compacted_batches_read_with_gaps() {
    // Offsets 3 and 7 of 0..=9 are left.
    let body = [12, 0, 0, 6, 1, 1, 0, 12, 0, 2, 14, 1, 1, 0];
    let bytes = with_header(&with_body(2, &body), |header| {
        header.last_offset_delta = 9;
        header.base_offset = 100;
    });
    let batch = Batch::parse(bytes).unwrap();
    let offsets: Vec<_> = read(&batch).iter().map(|record| record.offset).collect();
    assert_eq!((offsets, batch.header().next_offset()), (vec![103, 107], 110));
    assert!(batch.validate_produced(LIMIT).is_err());
    // Nothing is left.
    let emptied =
        Batch::parse(with_header(&with_body(0, &[]), |header| header.last_offset_delta = 9)).unwrap();
    assert_eq!((read(&emptied), emptied.header().next_offset()), (Vec::new(), 10));
}

#[test]
fn control_batches_parse() {
    let bytes = with_header(&small(Compression::None), |header| header.attributes |= 1 << 5 | 1 << 4);
    let batch = Batch::parse(bytes).unwrap();
    assert!(batch.header().is_control() && batch.header().is_transactional());
    assert_eq!(read(&batch).len(), 3);
}

#[test]
fn a_run_of_batches_splits() {
    let [first, second] = [small(Compression::None), small(Compression::Zstd)];
    let mut run = Bytes::from([first.bytes().as_ref(), second.bytes(), &first.bytes()[..70]].concat());
    assert_eq!(Batch::split_first(&mut run), Ok(Some(first)));
    assert_eq!(Batch::split_first(&mut run), Ok(Some(second)));
    assert!(matches!(Batch::split_first(&mut run), Err(BatchError::Truncated { have_bytes: 70, .. })));
    assert_eq!(run.len(), 70);
    assert_eq!(Batch::split_first(&mut Bytes::new()), Ok(None));
}

#[test]
fn sequences_wrap_to_zero() {
    let mut header = *small(Compression::None).header();
    header.last_offset_delta = 2;
    for (base_sequence, last) in
        [(0, 2), (i32::MAX - 2, i32::MAX), (i32::MAX - 1, 0), (i32::MAX, 1), (-1, -1)]
    {
        header.base_sequence = base_sequence;
        assert_eq!(header.last_sequence(), last);
    }
}

#[test]
fn a_refused_record_leaves_the_builder_as_it_was() {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(i64::MAX, None, None, &[]).unwrap();
    let before = builder.estimated_bytes();
    let refused = builder.append(-2, None, None, &[]);
    let span = BatchError::TimestampSpan { timestamp_ms: -2, base_timestamp_ms: i64::MAX };
    assert_eq!((refused, builder.estimated_bytes(), builder.record_count()), (Err(span), before, 1));
}

#[test]
fn timestamps_need_not_rise() {
    let sample = |timestamp_ms| Sample { timestamp_ms, key: None, value: None, headers: Vec::new() };
    let batch = build(BatchOptions::default(), &[sample(50), sample(10), sample(-1), sample(90), sample(20)]);
    assert_eq!((batch.header().base_timestamp_ms, batch.header().max_timestamp_ms), (50, 90));
    assert_eq!(batch.validate_produced(LIMIT), Ok(()));
}
