//! How differences are held against the list of those that are wanted, `wanted.txt`.

use crate::comparison::Difference;
use anyhow::{Context as _, Result, bail, ensure};

/// Some differences of one API with one reason.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The API's name, or `-` for what concerns connections.
    pub(crate) api: String,
    /// Why.
    pub(crate) because: String,
    pub(crate) rows: Vec<Row>,
}

/// What differs. In each column `*` stands for anything.
#[derive(Debug)]
pub(crate) struct Row {
    /// `*`, one version, or `3-11`: then it must occur in the first and in the last of them.
    pub(crate) versions: String,
    /// Scene and case.
    pub(crate) case: String,
    pub(crate) field: String,
    pub(crate) apache: String,
    pub(crate) cairn: String,
}

/// The list next to this file.
pub(crate) fn list() -> Result<Vec<Wanted>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/kafka_oracle/wanted.txt");
    parse(&std::fs::read_to_string(path).context(path)?)
}

/// Its form is told at its head.
fn parse(text: &str) -> Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ") && *line != "#") {
        if let Some(api) = line.strip_prefix("## ") {
            wanted.push(Wanted { api: api.to_owned(), ..Default::default() });
            continue;
        }
        let last = wanted.last_mut().context("an API comes first")?;
        if last.because.is_empty() {
            line.clone_into(&mut last.because);
            continue;
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        let [versions, case, field, apache, cairn] = cells[..] else { bail!("not a row: {line}") };
        let [versions, case, field, apache, cairn] =
            [versions, case, field, apache, cairn].map(str::to_owned);
        ensure!(versions == "*" || bounds(&versions).is_some(), "no versions: {line}");
        last.rows.push(Row { versions, case, field, apache, cairn });
    }
    Ok(wanted)
}

/// What became of the differences.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) unwanted: Vec<Difference>,
    /// Rows that do not occur, or not in all of their versions.
    pub(crate) stale: Vec<String>,
}

/// Holds what was found against the list. The first row that matches has a difference.
pub(crate) fn judge(found: &[Difference], wanted: &[Wanted]) -> Judged {
    let rows: Vec<(&str, &Row)> =
        wanted.iter().flat_map(|one| one.rows.iter().map(|row| (one.api.as_str(), row))).collect();
    let mut seen: Vec<Vec<i16>> = vec![Vec::new(); rows.len()];
    let mut unwanted = Vec::new();
    for difference in found {
        let (api, version, case) = parts(&difference.asked);
        let place = rows.iter().position(|(wanted_api, row)| {
            *wanted_api == api
                && within(&row.versions, version)
                && matches(&row.case, case)
                && matches(&row.field, &difference.field)
                && matches(&row.apache, &difference.apache)
                && matches(&row.cairn, &difference.cairn)
        });
        match place {
            Some(place) => seen[place].push(version),
            None => unwanted.push(difference.clone()),
        }
    }
    let occurs = |row: &Row, seen: &[i16]| {
        let ends = bounds(&row.versions).map_or_else(Vec::new, |(first, last)| vec![first, last]);
        !seen.is_empty() && ends.iter().all(|version| seen.contains(version))
    };
    let stale = rows.iter().zip(&seen).filter(|((_, row), seen)| !occurs(row, seen));
    let stale = stale.map(|((api, row), seen)| format!("{api} {row:?}, seen in {seen:?}")).collect();
    Judged { unwanted, stale }
}

/// API, version and case of `Metadata 12 / topics / a bad name`.
fn parts(asked: &str) -> (&str, i16, &str) {
    let (head, case) = asked.split_once(" / ").unwrap_or((asked, ""));
    let (api, version) = head.split_once(' ').unwrap_or((head, ""));
    (api, version.parse().unwrap_or(-1), case)
}

fn bounds(versions: &str) -> Option<(i16, i16)> {
    let (first, last) = versions.split_once('-').unwrap_or((versions, versions));
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn within(versions: &str, version: i16) -> bool {
    versions == "*" || bounds(versions).is_some_and(|(first, last)| (first..=last).contains(&version))
}

/// Whether a text is what a pattern says.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| &rest[at..]).chain([""]).any(|rest| matches(after, rest))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(asked: &str, apache: &str, cairn: &str) -> Difference {
        Difference {
            asked: asked.into(),
            field: "x.error_code".into(),
            apache: apache.into(),
            cairn: cairn.into(),
        }
    }

    fn list() -> Vec<Wanted> {
        parse("# A comment\n\n## A\nit is better\n1-3 | s / * | *.error_code | 1 | 2\n").unwrap()
    }

    #[test]
    fn what_is_in_the_list_is_wanted_and_nothing_else() {
        let all = [1, 2, 3].map(|version| difference(&format!("A {version} / s / case"), "1", "2"));
        let judged = judge(&all, &list());
        assert!(judged.unwanted.is_empty() && judged.stale.is_empty(), "{judged:?}");
        for other in [
            difference("B 1 / s / case", "1", "2"),
            difference("A 4 / s / case", "1", "2"),
            difference("A 1 / other / case", "1", "2"),
            difference("A 1 / s / case", "1", "3"),
            difference("A 1 / s / case", "0", "2"),
        ] {
            let found = [&all[..], std::slice::from_ref(&other)].concat();
            assert_eq!(judge(&found, &list()).unwanted, [other]);
        }
    }

    #[test]
    fn what_no_longer_occurs_is_found() {
        assert_eq!(judge(&[], &list()).stale.len(), 1);
        let some = [1, 2].map(|version| difference(&format!("A {version} / s / case"), "1", "2"));
        assert_eq!(judge(&some, &list()).stale.len(), 1, "not in version 3");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["1 | s | f | a | c", "## A\nwhy\n1 | s | f | a", "## A\nwhy\nx | s | f | a | c"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_star_is_anything() {
        assert!(
            matches("*", "") && matches("a*c", "abc") && matches("a*", "a") && matches("*[*].x", "t[1].x")
        );
        assert!(!matches("a*c", "abd") && !matches("a", "ab") && !matches("", "a"));
    }
}
