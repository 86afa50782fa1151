//! A reply as flat fields that can be compared: `topics[orders].partitions[0].error_code` is `NONE (0)`. What a broker
//! makes up (ids, times, addresses, texts) is replaced by what it means. Elements of lists are known by what they are
//! about, not by their place.
//!
//! The fields come from the message's pretty `Debug` form, so that every field of every API is compared without a line of
//! code for any of them.

use cairn_proto::kafka::ApiKey;
use std::collections::{BTreeMap, HashMap};

/// Path to value.
pub(crate) type Fields = BTreeMap<String, String>;

/// By these an element of a list is known: the first that it has, and that says something.
const IDENTITIES: [&str; 17] = [
    "name",
    "topic",
    "topic_name",
    "resource_name",
    "key",
    "group_id",
    "group_instance_id",
    "partition_index",
    "partition",
    "index",
    "api_key",
    "log_dir",
    "batch_index",
    "topic_id",
    "member_id",
    "producer_id",
    "first_offset",
];
/// Made up by the broker; the same one must come back in the same places. Those in one row share their names.
const MADE_UP: [(&str, &[&str]); 5] = [
    ("topic", &["topic_id"]),
    ("producer", &["producer_id"]),
    ("member", &["member_id", "leader"]),
    ("session", &["session_id"]),
    ("cluster", &["cluster_id"]),
];
/// Only whether there is one is compared.
const MASKED: [&str; 8] = [
    "host",
    "port",
    "log_dir",
    "total_bytes",
    "usable_bytes",
    "partition_size",
    "documentation",
    "client_host",
];
/// Not compared at all.
const DROPPED: [&str; 2] = ["error_message", "batch_index_error_message"];
/// Later than any number that is not a time in ms.
const TIME_MS_MIN: i64 = 1_000_000_000_000;

/// The names given so far to what a broker made up, by kind and value.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<(&'static str, String), String>);

#[derive(Debug)]
enum Tree {
    Leaf(String),
    Struct(Vec<(String, Tree)>),
    List(Vec<Tree>),
}

/// The fields of a reply.
pub(crate) fn fields(reply: &impl std::fmt::Debug, names: &mut Names) -> Fields {
    let text = format!("{reply:#?}");
    let mut lines = text.lines().map(str::trim_start);
    let first = lines.next().unwrap_or_default();
    let tree = parse(first, &mut lines);
    let mut fields = Fields::new();
    flatten("", "", &tree, names, &mut fields);
    fields
}

/// A value whose first line is given; the lines behind it are taken.
fn parse<'a>(first: &str, lines: &mut impl Iterator<Item = &'a str>) -> Tree {
    match first {
        opens if opens.ends_with('{') => {
            let mut rows = Vec::new();
            while let Some(line) = lines.next().filter(|line| !line.starts_with('}')) {
                if let Some((name, value)) = line.split_once(": ") {
                    rows.push((name.to_owned(), parse(value, lines)));
                }
            }
            Tree::Struct(rows)
        }
        opens if opens.ends_with('[') => {
            let mut elements = Vec::new();
            while let Some(line) = lines.next().filter(|line| !line.starts_with(']')) {
                elements.push(parse(line, lines));
            }
            Tree::List(elements)
        }
        opens if opens.ends_with('(') => {
            let value = lines.next().map(|line| parse(line, lines));
            lines.next();
            value.unwrap_or(Tree::Leaf(String::new()))
        }
        leaf => Tree::Leaf(leaf.strip_suffix(',').unwrap_or(leaf).to_owned()),
    }
}

fn flatten(path: &str, name: &str, tree: &Tree, names: &mut Names, out: &mut Fields) {
    match tree {
        Tree::Leaf(value) => {
            if let Some(value) = said(name, value, names) {
                out.insert(path.to_owned(), value);
            }
        }
        Tree::Struct(rows) => {
            for (name, value) in rows {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, name, value, names, out);
            }
        }
        Tree::List(elements) => list(path, elements, names, out),
    }
}

fn list(path: &str, elements: &[Tree], names: &mut Names, out: &mut Fields) {
    if elements.iter().all(|element| matches!(element, Tree::Leaf(_))) {
        let leaves = elements.iter().filter_map(|element| match element {
            Tree::Leaf(value) => Some(value.as_str()),
            _ => None,
        });
        out.insert(path.to_owned(), format!("[{}]", leaves.collect::<Vec<_>>().join(", ")));
        return;
    }
    let mut keyed: Vec<(String, &Tree)> =
        elements.iter().map(|element| (key(element, names), element)).collect();
    // What has a name of its own is put in order, so that ids are met in the same order on both sides.
    keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (key, element) in keyed {
        let count = seen.entry(key.clone()).or_default();
        *count += 1;
        let mut fields = Fields::new();
        flatten(&format!("{path}[{key}]"), "", element, names, &mut fields);
        // One topic in two elements, each with other partitions, is one topic. The same once more is another element.
        let adds = fields.keys().any(|field| !out.contains_key(field));
        if *count > 1
            && (!adds || fields.iter().any(|(field, value)| out.get(field).is_some_and(|it| it != value)))
        {
            fields.clear();
            flatten(&format!("{path}[{key} #{count}]"), "", element, names, &mut fields);
        }
        out.extend(fields);
    }
}

