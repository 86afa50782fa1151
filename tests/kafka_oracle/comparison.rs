//! What differs between two transcripts, field by field.

use crate::{reply::Fields, side::Entry};
use std::{collections::BTreeMap, fmt};

/// Stands for a field that one side does not have.
pub(crate) const ABSENT: &str = "absent";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) asked: String,
    pub(crate) field: String,
    pub(crate) apache: String,
    pub(crate) cairn: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}: {} | {}", self.asked, self.field, self.apache, self.cairn)
    }
}

/// All of them, in the order of the questions.
pub(crate) fn differences(apache: &[Entry], cairn: &[Entry]) -> Vec<Difference> {
    let ours: BTreeMap<&str, &Fields> =
        cairn.iter().map(|entry| (entry.asked.as_str(), &entry.answered)).collect();
    let theirs: BTreeMap<&str, &Fields> =
        apache.iter().map(|entry| (entry.asked.as_str(), &entry.answered)).collect();
    assert_eq!(theirs.len(), apache.len(), "every question has a name of its own: {:?}", repeated(apache));
    let missing = |asked: &str, apache: &str, cairn: &str| Difference {
        asked: asked.into(),
        field: "(asked)".into(),
        apache: apache.into(),
        cairn: cairn.into(),
    };
    let mut found = Vec::new();
    for Entry { asked, answered } in apache {
        match ours.get(asked.as_str()) {
            Some(ours) => found.extend(of_fields(asked, answered, ours)),
            None => found.push(missing(asked, "yes", "no")),
        }
    }
    let only_ours = cairn.iter().filter(|entry| !theirs.contains_key(entry.asked.as_str()));
    found.extend(only_ours.map(|entry| missing(&entry.asked, "no", "yes")));
    found
}

fn of_fields(asked: &str, apache: &Fields, cairn: &Fields) -> Vec<Difference> {
    let names: std::collections::BTreeSet<&String> = apache.keys().chain(cairn.keys()).collect();
    let value = |fields: &Fields, name: &str| fields.get(name).cloned().unwrap_or_else(|| ABSENT.into());
    let differs = |name: &&String| apache.get(*name) != cairn.get(*name);
    let difference = |name: &String| Difference {
        asked: asked.into(),
        field: name.clone(),
        apache: value(apache, name),
        cairn: value(cairn, name),
    };
    names.into_iter().filter(differs).map(difference).collect()
}

fn repeated(transcript: &[Entry]) -> Vec<&str> {
    let mut seen = std::collections::BTreeSet::new();
    transcript.iter().map(|entry| entry.asked.as_str()).filter(|asked| !seen.insert(*asked)).collect()
}

/// Differences for people: those that are alike in several versions stand in one line.
pub(crate) fn summary(found: &[Difference]) -> String {
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for difference in found {
        let (api, rest) = difference.asked.split_once(' ').unwrap_or(("", &difference.asked));
        let (version, case) = rest.split_once(" / ").unwrap_or(("", rest));
        let Difference { field, apache, cairn, .. } = difference;
        let line = format!("{api} / {case}: {field}: {apache} | {cairn}");
        match alike.iter_mut().find(|(other, _)| *other == line) {
            Some((_, versions)) => versions.push(version),
            None => alike.push((line, vec![version])),
        }
    }
    let lines = alike.into_iter().map(|(line, versions)| format!("{line}   [{}]", versions.join(" ")));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(asked: &str, rows: &[(&str, &str)]) -> Entry {
        let row = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Entry { asked: asked.into(), answered: rows.iter().map(row).collect() }
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let apache = [
            entry("A 1 / s / same", &[("x", "1")]),
            entry("A 1 / s / changed", &[("x", "1"), ("y", "2"), ("z", "3")]),
            entry("A 1 / s / only theirs", &[]),
        ];
        let cairn = [
            entry("A 1 / s / same", &[("x", "1")]),
            entry("A 1 / s / changed", &[("x", "1"), ("y", "5"), ("w", "4")]),
            entry("A 1 / s / only ours", &[]),
        ];
        let found: Vec<String> = differences(&apache, &cairn).iter().map(ToString::to_string).collect();
        let expected = [
            "A 1 / s / changed: w: absent | 4",
            "A 1 / s / changed: y: 2 | 5",
            "A 1 / s / changed: z: 3 | absent",
            "A 1 / s / only theirs: (asked): yes | no",
            "A 1 / s / only ours: (asked): no | yes",
        ];
        assert_eq!(found, expected);
    }
}
