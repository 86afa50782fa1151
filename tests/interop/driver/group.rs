//! Three members share a topic while records come in; one is killed (SIGKILL, no goodbye); the others take over what it
//! had, and together they see every record.

use super::{
    adapter::{Adapter, Running},
    observer::Observer,
    records::Record,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const PARTITIONS: usize = 6;
const MEMBERS: usize = 3;
/// A record to each partition this often.
const FEED_EVERY: Duration = Duration::from_millis(100);
/// Much longer than anything here takes.
const LATE: Duration = Duration::from_secs(90);
/// Longer than a session (6 s).
const EMPTY_WITHIN: Duration = Duration::from_secs(20);

/// What each member does, seen from outside.
struct Group<'a> {
    observer: &'a mut Observer,
    topic: &'a str,
    members: Vec<Option<Running>>,
    /// Records in each partition.
    fed: i64,
    seen: Vec<BTreeSet<i64>>,
    /// The last record that came from each partition: whom it came to, and its offset.
    latest: Vec<Option<(usize, i64)>>,
}

/// The scenario; the topic's name is the group's as well.
pub(crate) fn one_of_three_is_killed(
    adapter: &Adapter,
    bootstrap: &str,
    observer: &mut Observer,
    topic: &str,
) -> Result<()> {
    observer.create_topic(topic, i32::try_from(PARTITIONS)?)?;
    let words = ["group", "--bootstrap", bootstrap, "--topic", topic, "--group", topic];
    let members = (0..MEMBERS).map(|_| adapter.start(&words).map(Some)).collect::<Result<_>>()?;
    let (seen, latest) = (vec![BTreeSet::new(); PARTITIONS], vec![None; PARTITIONS]);
    let mut group = Group { observer, topic, members, fed: 0, seen, latest };
    group.feed_until("all three have a share", Group::is_shared)?;
    let (victim, _) = group.latest[0].context("somebody has partition 0")?;
    let killed_at = group.fed;
    group.kill(victim)?;
    group.feed_until("the survivors have all partitions", |group| {
        group
            .latest
            .iter()
            .all(|last| last.is_some_and(|(member, offset)| member != victim && offset >= killed_at))
    })?;
    let all: BTreeSet<i64> = (0..group.fed).collect();
    group.wait_until("every record is seen", |group| group.seen.iter().all(|seen| *seen == all))?;
    group.end()
}

impl Group<'_> {
    fn value(partition: i32, offset: i64) -> String {
        format!("{offset} of partition {partition}")
    }

    /// Whether each member has been the last to be given records of some partition, and lags behind nowhere.
    fn is_shared(&self) -> bool {
        let owners: BTreeSet<_> = self.latest.iter().flatten().map(|(member, _)| member).collect();
        let keeps_up = |last: &Option<(usize, i64)>| last.is_some_and(|(_, offset)| self.fed - offset <= 10);
        owners.len() == MEMBERS && self.latest.iter().all(keeps_up)
    }

    fn feed(&mut self) -> Result<()> {
        let indexes = 0..i32::try_from(PARTITIONS)?;
        let values: Vec<_> = indexes.map(|index| (index, Self::value(index, self.fed))).collect();
        self.observer.produce(self.topic, &values)?;
        self.fed += 1;
        Ok(())
    }

    /// Takes what the members have said.
    fn take(&mut self) -> Result<()> {
        for index in 0..self.members.len() {
            while let Some(member) = &mut self.members[index]
                && let Some(record) = member.record_within(Duration::ZERO)?
            {
                self.see(index, &record)?;
            }
        }
        Ok(())
    }

    fn see(&mut self, member: usize, record: &Record) -> Result<()> {
        let partition = usize::try_from(record.partition)?;
        let wanted = Self::value(record.partition, record.offset);
        ensure!(record.value.as_deref() == Some(wanted.as_bytes()), "{record:?} where {wanted} was written");
        ensure!(
            partition < PARTITIONS && (0..self.fed).contains(&record.offset),
            "{record:?} was not written"
        );
        self.seen[partition].insert(record.offset);
        // What comes a second time was given out before its commit; it says nothing of who has the partition now.
        if self.latest[partition].is_none_or(|(_, offset)| record.offset > offset) {
            self.latest[partition] = Some((member, record.offset));
        }
        Ok(())
    }

    fn feed_until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !reached(self) {
            ensure!(begun.elapsed() < LATE, "not within {LATE:?}: {what}; {}", self.state());
            self.feed()?;
            std::thread::sleep(FEED_EVERY);
            self.take()?;
        }
        Ok(())
    }

    fn wait_until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !reached(self) {
            ensure!(begun.elapsed() < LATE, "not within {LATE:?}: {what}; {}", self.state());
            std::thread::sleep(FEED_EVERY);
            self.take()?;
        }
        Ok(())
    }

    fn state(&self) -> String {
        let seen: Vec<usize> = self.seen.iter().map(BTreeSet::len).collect();
        format!("{} records in each partition, seen {seen:?}, the last by {:?}", self.fed, self.latest)
    }

    fn kill(&mut self, victim: usize) -> Result<()> {
        let member = self.members[victim].take().context("a member that lives")?;
        for record in member.kill()? {
            self.see(victim, &record)?;
        }
        Ok(())
    }

    /// The survivors leave: the group is empty, and everything is committed.
    fn end(mut self) -> Result<()> {
        let mut survivors: Vec<_> = std::mem::take(&mut self.members).into_iter().flatten().collect();
        survivors.iter_mut().for_each(Running::close_input);
        for survivor in survivors {
            survivor.finish()?;
        }
        // Who leaves while the group rebalances may leave a member behind, which lives as long as a session.
        let begun = Instant::now();
        loop {
            let described = self.observer.group(self.topic)?;
            if described.group_state == "Empty" && described.members.is_empty() {
                break;
            }
            ensure!(begun.elapsed() < EMPTY_WITHIN, "left behind is {described:?}");
            std::thread::sleep(FEED_EVERY);
        }
        for partition in 0..i32::try_from(PARTITIONS)? {
            let committed = self.observer.committed(self.topic, self.topic, partition)?;
            ensure!(committed == self.fed, "{committed} of {} is committed in {partition}", self.fed);
        }
        Ok(())
    }
}
