//! What to do after a failure, as data: how long to wait, and what each error code means for a batch. Pure: the random
//! number is handed in.

use cairn_proto::v1::ErrorCode;
use std::time::Duration;

/// Waits that double from the first to the longest, each shortened by up to half at random, so that the clients of a
/// broker that restarts do not all come back at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    next: Duration,
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// For reaching a broker: 20 ms to 1 s.
    pub(crate) fn connecting() -> Self {
        Self::new(Duration::from_millis(20), Duration::from_secs(1))
    }

    /// For asking again what was refused for now: 10 ms to 1 s.
    pub(crate) fn retrying() -> Self {
        Self::new(Duration::from_millis(10), Duration::from_secs(1))
    }

    fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, first, longest }
    }

    /// The next wait; `random` lies in 0..1.
    pub(crate) fn wait(&mut self, random: f64) -> Duration {
        let wait = self.next;
        self.next = self.longest.min(wait.saturating_mul(2));
        wait.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// What a reply says about a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is in the log.
    Appended,
    /// This attempt appended nothing; another may succeed. `reroute`: the leader may be elsewhere.
    NotNow { reroute: bool },
    /// Nobody knows; another attempt with the same sequence settles it.
    Unclear,
    /// Its sequence is not the next one: this attempt appended nothing. Either an earlier batch has to be repeated first,
    /// or the broker no longer knows this producer.
    OutOfOrder,
    /// The producer id has been taken over by a newer epoch; this attempt appended nothing.
    Fenced,
    /// This attempt appended nothing, and neither will another.
    Never,
}

/// The meaning of each error code for a batch that was sent.
pub(crate) fn verdict(code: ErrorCode) -> Verdict {
    match code {
        ErrorCode::None => Verdict::Appended,
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotLeader
        | ErrorCode::FencedLeaderEpoch
        | ErrorCode::UnknownLeaderEpoch => Verdict::NotNow { reroute: true },
        ErrorCode::NotEnoughReplicas
        | ErrorCode::StorageFull
        | ErrorCode::ShuttingDown
        | ErrorCode::Throttled => Verdict::NotNow { reroute: false },
        ErrorCode::Unknown
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::OutcomeUnknown
        | ErrorCode::StorageFailed
        | ErrorCode::TimedOut => Verdict::Unclear,
        ErrorCode::OutOfOrderSequence => Verdict::OutOfOrder,
        ErrorCode::ProducerFenced => Verdict::Fenced,
        ErrorCode::CorruptBatch
        | ErrorCode::BatchTooLarge
        | ErrorCode::InvalidTimestamp
        | ErrorCode::InvalidRecord
        | ErrorCode::InvalidRequest
        | ErrorCode::UnsupportedCompression
        // Not answers to a produce request; a broker that gives one did not append.
        | ErrorCode::OffsetOutOfRange
        | ErrorCode::OffsetNotAvailable
        | ErrorCode::Damaged
        | ErrorCode::TopicExists
        | ErrorCode::InvalidTopic
        | ErrorCode::InvalidConfig
        | ErrorCode::InvalidPartitions
        | ErrorCode::InvalidReplicationFactor
        | ErrorCode::LogTruncated
        | ErrorCode::NotCoordinator
        | ErrorCode::CoordinatorNotReady
        | ErrorCode::UnknownGroup
        | ErrorCode::GroupNotEmpty
        | ErrorCode::GroupOfOtherKind
        | ErrorCode::GroupFull
        | ErrorCode::UnknownMember
        | ErrorCode::FencedInstance
        | ErrorCode::StaleMemberEpoch
        | ErrorCode::NotAssigned => Verdict::Never,
    }
}

/// Whether a call that only reads, or was refused with this code, may succeed later.
pub(crate) fn refused_for_now(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotLeader
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::StorageFull
            | ErrorCode::ShuttingDown
            | ErrorCode::Throttled
            | ErrorCode::TimedOut
            | ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotReady
    )
}

/// A code's name as the protocol writes it, without the prefix that all have.
pub(crate) fn code_name(code: ErrorCode) -> &'static str {
    let name = code.as_str_name();
    name.strip_prefix("ERROR_CODE_").unwrap_or(name)
}

/// The code of a reply; a number that this client does not know is [`ErrorCode::Unknown`].
pub(crate) fn code_of(number: i32) -> ErrorCode {
    ErrorCode::try_from(number).unwrap_or(ErrorCode::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_again_after_a_success() {
        let mut backoff = Backoff::connecting();
        let waits: Vec<u128> = (0..8).map(|_| backoff.wait(0.0).as_millis()).collect();
        assert_eq!(waits, [20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.wait(0.0).as_millis(), 20);
    }

    #[test]
    fn jitter_takes_off_up_to_half() {
        for random in [0.0, 0.25, 0.5, 0.999] {
            let wait = Backoff::connecting().wait(random);
            assert!(wait > Duration::from_millis(10) && wait <= Duration::from_millis(20), "{wait:?}");
        }
        assert!(Backoff::connecting().wait(0.25) > Backoff::connecting().wait(0.75));
    }

    #[test]
    fn what_may_have_been_appended_is_never_taken_for_refused() {
        for code in [
            ErrorCode::OutcomeUnknown,
            ErrorCode::NotEnoughReplicasAfterAppend,
            ErrorCode::TimedOut,
            ErrorCode::StorageFailed,
            ErrorCode::Unknown,
        ] {
            assert_eq!(verdict(code), Verdict::Unclear, "{code:?}");
        }
    }

    #[test]
    fn a_number_of_a_newer_protocol_is_unknown_not_success() {
        assert_eq!(verdict(code_of(9_999)), Verdict::Unclear);
        assert_eq!(verdict(code_of(-1)), Verdict::Unclear);
        assert_eq!(code_name(ErrorCode::StorageFull), "STORAGE_FULL");
    }
}
