//! What each client has to do, and what has to come out. The broker is asked from the side, not the client.

use super::{
    adapter::Adapter,
    group,
    observer::{Observer, Stored},
    records::{Kind, Record},
    report::{
        ASSIGNED, CONTINUE, CREATE, DELETE_GROUP, DELETE_TOPIC, GROUP, LIST_GROUPS, METADATA, Outcome,
        PRODUCE, Report,
    },
};
use anyhow::{Context as _, Result, ensure};
use cairn_proto::record::Compression;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where every client writes, each to a partition of its own.
pub(crate) const SHARED: &str = "shared";
/// The same for records with null header values: some clients refuse a whole batch that has one.
pub(crate) const SHARED_NULL_HEADERS: &str = "shared-null-headers";

/// Records that a topic for consuming is filled with.
const FILLED: i64 = 20;
/// How many of them are read before the restart.
const BEFORE_RESTART: usize = 8;

/// A record as it is stored, and what is peculiar about it.
pub(crate) type Written = BTreeMap<(&'static str, i32), Vec<(Kind, Record)>>;

/// One client at work.
pub(crate) struct Scenario<'a> {
    adapter: &'a Adapter,
    bootstrap: &'a str,
    observer: Observer,
    /// Its partition of the shared topics.
    partition: i32,
    partitions: i32,
    pub(crate) report: Report,
}

impl<'a> Scenario<'a> {
    pub(crate) fn new(
        adapter: &'a Adapter,
        bootstrap: &'a str,
        partition: usize,
        partitions: usize,
    ) -> Result<Self> {
        Ok(Self {
            adapter,
            bootstrap,
            observer: Observer::connect(bootstrap)?,
            partition: partition.try_into()?,
            partitions: partitions.try_into()?,
            report: Report::new(adapter.about.clone()),
        })
    }

    /// A name for this client's own topics and groups.
    fn own(&self, what: &str) -> String {
        format!("{what}-{}", self.adapter.id)
    }

