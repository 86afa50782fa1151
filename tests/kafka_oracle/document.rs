//! `docs/kafka-differences.md`, made from the list of wanted differences.

use crate::wanted::Wanted;

const HEAD: &str = "\
# Where Cairn answers differently from Apache Kafka, and why

This file is generated from the list that a test holds against a real Apache Kafka 4.3 (`tests/kafka_oracle`): the same
requests go to both, and whatever differs in the replies is here, or the test fails. Texts of errors, addresses, times and
the ids that a broker makes up are not compared. `*` stands for anything, and `absent` for a field or element that is not
there.
";

/// The whole file.
pub(crate) fn generate(wanted: &[Wanted]) -> String {
    let mut text = HEAD.to_owned();
    let mut apis: Vec<&str> = Vec::new();
    for one in wanted {
        if !apis.contains(&one.api.as_str()) {
            apis.push(&one.api);
        }
    }
    for api in apis {
        let title = if api == "-" { "Connections, and what batches hold" } else { api };
        text.push_str(&format!("\n## {title}\n"));
        for one in wanted.iter().filter(|one| one.api == api) {
            text.push_str(&format!("\n{}\n\n", one.because));
            text.push_str("| versions | asked | field | Apache Kafka | Cairn |\n|---|---|---|---|---|\n");
            for row in &one.rows {
                let cells =
                    [&row.versions, &row.case, &row.field, &row.apache, &row.cairn].map(|cell| code(cell));
                text.push_str(&format!("| {} |\n", cells.join(" | ")));
            }
        }
    }
    text
}

/// As code, so that nothing in it means anything.
fn code(cell: &str) -> String {
    format!("`{}`", cell.replace('|', "\\|"))
}
