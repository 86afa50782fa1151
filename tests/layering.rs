//! Holds the source tree to its architecture: a layer of the broker imports only layers to its right, dangerous or
//! replaceable things have one home each, and every file says why it exists. The rules are one table; each rule is
//! shown failing on a planted file.

#![cfg(test)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Layers of the broker from left to right; each may import itself and what stands behind it.
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["command_line"],
    &["node"],
    &["listener", "http"],
    &["service"],
    &["coordinator"],
    &["replication"],
    &["metadata"],
    &["storage"],
    &["disk"],
];

/// Every layer may use these; they use nothing of ours but each other.
const FOR_ALL: &[&str] = &["ids", "clock", "telemetry"];

/// The node and the command line read it; it knows no layer.
const FOR_NODE: &[&str] = &["config"];

/// A word of code that may stand only in files whose path begins with one of the homes.
struct Home {
    word: &'static str,
    homes: &'static [&'static str],
    why: &'static str,
}

const HOMES: &[Home] = &[
    Home { word: "unsafe", homes: &["broker/src/disk/map.rs"], why: "maps are the only unsafe code" },
    Home { word: "memmap2", homes: &["broker/src/disk/map.rs"], why: "no map leaves disk/map.rs" },
    Home {
        word: "openraft",
        homes: &["broker/src/metadata/"],
        why: "the quorum's library must be replaceable",
    },
    Home {
        word: "tonic::transport::Server",
        homes: &["broker/src/listener/", "client/tests/"],
        why: "servers stand in listeners",
    },
    Home {
        word: "transport::Server",
        homes: &["broker/src/listener/", "client/tests/"],
        why: "servers stand in listeners",
    },
    Home {
        word: "Instant::now",
        homes: &["broker/src/clock.rs", "client/", "tests/", "benches/", "proto/examples/"],
        why: "the broker takes its clock",
    },
    Home {
        word: "SystemTime::now",
        homes: &["broker/src/clock.rs", "client/", "tests/", "benches/"],
        why: "the broker takes its clock",
    },
    Home {
        word: "cairn_proto::kafka",
        homes: &["broker/src/listener/", "proto/tests/", "tests/"],
        why: "wire types stay in the listener",
    },
];

/// A source file: its path from the project's root, and its text.
struct Source {
    path: String,
    text: String,
}

fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the project").to_path_buf()
}

fn collect(directory: &Path, root: &Path, into: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(directory).expect("readable directory").flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "fixtures" && !name.starts_with('.') {
                collect(&path, root, into);
            }
        } else if name.ends_with(".rs") {
            let relative = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            into.push(Source { path: relative, text: fs::read_to_string(&path).expect("UTF-8 source") });
        }
    }
}

/// Lines of code only: comments and the inside of string literals do not count.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    text.lines().enumerate().map(|(number, line)| {
        let mut code = String::with_capacity(line.len());
        let mut in_string = false;
        let mut previous = ' ';
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            if !in_string && character == '/' && characters.peek() == Some(&'/') {
                break;
            }
            if character == '"' && previous != '\\' && !(previous == '\'' && characters.peek() == Some(&'\''))
            {
                in_string = !in_string;
            } else if !in_string {
                code.push(character);
            }
            previous = character;
        }
        (number + 1, code)
    })
}

fn contains_word(code: &str, word: &str) -> bool {
    let boundary = |character: Option<char>| !character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        boundary(code[..at].chars().next_back()) && boundary(code[at + word.len()..].chars().next())
    })
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The broker module that a path belongs to: its first component below `broker/src`.
fn module_of(path: &str) -> Option<&str> {
    let below = path.strip_prefix("broker/src/")?;
    Some(below.split('/').next().unwrap_or(below).trim_end_matches(".rs"))
}

