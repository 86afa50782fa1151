//! Where a new partition's replicas go: round robin over the live brokers, so that each leads and holds its share.

use super::BrokerSet;
use crate::ids::BrokerId;

/// Replicas of the partition with that number in the cluster's count. `None` if there are not enough brokers.
pub(super) fn place(live: &[BrokerId], replication_factor: usize, sequence: u64) -> Option<BrokerSet> {
    if replication_factor == 0 || replication_factor > live.len() {
        return None;
    }
    let count = u64::try_from(live.len()).ok()?;
    let first = usize::try_from(sequence.checked_rem(count)?).ok()?;
    Some(live.iter().copied().cycle().skip(first).take(replication_factor).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broker_leads_its_share() {
        let live = [BrokerId(1), BrokerId(2), BrokerId(5)];
        let leaders: Vec<u32> =
            (0..6).map(|sequence| place(&live, 2, sequence).expect("enough").as_slice()[0].get()).collect();
        assert_eq!(leaders, [1, 2, 5, 1, 2, 5]);
        assert_eq!(place(&live, 3, 1).expect("enough").len(), 3);
        assert_eq!(place(&live, 4, 0), None);
        assert_eq!(place(&live, 0, 0), None);
        assert_eq!(place(&[], 1, 0), None);
    }
}