    /// Tries a capability, unless the client says that it does not have it.
    fn attempt(&mut self, capability: &str, attempt: impl FnOnce(&mut Self) -> Result<()>) {
        if !self.report.cannot(capability) {
            let result = attempt(self);
            self.report.note(capability, result);
        }
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Result<Vec<String>> {
        self.adapter.run(&[&[command, "--bootstrap", self.bootstrap], arguments].concat(), Vec::new())
    }

    /// The one line of a command.
    fn answer(&self, command: &str) -> Result<Value> {
        let lines = self.run(command, &[])?;
        ensure!(lines.len() == 1, "{lines:?}");
        Ok(serde_json::from_str(&lines[0])?)
    }

    /// Everything that does not depend on the other clients; what it has written.
    pub(crate) fn alone(&mut self) -> Written {
        self.attempt(METADATA, Self::metadata);
        self.attempt(CREATE, Self::create);
        let written = self.produce();
        self.attempt(ASSIGNED, Self::assigned);
        self.attempt(CONTINUE, Self::commit_and_continue);
        self.attempt(LIST_GROUPS, Self::list_groups);
        self.attempt(DELETE_GROUP, Self::delete_group);
        self.attempt(DELETE_TOPIC, Self::delete_topic);
        written
    }

    /// Reading what all have written, and the group.
    pub(crate) fn together(&mut self, written: &Written, writers: &[&str]) {
        self.read(written, writers);
        self.attempt(GROUP, |this| {
            let topic = this.own("group");
            group::one_of_three_is_killed(this.adapter, this.bootstrap, &mut this.observer, &topic)
        });
        for tool in self.report.about.tools.clone() {
            let outcome = Outcome::of(self.tool(&tool));
            self.report.tools.insert(tool, outcome);
        }
    }

    fn metadata(&mut self) -> Result<()> {
        let answer = self.answer("metadata")?;
        let partitions = &answer["topics"][SHARED];
        ensure!(partitions.as_i64() == Some(self.partitions.into()), "{SHARED} with {partitions} partitions");
        // Some do not tell.
        ensure!(answer["brokers"].is_null() || answer["brokers"] == 1, "{answer}");
        Ok(())
    }

    fn create(&mut self) -> Result<()> {
        let topic = self.own("created");
        self.run("create", &["--topic", &topic, "--partitions", "3"])?;
        let partitions = self.observer.partitions(&topic)?;
        ensure!(partitions == Some(3), "{partitions:?} partitions");
        Ok(())
    }

    fn produce(&mut self) -> Written {
        let kinds: Vec<Kind> =
            Kind::ALL.into_iter().filter(|kind| !self.report.cannot(&kind.write())).collect();
        let (null_headers, others): (Vec<Kind>, Vec<Kind>) =
            kinds.iter().copied().partition(|kind| *kind == Kind::NullHeaderValues);
        let mut written = Written::new();
        for (capability, codec, idempotent) in PRODUCE {
            if self.report.cannot(capability) {
                continue;
            }
            let result = self.produce_with(SHARED, &others, (codec, idempotent), &mut written);
            self.report.note(capability, result);
        }
        if !null_headers.is_empty() {
            let result = self.produce_with(SHARED_NULL_HEADERS, &null_headers, ("none", false), &mut written);
            self.report.note(PRODUCE[0].0, result);
        }
        for kind in kinds {
            let of_kind = |records: &Vec<(Kind, Record)>| records.iter().any(|(other, _)| *other == kind);
            let found = written.values().any(of_kind);
            self.report.note(&kind.write(), found.then_some(()).context("none is stored"));
        }
        written
    }

    /// Writes a record of each kind. The broker must hold just those, behind what it held before.
    fn produce_with(
        &mut self,
        topic: &'static str,
        kinds: &[Kind],
        (codec, idempotent): (&str, bool),
        written: &mut Written,
    ) -> Result<()> {
        let idempotent_text = idempotent.to_string();
        let mark = format!("{} with {codec}, idempotent: {idempotent}", self.adapter.about.client);
        let records: Vec<Record> = kinds.iter().map(|kind| kind.record(self.partition, &mark)).collect();
        let input: String = records.iter().map(Record::line).collect();
        let from = self.observer.end(topic, self.partition)?;
        let arguments = ["--topic", topic, "--codec", codec, "--idempotent", &idempotent_text];
        let words = [&["produce", "--bootstrap", self.bootstrap], &arguments[..]].concat();
        self.adapter.run(&words, input.into_bytes())?;
        let stored = self.observer.read(topic, self.partition, from)?;
        ensure!(stored.len() == records.len(), "{} records are stored, not {}", stored.len(), records.len());
        check_batches(&stored, codec, idempotent)?;
        let to = written.entry((topic, self.partition)).or_default();
        for ((kind, wanted), (offset, (found, _))) in kinds.iter().zip(records).zip((from..).zip(stored)) {
            let same = found == Record { offset, ..wanted };
            self.report
                .note(&kind.write(), same.then_some(()).with_context(|| format!("stored is {found:?}")));
            // What is stored is what the others have to read, whether it was meant or not.
            to.push((*kind, found));
        }
        Ok(())
    }

    /// A topic of one partition with these records.
    fn filled(&mut self, what: &str) -> Result<String> {
        let topic = self.own(what);
        self.observer.create_topic(&topic, 1)?;
        for number in 0..FILLED {
            self.observer.produce(&topic, &[(0, number.to_string())])?;
        }
        Ok(topic)
    }

    fn assigned(&mut self) -> Result<()> {
        let topic = self.filled("assigned")?;
        let words = ["consume", "--bootstrap", self.bootstrap, "--topic", &topic, "--partitions", "1"];
        expect_filled(&self.adapter.records(&words, usize::try_from(FILLED)?)?, 0..FILLED)
    }

    fn commit_and_continue(&mut self) -> Result<()> {
        let topic = self.filled("continued")?;
        let group = self.own("continuing");
        let words = ["group", "--bootstrap", self.bootstrap, "--topic", &topic, "--group", &group];
        let restart_at = i64::try_from(BEFORE_RESTART)?;
        for range in [0..restart_at, restart_at..FILLED] {
            let end = range.end;
            let count = usize::try_from(range.end - range.start)?;
            expect_filled(&self.adapter.records(&words, count)?, range)?;
            let committed = self.observer.committed(&group, &topic, 0)?;
            ensure!(committed == end, "{committed} is committed, not {end}");
        }
        Ok(())
    }

    /// A group that only the broker knows so far.
    fn quiet_group(&mut self, what: &str) -> Result<String> {
        let (group, topic) = (self.own(what), self.own(what));
        self.observer.create_topic(&topic, 1)?;
        self.observer.commit(&group, &topic, 0)?;
        Ok(group)
    }

    fn list_groups(&mut self) -> Result<()> {
        let group = self.quiet_group("listed")?;
        let answer = self.answer("groups")?;
        let groups = answer["groups"].as_array().context("groups")?;
        ensure!(
            groups.iter().filter(|name| **name == group.as_str()).count() == 1,
            "{group} once in {answer}"
        );
        Ok(())
    }

    fn delete_group(&mut self) -> Result<()> {
        let group = self.quiet_group("deleted-group")?;
        let before = self.observer.group(&group)?.group_state;
        self.run("delete-group", &["--group", &group])?;
        let after = self.observer.group(&group)?.group_state;
        ensure!((before.as_str(), after.as_str()) == ("Empty", "Dead"), "{before}, then {after}");
        Ok(())
    }

    fn delete_topic(&mut self) -> Result<()> {
        let topic = self.own("deleted");
        self.observer.create_topic(&topic, 2)?;
        self.run("delete-topic", &["--topic", &topic])?;
        let partitions = self.observer.partitions(&topic)?;
        ensure!(partitions.is_none(), "it still has {partitions:?} partitions");
        Ok(())
    }

    /// Reads all that was written; notes how each kind and each writer came out.
    fn read(&mut self, written: &Written, writers: &[&str]) {
        let mut by_writer: BTreeMap<&str, Result<()>> =
            writers.iter().map(|writer| (*writer, Ok(()))).collect();
        for topic in [SHARED, SHARED_NULL_HEADERS] {
            if topic == SHARED_NULL_HEADERS && self.report.cannot(&Kind::NullHeaderValues.read()) {
                continue;
            }
            let of_topic = written.iter().filter(|((name, _), _)| *name == topic);
            let wanted: Vec<_> = of_topic.flat_map(|(_, records)| records).collect();
            let found = self.read_all(topic, wanted.len());
            for (kind, record) in wanted {
                let result = match &found {
                    Ok(found) => self.compare(*kind, record, found),
                    Err(error) => Err(anyhow::anyhow!("{error:#}")),
                };
                let writer = writers[usize::try_from(record.partition).expect("a partition of a writer")];
                let by_writer = by_writer.get_mut(writer).expect("all are there");
                if by_writer.is_ok()
                    && let Err(error) = &result
                {
                    *by_writer = Err(anyhow::anyhow!("{}: {error:#}", kind.name()));
                }
                self.report.note(&kind.read(), result.with_context(|| format!("written by {writer}")));
            }
        }
        self.report.reads =
            by_writer.into_iter().map(|(writer, result)| (writer.to_owned(), Outcome::of(result))).collect();
    }

    /// What the client reads of a shared topic, by partition and offset.
    fn read_all(&self, topic: &str, count: usize) -> Result<BTreeMap<(i32, i64), Record>> {
        let partitions = self.partitions.to_string();
        let words = ["consume", "--bootstrap", self.bootstrap, "--topic", topic, "--partitions", &partitions];
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        let mut found = BTreeMap::new();
        for record in self.adapter.records(&words, count)? {
            let next = next.entry(record.partition).or_default();
            ensure!(record.offset == *next, "offset {} where {next} is next: {record:?}", record.offset);
            *next += 1;
            found.insert((record.partition, record.offset), record);
        }
        Ok(found)
    }

    fn compare(&self, kind: Kind, wanted: &Record, found: &BTreeMap<(i32, i64), Record>) -> Result<()> {
        let (partition, offset) = (wanted.partition, wanted.offset);
        let found =
            found.get(&(partition, offset)).with_context(|| format!("{offset} of {partition} is missing"))?;
        let same = if self.report.cannot(&kind.read()) {
            let seen = |record: &Record| record.as_seen_by_a_client_that_cannot(kind);
            seen(found) == seen(wanted)
        } else {
            found == wanted
        };
        ensure!(same, "{found:?} where {wanted:?} is stored");
        Ok(())
    }

    /// One of Kafka's tools, which says how many records it has moved.
    fn tool(&mut self, name: &str) -> Result<()> {
        const COUNT: i64 = 1000;
        // Who measures the way from end to end reads what it writes.
        let topic = if name == "end-to-end latency" { "tools-end-to-end" } else { "tools" };
        if self.observer.partitions(topic)?.is_none() {
            self.observer.create_topic(topic, 1)?;
        }
        let before = self.observer.end(topic, 0)?;
        let count = COUNT.to_string();
        let arguments = ["--topic", topic, "--group", "tools", "--count", &count, "--name", name];
        let lines = self.run("tool", &arguments)?;
        let answer: Value = serde_json::from_str(lines.first().context("an answer")?)?;
        let said = answer["records"].as_i64().context("a number of records")?;
        let after = self.observer.end(topic, 0)?;
        let (wanted_said, wanted_written) = match name {
            "producer performance" | "verifiable producer" | "end-to-end latency" => (COUNT, COUNT),
            "consumer performance" | "verifiable consumer" => (COUNT, 0),
            "offsets" => (after, 0),
            other => anyhow::bail!("nobody knows what {other} has to do"),
        };
        ensure!(
            after - before == wanted_written,
            "{} records are written, not {wanted_written}",
            after - before
        );
        ensure!(said == wanted_said, "it says {said}, not {wanted_said}");
        Ok(())
    }
}

/// The codec that was asked for, at least where compressing is worth it; numbered if and only if idempotent.
fn check_batches(stored: &[(Record, Stored)], codec: &str, idempotent: bool) -> Result<()> {
    let wanted: Compression = codec.parse()?;
    let compressed = stored.iter().any(|(_, batch)| batch.compression == wanted);
    ensure!(compressed, "no batch is stored with {codec}");
    for (_, batch) in stored {
        let compression = batch.compression;
        ensure!(compression == wanted || compression == Compression::None, "a batch with {compression:?}");
        ensure!((batch.producer_id >= 0) == idempotent, "a batch of producer {}", batch.producer_id);
    }
    Ok(())
}

fn expect_filled(found: &[Record], numbers: std::ops::Range<i64>) -> Result<()> {
    let wanted: Vec<Record> = numbers
        .map(|number| Record {
            partition: 0,
            offset: number,
            key: None,
            value: Some(number.to_string().into_bytes()),
            headers: Vec::new(),
        })
        .collect();
    ensure!(found == wanted, "read {found:?}");
    Ok(())
}