/// The modules of the broker that a line of code names through `crate::` or `crate::{a, b::c}`.
fn imported(code: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            modules.extend(group.split(&[',', '}'][..]).map(first_segment));
        } else {
            modules.push(first_segment(rest));
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

fn first_segment(path: &str) -> String {
    path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Folds a `use` tree that spans lines into one line, so that [`imported`] sees it whole. Nested groups keep only the
/// heads of their branches.
fn use_trees(text: &str) -> Vec<(usize, String)> {
    let mut folded: Vec<(usize, String)> = Vec::new();
    let mut open: Option<(usize, String, i32)> = None;
    for (number, code) in code_lines(text) {
        let opens = i32::try_from(code.matches('{').count()).unwrap_or(0);
        let closes = i32::try_from(code.matches('}').count()).unwrap_or(0);
        if let Some((start, mut tree, depth)) = open.take() {
            tree.push_str(code.trim());
            let depth = depth + opens - closes;
            if depth > 0 {
                open = Some((start, tree, depth));
            } else {
                folded.push((start, flatten(&tree)));
            }
        } else if code.contains("crate::{") {
            if opens > closes {
                open = Some((number, code, opens - closes));
            } else {
                folded.push((number, flatten(&code)));
            }
        } else {
            folded.push((number, code));
        }
    }
    folded
}

/// `crate::{a::{b, c}, d}` becomes `crate::{a::, d}`.
fn flatten(tree: &str) -> String {
    let mut flat = String::new();
    let mut depth = 0;
    for character in tree.chars() {
        match character {
            '{' => {
                depth += 1;
                if depth == 1 {
                    flat.push('{');
                }
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    flat.push('}');
                }
            }
            other if depth <= 1 => flat.push(other),
            _ => {}
        }
    }
    flat
}

fn layering_violations(source: &Source) -> Vec<String> {
    let Some(module) = module_of(&source.path) else { return Vec::new() };
    if module == "lib" {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (number, code) in use_trees(&source.text) {
        for target in imported(&code) {
            let allowed = if target == module || FOR_ALL.contains(&target.as_str()) {
                true
            } else if FOR_ALL.contains(&module) || FOR_NODE.contains(&module) {
                false
            } else if FOR_NODE.contains(&target.as_str()) {
                layer_of(module).is_some_and(|layer| layer <= 2)
            } else {
                match (layer_of(module), layer_of(&target)) {
                    (Some(from), Some(to)) => from < to,
                    (Some(_), None) => true, // an item re-exported by lib.rs, not a module
                    (None, _) => false,
                }
            };
            if !allowed {
                violations.push(format!("{}:{number}: {module} must not import {target}", source.path));
            }
        }
    }
    violations
}

fn home_violations(source: &Source) -> Vec<String> {
    let mut violations = Vec::new();
    if source.path == "tests/layering.rs" {
        return violations;
    }
    for rule in HOMES {
        if rule.homes.iter().any(|home| source.path.starts_with(home)) {
            continue;
        }
        for (number, code) in code_lines(&source.text) {
            let attribute = code.contains("unsafe_code");
            if contains_word(&code, rule.word) && !attribute {
                violations.push(format!("{}:{number}: `{}` here, but {}", source.path, rule.word, rule.why));
            }
        }
    }
    violations
}

fn header_violations(source: &Source) -> Vec<String> {
    let first = source.text.lines().next().unwrap_or("");
    if first.starts_with("//!") && first.len() > 8 {
        return Vec::new();
    }
    vec![format!("{}:1: the first line must say why the file exists (//!)", source.path)]
}

fn name_violations(source: &Source) -> Vec<String> {
    let name = source.path.rsplit('/').next().unwrap_or("");
    let banned = ["util.rs", "utils.rs", "helpers.rs", "common.rs", "misc.rs"];
    let folder =
        source.path.split('/').any(|part| ["util", "utils", "helpers", "common", "misc"].contains(&part));
    if banned.contains(&name) || folder {
        return vec![format!("{}: name what it is for, not that it is shared", source.path)];
    }
    Vec::new()
}

fn all_violations(sources: &[Source]) -> Vec<String> {
    let rules = [layering_violations, home_violations, header_violations, name_violations];
    sources.iter().flat_map(|source| rules.iter().flat_map(move |rule| rule(source))).collect()
}

#[test]
fn the_tree_keeps_its_layers_homes_and_headers() {
    let root = project_root();
    let mut sources = Vec::new();
    for top in ["broker", "client", "proto", "tests", "benches"] {
        collect(&root.join(top), &root, &mut sources);
    }
    assert!(sources.len() > 50, "only {} files found below {}", sources.len(), root.display());
    let violations = all_violations(&sources);
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

fn planted(path: &str, text: &str) -> Vec<String> {
    all_violations(&[Source { path: path.into(), text: text.into() }])
}

#[test]
fn a_layer_that_looks_to_its_left_is_found() {
    let upward = "//! A planted file.\nuse crate::{ids::Offset, replication::{Replicas, leader}};\n";
    assert_eq!(planted("broker/src/storage/log.rs", upward).len(), 1);
    let split = "//! A planted file.\nuse crate::{\n    ids::Offset,\n    service::Broker,\n};\n";
    assert_eq!(planted("broker/src/storage/log.rs", split).len(), 1);
    let inline = "//! A planted file.\nfn f(x: &crate::metadata::Handle) {}\n";
    assert_eq!(planted("broker/src/disk/os.rs", inline).len(), 1);
    assert_eq!(planted("broker/src/listener/grpc/log.rs", inline).len(), 0);
    let sideways = "//! A planted file.\nuse crate::storage::Store;\n";
    assert_eq!(planted("broker/src/ids.rs", sideways).len(), 1);
}

#[test]
fn a_thing_outside_its_home_is_found() {
    let text = "//! A planted file.\nfn f() { unsafe { g() } }\n";
    assert_eq!(planted("broker/src/storage/log.rs", text).len(), 1);
    assert_eq!(planted("broker/src/disk/map.rs", text).len(), 0);
    let clock = "//! A planted file.\nlet now = std::time::Instant::now();\n";
    assert_eq!(planted("broker/src/storage/log.rs", clock).len(), 1);
    let comment = "//! A planted file.\n// unsafe is a word, and so is \"unsafe\"\nlet text = \"unsafe\";\n";
    assert_eq!(planted("broker/src/storage/log.rs", comment).len(), 0);
}

#[test]
fn a_file_without_a_reason_is_found() {
    assert_eq!(planted("broker/src/disk/os.rs", "use std::fmt;\n").len(), 1);
    assert_eq!(planted("broker/src/disk/util.rs", "//! A planted file.\n").len(), 1);
}
