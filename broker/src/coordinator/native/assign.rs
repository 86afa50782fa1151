//! Who should read which partition: a pure function of who is there, what they want, and what each of them reads now.
//!
//! What always holds: every partition that anybody wants has exactly one reader, who wants it; no partition could go to
//! somebody else, alone or in a chain of such steps, so that the most loaded one of them would have less; and nothing moves
//! that does not have to for that.

use super::Catalog;
use crate::ids::{PartitionIndex, TopicId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What each member wants, by its id.
pub(super) type Wishes<'a> = BTreeMap<&'a str, BTreeSet<TopicId>>;

/// The reader of each partition. `readers`: who has it now, where anybody does.
pub(super) fn assign<'a>(
    wishes: &Wishes<'a>,
    catalog: &Catalog,
    readers: &BTreeMap<TopicPartition, &'a str>,
) -> BTreeMap<TopicPartition, &'a str> {
    let mut shares = Shares::new(wishes);
    let mut free = Vec::new();
    for (topic, facts) in catalog {
        for index in 0..facts.partitions {
            let partition = TopicPartition { topic: *topic, partition: PartitionIndex(index) };
            match readers.get(&partition).filter(|reader| shares.wants(reader, *topic)) {
                Some(reader) => shares.give(reader, partition),
                None => free.push(partition),
            }
        }
    }
    for partition in free {
        if let Some(reader) = shares.least_loaded(partition.topic) {
            shares.give(reader, partition);
        }
    }
    while shares.improve() {}
    shares.into_readers()
}

/// What everybody has so far.
struct Shares<'a> {
    /// Who wants each topic.
    takers: BTreeMap<TopicId, BTreeSet<&'a str>>,
    /// By member and topic: the partitions.
    shares: BTreeMap<&'a str, BTreeMap<TopicId, BTreeSet<PartitionIndex>>>,
    /// How many each has.
    loads: BTreeMap<&'a str, usize>,
}

impl<'a> Shares<'a> {
    fn new(wishes: &Wishes<'a>) -> Self {
        let mut takers: BTreeMap<TopicId, BTreeSet<&'a str>> = BTreeMap::new();
        for (member, topics) in wishes {
            for topic in topics {
                takers.entry(*topic).or_default().insert(member);
            }
        }
        let loads = wishes.keys().map(|member| (*member, 0)).collect();
        Self { takers, shares: BTreeMap::new(), loads }
    }

    fn wants(&self, member: &str, topic: TopicId) -> bool {
        self.takers.get(&topic).is_some_and(|takers| takers.contains(member))
    }

    fn load(&self, member: &str) -> usize {
        self.loads.get(member).copied().unwrap_or(0)
    }

    fn give(&mut self, member: &'a str, partition: TopicPartition) {
        let topics = self.shares.entry(member).or_default();
        topics.entry(partition.topic).or_default().insert(partition.partition);
        *self.loads.entry(member).or_default() += 1;
    }

    /// The first by name of those who have least among those who want this topic.
    fn least_loaded(&self, topic: TopicId) -> Option<&'a str> {
        self.takers.get(&topic)?.iter().copied().min_by_key(|member| self.load(member))
    }

    /// Takes one partition off somebody who has at least two more than the one who gets one more for it; `false`: there is
    /// nobody like that.
    fn improve(&mut self) -> bool {
        let least = self.loads.values().min().copied().unwrap_or(0);
        let mut loaded: Vec<&'a str> =
            self.loads.iter().filter(|(_, load)| **load >= least + 2).map(|(member, _)| *member).collect();
        loaded.sort_by_key(|member| std::cmp::Reverse(self.load(member)));
        for from in loaded {
            if let Some(path) = self.path_from(from) {
                for (from, topic, to) in path {
                    self.pass_on(from, topic, to);
                }
                return true;
            }
        }
        false
    }

    /// The shortest chain of hand-overs from a member to the one who has least of all that can be reached, if that one has
    /// at least two fewer.
    fn path_from(&self, start: &'a str) -> Option<Vec<(&'a str, TopicId, &'a str)>> {
        let mut came_by: BTreeMap<&'a str, (&'a str, TopicId)> = BTreeMap::new();
        let (mut seen, mut queue) = (BTreeSet::new(), VecDeque::from([start]));
        let mut best: Option<&'a str> = None;
        while let Some(member) = queue.pop_front() {
            for topic in self.shares.get(member).into_iter().flat_map(BTreeMap::keys) {
                if !seen.insert(*topic) {
                    continue;
                }
                for taker in self.takers.get(topic).into_iter().flatten().copied() {
                    if taker == start || came_by.contains_key(taker) {
                        continue;
                    }
                    came_by.insert(taker, (member, *topic));
                    queue.push_back(taker);
                    if best.is_none_or(|best| self.load(taker) < self.load(best)) {
                        best = Some(taker);
                    }
                }
            }
        }
        let mut at = best.filter(|best| self.load(best) + 2 <= self.load(start))?;
        let mut path = Vec::new();
        while let Some((from, topic)) = came_by.get(at).copied() {
            path.push((from, topic, at));
            at = from;
        }
        Some(path)
    }

    fn pass_on(&mut self, from: &'a str, topic: TopicId, to: &'a str) {
        let Some(topics) = self.shares.get_mut(from) else { return };
        let Some(partitions) = topics.get_mut(&topic) else { return };
        let Some(partition) = partitions.pop_last() else { return };
        if partitions.is_empty() {
            topics.remove(&topic);
        }
        if let Some(load) = self.loads.get_mut(from) {
            *load = load.saturating_sub(1);
        }
        self.give(to, TopicPartition { topic, partition });
    }

    fn into_readers(self) -> BTreeMap<TopicPartition, &'a str> {
        let mut readers = BTreeMap::new();
        for (member, topics) in self.shares {
            for (topic, partitions) in topics {
                for partition in partitions {
                    readers.insert(TopicPartition { topic, partition }, member);
                }
            }
        }
        readers
    }
}

#[cfg(test)]
mod tests;
