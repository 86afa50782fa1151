//! Checks what a broker pushed before anything of it is given out: every batch whole, with a correct checksum, and in the
//! order of the log.

use bytes::Bytes;
use cairn_proto::record::Batch;

/// The batches of one message, or what is wrong with them.
pub(super) type Received = Result<Vec<Batch>, String>;

/// Splits a run of batches and checks each checksum.
pub(super) fn parse(mut bytes: Bytes) -> Received {
    let mut batches = Vec::new();
    loop {
        match Batch::split_first(&mut bytes) {
            Ok(Some(batch)) => {
                batch.check_crc().map_err(|error| error.to_string())?;
                batches.push(batch);
            }
            Ok(None) => return Ok(batches),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Whether the batches go on where `offset` is wanted: the first one holds it or lies behind it (compaction leaves gaps),
/// each further one lies behind the one before. Returns the offset behind the last one, and its leader epoch.
pub(super) fn check_run(batches: &[Batch], offset: i64) -> Result<(i64, i32), String> {
    let mut next_offset = offset;
    let mut last_epoch = -1;
    for (position, batch) in batches.iter().enumerate() {
        let header = batch.header();
        if header.last_offset() < next_offset || (position > 0 && header.base_offset < next_offset) {
            return Err(format!(
                "offsets {}..={} came where {next_offset} was wanted",
                header.base_offset,
                header.last_offset()
            ));
        }
        next_offset = header.next_offset();
        last_epoch = header.leader_epoch;
    }
    Ok((next_offset, last_epoch))
}
