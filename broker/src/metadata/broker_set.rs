//! A few brokers, in the order they were named, without duplicates. As small as a slice: a cluster has several per
//! partition, and most are empty.

use crate::ids::BrokerId;
use serde::{Deserialize, Serialize};

/// Brokers without duplicates, in a meaningful order. Serialized as a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<BrokerId>", into = "Vec<BrokerId>")]
pub struct BrokerSet(Box<[BrokerId]>);

impl BrokerSet {
    /// Just this one.
    pub fn one(broker: BrokerId) -> Self {
        Self(Box::new([broker]))
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = BrokerId> + '_ {
        self.0.iter().copied()
    }

    /// In order.
    pub fn as_slice(&self) -> &[BrokerId] {
        &self.0
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is among them.
    pub fn contains(&self, broker: BrokerId) -> bool {
        self.0.contains(&broker)
    }

    /// Whether all of these are among `others`.
    pub fn is_subset(&self, others: &BrokerSet) -> bool {
        self.iter().all(|broker| others.contains(broker))
    }

    /// Those that pass, in the same order.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(BrokerId) -> bool) -> Self {
        Self(self.iter().filter(|broker| keep(*broker)).collect())
    }

    /// All but this one.
    #[must_use]
    pub fn without(&self, broker: BrokerId) -> Self {
        self.filter(|one| one != broker)
    }

    /// These, then those of `others` that are not among them.
    #[must_use]
    pub fn union(&self, others: &BrokerSet) -> Self {
        self.iter().chain(others.iter()).collect()
    }

    /// The same members, in whatever order.
    pub fn same_members(&self, others: &BrokerSet) -> bool {
        self.len() == others.len() && self.is_subset(others)
    }
}

impl FromIterator<BrokerId> for BrokerSet {
    fn from_iter<I: IntoIterator<Item = BrokerId>>(brokers: I) -> Self {
        let mut unique: Vec<BrokerId> = Vec::new();
        for broker in brokers {
            if !unique.contains(&broker) {
                unique.push(broker);
            }
        }
        Self(unique.into_boxed_slice())
    }
}

impl From<Vec<BrokerId>> for BrokerSet {
    fn from(brokers: Vec<BrokerId>) -> Self {
        brokers.into_iter().collect()
    }
}

impl From<BrokerSet> for Vec<BrokerId> {
    fn from(set: BrokerSet) -> Self {
        set.0.into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u32]) -> BrokerSet {
        numbers.iter().copied().map(BrokerId).collect()
    }

    #[test]
    fn order_stays_and_duplicates_go() {
        assert_eq!(set(&[3, 1, 3, 2]).as_slice(), [BrokerId(3), BrokerId(1), BrokerId(2)]);
        assert_eq!(set(&[3, 1]).union(&set(&[1, 2])), set(&[3, 1, 2]));
        assert_eq!(set(&[3, 1, 2]).without(BrokerId(1)), set(&[3, 2]));
        assert!(set(&[1, 2]).same_members(&set(&[2, 1])));
        assert!(!set(&[1, 2]).same_members(&set(&[1, 2, 3])));
    }
}
