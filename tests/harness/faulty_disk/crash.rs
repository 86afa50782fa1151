//! The power cut: a new disk that holds one of the states which the crash contract allows. Which one follows from the policy
//! and the random numbers alone.

use super::{
    FaultyDisk, State,
    inode::Inode,
    names::{Directory, Node},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// What a power cut tends to keep of what was not synced. Each choice is made by itself, with these odds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrashPolicy {
    /// Chance that a page or a length is in one of its newer states.
    pub data_kept: f64,
    /// Chance that a change of a name is kept.
    pub names_kept: f64,
}

impl CrashPolicy {
    /// Nothing but what was synced.
    pub const NOTHING: Self = Self { data_kept: 0.0, names_kept: 0.0 };
    /// Everything, as if only the process had ended.
    pub const EVERYTHING: Self = Self { data_kept: 1.0, names_kept: 1.0 };

    /// One of the extremes, or any odds in between.
    pub fn sample(random: &mut ChaCha8Rng) -> Self {
        let mut odds = || match random.random_range(0..6_u8) {
            0 => 0.0,
            1 => 1.0,
            2 => 0.1,
            3 => 0.9,
            _ => random.random_range(0.0..1.0),
        };
        Self { data_kept: odds(), names_kept: odds() }
    }
}

impl FaultyDisk {
    /// What the end of the process at this moment leaves: all that was written can be read, and is as unsynced as before.
    pub fn kill(&self, random: &mut ChaCha8Rng) -> Self {
        let state = self.0.state.lock();
        Self::of(State {
            inodes: state.inodes.iter().map(|(id, inode)| (*id, inode.without_readers())).collect(),
            directories: state.directories.clone(),
            next_inode: state.next_inode,
            next_name_change: state.next_name_change,
            calls: 0,
            changes: 0,
            fault: None,
            capacity_bytes: state.capacity_bytes,
            locked: BTreeSet::new(),
            random: ChaCha8Rng::seed_from_u64(random.random()),
        })
    }

    /// What a power cut at this moment might leave: a new disk, without faults or observers. This one is not changed.
    pub fn crash(&self, policy: CrashPolicy, random: &mut ChaCha8Rng) -> Self {
        let state = self.0.state.lock();
        let mut cut = Cut { policy, random, kept_changes: BTreeMap::new() };
        let mut directories = Vec::new();
        for directory in &state.directories {
            directories.push(Directory::of(directory.after_crash(|number| cut.keeps_change(number))));
        }
        let reachable = reachable_files(&directories);
        let inodes = state
            .inodes
            .iter()
            .filter(|(id, _)| reachable.contains(id))
            .map(|(id, inode)| (*id, Inode::of(inode.after_crash(|states| cut.choose(states)))))
            .collect();
        let seed = cut.random.random();
        Self::of(State {
            inodes,
            directories,
            next_inode: state.next_inode,
            next_name_change: state.next_name_change,
            calls: 0,
            changes: 0,
            fault: None,
            capacity_bytes: state.capacity_bytes,
            locked: BTreeSet::new(),
            random: ChaCha8Rng::seed_from_u64(seed),
        })
    }
}

struct Cut<'a> {
    policy: CrashPolicy,
    random: &'a mut ChaCha8Rng,
    kept_changes: BTreeMap<u64, bool>,
}

impl Cut<'_> {
    fn keeps_change(&mut self, number: u64) -> bool {
        let (policy, random) = (self.policy, &mut *self.random);
        *self.kept_changes.entry(number).or_insert_with(|| random.random_bool(policy.names_kept))
    }

    /// Mostly the newest of the newer states: the older ones are rarer on a real disk, and all of them legal.
    fn choose(&mut self, states: usize) -> usize {
        if !self.random.random_bool(self.policy.data_kept) {
            return 0;
        }
        let in_between = self.policy.data_kept < 1.0 && states > 2 && self.random.random_bool(0.3);
        if in_between { self.random.random_range(1..states - 1) } else { states - 1 }
    }
}

fn reachable_files(directories: &[Directory]) -> BTreeSet<u64> {
    let mut files = BTreeSet::new();
    let (mut seen, mut todo) = (BTreeSet::from([0]), vec![0]);
    while let Some(directory) = todo.pop().and_then(|index: usize| directories.get(index)) {
        for node in directory.nodes() {
            match node {
                Node::File(id) => {
                    files.insert(id);
                }
                Node::Directory(inner) => {
                    if seen.insert(inner) {
                        todo.push(inner);
                    }
                }
            }
        }
    }
    files
}
