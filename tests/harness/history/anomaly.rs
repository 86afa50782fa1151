//! What must never be seen, by the names that are usual for it.

use super::RecordId;

/// A place in a log.
type Place = (u32, i64);

/// Something that was not allowed to happen. Places are (partition, offset).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// Acknowledged, and a reader went past its offset without being given it.
    LostWrite {
        /// The record.
        id: RecordId,
        /// Where it was acknowledged.
        acknowledged: Place,
    },
    /// Acknowledged, and no reader ever looked as far as its offset.
    Unseen {
        /// The record.
        id: RecordId,
        /// Where it was acknowledged.
        acknowledged: Place,
    },
    /// One record at two places.
    Duplicate {
        /// The record.
        id: RecordId,
        /// Where.
        places: Vec<Place>,
    },
    /// Seen, and never sent, or not with these bytes.
    Phantom {
        /// Where.
        place: Place,
        /// Whose record it says it is.
        id: Option<RecordId>,
    },
    /// Seen in another partition than the one asked for.
    Misrouted {
        /// The record.
        id: RecordId,
        /// The partition asked for.
        wanted: u32,
        /// Where it was seen.
        place: Place,
    },
    /// One place, two records: given out at different times, acknowledged twice, or acknowledged and not the one there.
    InconsistentOffset {
        /// Where.
        place: Place,
        /// The records.
        ids: Vec<Option<RecordId>>,
    },
    /// A producer's records of one partition do not lie in the order of their sends.
    OutOfOrder {
        /// Sent first.
        earlier: RecordId,
        /// Its place.
        earlier_place: Place,
        /// Sent later, and lies before the other.
        later: RecordId,
        /// Its place.
        later_place: Place,
    },
    /// A consumer jumped over offsets that hold a record.
    PollSkip {
        /// The consumer, counted from 0.
        consumer: usize,
        /// What it saw last.
        after: Place,
        /// What it saw next.
        next: Place,
    },
    /// A consumer was given an offset at or below the one before.
    NonMonotonicPoll {
        /// The consumer, counted from 0.
        consumer: usize,
        /// What it saw last.
        after: Place,
        /// What it saw next.
        next: Place,
    },
    /// The producer was told that it is certainly not in the log, and it is.
    FailedButPresent {
        /// The record.
        id: RecordId,
        /// Where it was seen.
        place: Place,
    },
}
