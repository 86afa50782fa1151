//! What came out for one client: an outcome for every capability, without exception.

use super::{adapter::About, records::Kind};
use anyhow::Result;
use std::collections::BTreeMap;

pub(crate) const METADATA: &str = "list metadata";
pub(crate) const CREATE: &str = "create a topic";
pub(crate) const PRODUCE: [(&str, &str, bool); 6] = [
    ("produce uncompressed", "none", false),
    ("produce gzip", "gzip", false),
    ("produce snappy", "snappy", false),
    ("produce lz4", "lz4", false),
    ("produce zstd", "zstd", false),
    ("produce idempotently", "none", true),
];
pub(crate) const ASSIGNED: &str = "consume assigned";
pub(crate) const GROUP: &str = "consume in a group of three";
pub(crate) const CONTINUE: &str = "commit and continue";
pub(crate) const LIST_GROUPS: &str = "list groups";
pub(crate) const DELETE_GROUP: &str = "delete a group";
pub(crate) const DELETE_TOPIC: &str = "delete a topic";

/// How much of a failure is told.
const CHARACTERS_MAX: usize = 2000;

/// All capabilities, in the order of the page.
pub(crate) fn capabilities() -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    [
        owned(&[METADATA, CREATE]),
        owned(&PRODUCE.map(|(name, _, _)| name)),
        Kind::ALL.map(Kind::write).to_vec(),
        owned(&[ASSIGNED]),
        Kind::ALL.map(Kind::read).to_vec(),
        owned(&[CONTINUE, GROUP, LIST_GROUPS, DELETE_GROUP, DELETE_TOPIC]),
    ]
    .concat()
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Yes,
    /// The client has no such thing; why.
    Cannot(String),
    Failed(String),
}

impl Outcome {
    pub(crate) fn of(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::Yes,
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

/// One client's outcomes.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) about: About,
    pub(crate) capabilities: BTreeMap<String, Outcome>,
    /// For each client that wrote, whether this one read the same.
    pub(crate) reads: BTreeMap<String, Outcome>,
    pub(crate) tools: BTreeMap<String, Outcome>,
}

impl Report {
    pub(crate) fn new(about: About) -> Self {
        let capabilities =
            about.cannot.iter().map(|(name, why)| (name.clone(), Outcome::Cannot(why.clone()))).collect();
        Self { about, capabilities, reads: BTreeMap::new(), tools: BTreeMap::new() }
    }

    pub(crate) fn cannot(&self, capability: &str) -> bool {
        self.about.cannot.contains_key(capability)
    }

    /// Notes how it went; the first failure stays.
    pub(crate) fn note(&mut self, capability: &str, result: Result<()>) {
        let outcome = Outcome::of(result);
        let known = self.capabilities.entry(capability.to_owned()).or_insert_with(|| outcome.clone());
        if matches!(outcome, Outcome::Failed(_)) && !matches!(known, Outcome::Failed(_)) {
            *known = outcome;
        }
    }

    /// All that is not as it should be, the capabilities among it that nobody has tried.
    pub(crate) fn failures(&self) -> Vec<String> {
        let all = capabilities();
        let client = &self.about.client;
        let mut failures = Vec::new();
        for name in self.capabilities.keys().filter(|name| !all.contains(name)) {
            failures.push(format!("{client}: there is no capability {name:?}"));
        }
        for name in all.iter().filter(|name| !self.capabilities.contains_key(*name)) {
            failures.push(format!("{client}: {name}: not tried"));
        }
        for (name, outcome) in [&self.capabilities, &self.reads, &self.tools].into_iter().flatten() {
            if let Outcome::Failed(why) = outcome {
                let why: String = why.chars().take(CHARACTERS_MAX).collect();
                failures.push(format!("{client}: {name}: {why}"));
            }
        }
        failures
    }
}