fn key(element: &Tree, names: &mut Names) -> String {
    let Tree::Struct(rows) = element else { return "element".into() };
    let says = |wanted: &&str| {
        let (name, value) = rows.iter().find(|(name, _)| name == wanted)?;
        let Tree::Leaf(value) = value else { return None };
        let empty = matches!(value.as_str(), "None" | "\"\"") || is_nil(value);
        (!empty).then(|| said(name, value, names)).flatten()
    };
    let found = IDENTITIES.iter().find_map(says);
    found.map_or_else(|| "nameless".into(), |found| found.trim_matches('"').to_owned())
}

fn is_nil(value: &str) -> bool {
    value == "00000000-0000-0000-0000-000000000000"
}

/// Those that the cases make up.
fn is_of_a_case(value: &str) -> bool {
    value.starts_with("00000000-0000-0000-0000-")
}

/// What a field says; none if it is not compared.
fn said(name: &str, value: &str, names: &mut Names) -> Option<String> {
    if DROPPED.contains(&name) {
        return None;
    }
    if name == "records" {
        return Some(if matches!(value, "None" | "b\"\"") { value.to_owned() } else { "batches".into() });
    }
    if name == "api_key" {
        let api = value.parse().ok().and_then(ApiKey::from_number);
        return Some(api.map_or_else(|| value.to_owned(), |api| api.name().to_owned()));
    }
    let number = value.parse::<i64>().ok();
    if MASKED.contains(&name) && !matches!(value, "None" | "\"\"" | "-1" | "0") {
        return Some("(one)".into());
    }
    if number.is_some_and(|number| number >= TIME_MS_MIN) {
        return Some("(a time)".into());
    }
    let kind = MADE_UP.iter().find(|(_, fields)| fields.contains(&name)).map(|(kind, _)| *kind);
    let made_up = match number {
        Some(number) => number > 0 || kind == Some("producer") && number == 0,
        None => value.len() >= 22 && !is_of_a_case(value),
    };
    match kind.filter(|_| made_up) {
        Some(kind) => Some(names.of(kind, value)),
        None => Some(value.to_owned()),
    }
}

impl Names {
    /// A topic's id is known by the topic's name.
    pub(crate) fn topic(&mut self, id: uuid::Uuid, name: &str) {
        self.0.insert(("topic", id.to_string()), format!("(id of {name})"));
    }

    fn of(&mut self, kind: &'static str, value: &str) -> String {
        let number = self.0.keys().filter(|(other, _)| *other == kind).count() + 1;
        self.0.entry((kind, value.to_owned())).or_insert_with(|| format!("({kind} {number})")).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use cairn_proto::kafka::{
        ErrorCode,
        fetch::{FetchResponse, FetchableTopicResponse, PartitionData},
        metadata::{MetadataResponse, MetadataResponseTopic},
    };
    use uuid::Uuid;

    #[test]
    fn fields_are_found_by_what_they_are_about() {
        let topic = |name: &str, error_code| MetadataResponseTopic {
            error_code,
            name: Some(name.into()),
            topic_id: Uuid::new_v4(),
            ..Default::default()
        };
        let topics = vec![topic("b", ErrorCode::NONE), topic("a", ErrorCode::UNKNOWN_TOPIC_ID)];
        let response = MetadataResponse { topics, cluster_id: None, ..Default::default() };
        let fields = fields(&response, &mut Names::default());
        assert_eq!(fields["topics[a].error_code"], "UNKNOWN_TOPIC_ID (100)");
        assert_eq!(fields["topics[a].topic_id"], "(topic 1)");
        assert_eq!(fields["topics[b].topic_id"], "(topic 2)");
        assert_eq!(fields["topics[b].partitions"], "[]");
        assert_eq!(fields["cluster_id"], "None");
        assert_eq!(fields["controller_id"], "-1");
    }

    #[test]
    fn what_was_made_up_keeps_its_name() {
        let mut names = Names::default();
        let topic_id = Uuid::new_v4();
        let partitions =
            vec![PartitionData { records: Some(Bytes::from_static(b"x")), ..Default::default() }];
        let topic = FetchableTopicResponse { topic_id, partitions, ..Default::default() };
        let response = FetchResponse { session_id: 77, responses: vec![topic], ..Default::default() };
        let first = fields(&response, &mut names);
        assert_eq!(first["session_id"], "(session 1)");
        assert_eq!(first["responses[(topic 1)].partitions[0].records"], "batches");
        assert_eq!(fields(&response, &mut names), first);
        let other = FetchResponse { session_id: 78, ..Default::default() };
        assert_eq!(fields(&other, &mut names)["session_id"], "(session 2)");
        assert_eq!(fields(&FetchResponse::default(), &mut names)["session_id"], "0");
    }
}
