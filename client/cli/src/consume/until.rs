//! When `consume` has printed enough: so many records, or everything up to the ends that the partitions had at the start.

use std::collections::BTreeMap;

/// What is still wanted.
#[derive(Debug)]
pub(super) struct Until {
    /// How many more records; `None` for any number.
    records_left: Option<u64>,
    /// The exclusive ends of the partitions that have not reached theirs; `None` to follow for ever.
    ends: Option<BTreeMap<u32, i64>>,
}

impl Until {
    /// So many records at most.
    pub(super) fn records(count: Option<u64>) -> Self {
        Self { records_left: count, ends: None }
    }

    /// Also ends once every partition, counted from `first`, has reached its end.
    pub(super) fn ends(mut self, first: u32, ends: impl Iterator<Item = i64>) -> Self {
        self.ends = Some((first..).zip(ends).collect());
        self
    }

    /// Whether nothing more is wanted.
    pub(super) fn is_done(&self) -> bool {
        self.records_left == Some(0) || self.ends.as_ref().is_some_and(BTreeMap::is_empty)
    }

    /// The first offset of the partition that is not wanted.
    pub(super) fn end_of(&self, partition: u32) -> i64 {
        self.ends.as_ref().map_or(i64::MAX, |ends| ends.get(&partition).copied().unwrap_or(0))
    }

    /// Whether one more record is wanted, which then counts.
    pub(super) fn take_record(&mut self) -> bool {
        match &mut self.records_left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// The partition is read up to this offset.
    pub(super) fn reached(&mut self, partition: u32, offset: i64) {
        if let Some(ends) = &mut self.ends
            && ends.get(&partition).is_some_and(|end| offset >= *end)
        {
            ends.remove(&partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_used_up() {
        let mut until = Until::records(Some(2));
        assert!(!until.is_done());
        assert!(until.take_record() && until.take_record());
        assert!(until.is_done());
        assert!(!until.take_record());
        assert!(Until::records(Some(0)).is_done());
    }

    #[test]
    fn all_partitions_must_reach_their_ends() {
        let mut until = Until::records(None).ends(3, [10, 0].into_iter());
        assert_eq!((until.end_of(3), until.end_of(4)), (10, 0));
        until.reached(4, 0);
        assert!(!until.is_done());
        until.reached(3, 9);
        assert!(!until.is_done());
        until.reached(3, 12);
        assert!(until.is_done());
        assert_eq!(until.end_of(3), 0, "nothing more is wanted of it");
    }

    #[test]
    fn without_limits_it_goes_on() {
        let mut until = Until::records(None);
        until.reached(0, i64::MAX);
        assert!(until.take_record() && !until.is_done());
        assert_eq!(until.end_of(0), i64::MAX);
    }
}
