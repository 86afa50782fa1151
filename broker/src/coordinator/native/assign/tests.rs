//! Every partition has a reader, evenly, and nothing moves without need: on small cases by hand, on random ones by rules.

use super::*;
use crate::coordinator::native::TopicFacts;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

fn topic(number: u128) -> TopicId {
    TopicId(Uuid::from_u128(number))
}

fn catalog(partitions: &[u32]) -> Catalog {
    let facts = |count: &u32| TopicFacts { name: String::new(), partitions: *count };
    (0..).map(topic).zip(partitions.iter().map(facts)).collect()
}

fn wishes<'a>(members: &[(&'a str, &[u128])]) -> Wishes<'a> {
    members.iter().map(|(id, topics)| (*id, topics.iter().copied().map(topic).collect())).collect()
}

fn loads<'a>(readers: &BTreeMap<TopicPartition, &'a str>, wishes: &Wishes<'a>) -> BTreeMap<&'a str, usize> {
    let count = |id: &str| readers.values().filter(|reader| **reader == id).count();
    wishes.keys().map(|id| (*id, count(id))).collect()
}

fn moves(before: &BTreeMap<TopicPartition, &str>, after: &BTreeMap<TopicPartition, &str>) -> usize {
    before.iter().filter(|(partition, reader)| after.get(partition) != Some(reader)).count()
}

#[test]
fn a_newcomer_takes_no_more_than_its_part_and_a_leaver_leaves_no_more() {
    let catalog = catalog(&[6, 3]);
    let two = wishes(&[("a", &[0, 1]), ("b", &[0, 1])]);
    let first = assign(&two, &catalog, &BTreeMap::new());
    assert_eq!(loads(&first, &two), [("a", 5), ("b", 4)].into());
    let three = wishes(&[("a", &[0, 1]), ("b", &[0, 1]), ("c", &[0, 1])]);
    let second = assign(&three, &catalog, &first);
    assert_eq!(loads(&second, &three), [("a", 3), ("b", 3), ("c", 3)].into());
    assert_eq!(moves(&first, &second), 3, "what the newcomer gets, and nothing else");
    let rest = wishes(&[("a", &[0, 1]), ("c", &[0, 1])]);
    let third = assign(&rest, &catalog, &second);
    assert_eq!(moves(&second, &third), 3, "what the leaver had, and nothing else");
    assert_eq!(assign(&rest, &catalog, &third), third, "and then it stays");
}

#[test]
fn a_chain_evens_out_what_no_single_step_can() {
    // c may only give to b, and b only to a.
    let wishes = wishes(&[("a", &[0]), ("b", &[0, 1]), ("c", &[1])]);
    let (mut readers, catalog) = (BTreeMap::new(), catalog(&[2, 4]));
    for (topic_number, index, reader) in
        [(0, 0, "a"), (0, 1, "b"), (1, 0, "b"), (1, 1, "c"), (1, 2, "c"), (1, 3, "c")]
    {
        readers
            .insert(TopicPartition { topic: topic(topic_number), partition: PartitionIndex(index) }, reader);
    }
    let after = assign(&wishes, &catalog, &readers);
    assert_eq!(loads(&after, &wishes), [("a", 2), ("b", 2), ("c", 2)].into());
    assert_eq!(moves(&readers, &after), 2);
}

#[test]
fn what_nobody_wants_has_no_reader_and_a_wish_for_nothing_is_no_harm() {
    let wishes = wishes(&[("a", &[]), ("b", &[7])]);
    assert_eq!(assign(&wishes, &catalog(&[3]), &BTreeMap::new()), BTreeMap::new());
    assert_eq!(assign(&Wishes::new(), &catalog(&[3]), &BTreeMap::new()), BTreeMap::new());
}

#[test]
fn random_groups_are_even_and_settled() {
    for seed in 0..400 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let counts: Vec<u32> = (0..random.random_range(1..5)).map(|_| random.random_range(0..12)).collect();
        let catalog = catalog(&counts);
        let names: Vec<String> = (0..random.random_range(1..7)).map(|number| format!("m{number}")).collect();
        let same = random.random_bool(0.5);
        let wishes: Wishes<'_> = names
            .iter()
            .map(|name| {
                let wanted = catalog.keys().copied().filter(|_| same || random.random_bool(0.6));
                (name.as_str(), wanted.collect())
            })
            .collect();
        let strangers = ["m0", "m1", "m2", "gone"];
        let mut readers = BTreeMap::new();
        for (id, facts) in &catalog {
            for index in 0..facts.partitions {
                if random.random_bool(0.7) {
                    let partition = TopicPartition { topic: *id, partition: PartitionIndex(index) };
                    readers.insert(partition, strangers[random.random_range(0..4)]);
                }
            }
        }
        check(&wishes, &catalog, &readers, same, seed);
    }
}

fn check<'a>(
    wishes: &Wishes<'a>,
    catalog: &Catalog,
    readers: &BTreeMap<TopicPartition, &'a str>,
    same: bool,
    seed: u64,
) {
    let after = assign(wishes, catalog, readers);
    assert_eq!(assign(wishes, catalog, &after), after, "seed {seed}: it does not stay");
    for (id, facts) in catalog {
        for index in 0..facts.partitions {
            let partition = TopicPartition { topic: *id, partition: PartitionIndex(index) };
            let takers: Vec<_> = wishes.iter().filter(|(_, topics)| topics.contains(id)).collect();
            match after.get(&partition) {
                Some(reader) => assert!(wishes[reader].contains(id), "seed {seed}: {reader} did not want it"),
                None => assert!(takers.is_empty(), "seed {seed}: {partition:?} has no reader"),
            }
        }
    }
    let loads = loads(&after, wishes);
    for (partition, reader) in &after {
        for (other, topics) in wishes {
            let fits = topics.contains(&partition.topic);
            assert!(
                !fits || loads[other] + 1 >= loads[reader],
                "seed {seed}: {other} should have more: {loads:?}"
            );
        }
    }
    if same {
        assert_minimal(wishes, readers, &after, seed);
    }
}

/// Where everybody wants the same, the least possible number of moves is known: what its reader cannot keep because it is
/// gone, and what is beyond the share of a reader that stays.
fn assert_minimal<'a>(
    wishes: &Wishes<'a>,
    before: &BTreeMap<TopicPartition, &'a str>,
    after: &BTreeMap<TopicPartition, &'a str>,
    seed: u64,
) {
    let (total, members) = (after.len(), wishes.len());
    let mut had: Vec<usize> = wishes
        .keys()
        .map(|id| {
            before.iter().filter(|(partition, reader)| *reader == id && after.contains_key(partition)).count()
        })
        .collect();
    had.sort_unstable_by(|one, other| other.cmp(one));
    // The largest shares go to those who had most.
    let share = |rank: usize| total / members + usize::from(rank < total % members);
    let beyond: usize = had.iter().enumerate().map(|(rank, count)| count.saturating_sub(share(rank))).sum();
    let orphans = before
        .iter()
        .filter(|(partition, reader)| after.contains_key(partition) && !wishes.contains_key(*reader));
    assert_eq!(moves(before, after), beyond + orphans.count(), "seed {seed}: moves that nobody needed");
}
