//! Makes the page for people out of the reports, and nothing else.

use super::report::{Outcome, Report, capabilities};
use std::fmt::Write as _;

const HEAD: &str = "\
# Kafka clients

This page is made by `tests/interop.rs`, which fails when it is not what comes out. Each client works with a real broker, unchanged,
in a process of its own; `tests/interop/README.md` says how it is done and how to repeat it.

* **yes**: tried, and right. Written records are held against what the broker stores, read ones against what is stored, byte for byte.
* **– with a number**: the client has no such thing, for the reason below.

There is no third value: what fails, fails the test.
";

const NOTES: &str = "\
* *consume in a group of three*: three processes share six partitions while records come in; the one that has the first partition is
  killed (`SIGKILL`). With a session timeout of 6 s the other two take over, all records are seen, everything is committed when they leave.
* *commit and continue*: a member reads 8 of 20 records and ends; its successor begins with the ninth.
* *produce …*: a batch is stored with that codec; *idempotently*: the batches are numbered.
";

/// The cells, and the reasons that they refer to.
#[derive(Default)]
struct Reasons(Vec<String>);

impl Reasons {
    fn cell(&mut self, client: &str, outcome: Option<&Outcome>) -> String {
        match outcome {
            Some(Outcome::Yes) => "yes".into(),
            Some(Outcome::Cannot(why)) => {
                let reason = format!("{client}: {why}");
                let known = self.0.iter().position(|known| *known == reason);
                let number = known.unwrap_or_else(|| {
                    self.0.push(reason);
                    self.0.len() - 1
                });
                format!("– {}", number + 1)
            }
            Some(Outcome::Failed(_)) => "FAILED".into(),
            None => "NOT TRIED".into(),
        }
    }
}

/// The page.
pub(crate) fn page(reports: &[Report]) -> String {
    let mut page = String::from(HEAD);
    page += "\n## The clients\n\n| client | version | language |\n|---|---|---|\n";
    for Report { about, .. } in reports {
        let _ = writeln!(page, "| {} | {} | {} |", about.client, about.version, about.language);
    }
    page += "\n## What they do\n\n";
    let mut reasons = Reasons::default();
    page += &table(reports, "", &capabilities(), |report, name| {
        reasons.cell(&report.about.client, report.capabilities.get(name))
    });
    page.push('\n');
    for (index, reason) in reasons.0.iter().enumerate() {
        let _ = writeln!(page, "{}. {reason}", index + 1);
    }
    page.push('\n');
    page += NOTES;
    page += "\n## Who reads what whom\n\nEvery client reads what every client has written (rows: who wrote). What the reader cannot tell \
             apart, by the table above, it may.\n\n";
    let writers: Vec<String> = reports.iter().map(|report| report.about.client.clone()).collect();
    page += &table(reports, "written by", &writers, |report, writer| {
        Reasons::default().cell(&report.about.client, report.reads.get(writer))
    });
    for report in reports.iter().filter(|report| !report.about.tools.is_empty()) {
        let _ = writeln!(page, "\n## {}\n\n| tool | |\n|---|---|", report.about.client);
        for tool in &report.about.tools {
            let cell = Reasons::default().cell(&report.about.client, report.tools.get(tool));
            let _ = writeln!(page, "| {tool} | {cell} |");
        }
    }
    page
}

/// A column for each client.
fn table(
    reports: &[Report],
    corner: &str,
    rows: &[String],
    mut cell: impl FnMut(&Report, &str) -> String,
) -> String {
    let clients: Vec<_> = reports.iter().map(|report| report.about.client.as_str()).collect();
    let mut table =
        format!("| {corner} | {} |\n|---|{}\n", clients.join(" | "), "---|".repeat(clients.len()));
    for row in rows {
        let cells: Vec<_> = reports.iter().map(|report| cell(report, row)).collect();
        let _ = writeln!(table, "| {row} | {} |", cells.join(" | "));
    }
    table
}
