//! Names in directories: what is seen, what is durable, and every change in between that a power cut keeps or loses by itself.
//! A rename is one change, even between two directories.

use super::{State, error, failed};
use cairn_broker::disk::{DiskErrorKind, DiskResult};
use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A file's inode.
    File(u64),
    /// A directory's number.
    Directory(usize),
}

/// A part of a change: a rename has two of the same number.
#[derive(Clone, Debug)]
struct NameChange {
    number: u64,
    name: String,
    effect: Effect,
}

#[derive(Clone, Copy, Debug)]
enum Effect {
    Set(Node),
    /// The name goes, if it leads there.
    Remove(Node),
}

/// One directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    visible: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    pending: Vec<NameChange>,
}

impl Directory {
    /// A directory as a power cut left it.
    pub(super) fn of(names: BTreeMap<String, Node>) -> Self {
        Self { visible: names.clone(), durable: names, pending: Vec::new() }
    }

    /// What its names lead to.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node> {
        self.visible.values().copied()
    }

    /// The names after a power cut that keeps the changes of these numbers.
    pub(super) fn after_crash(&self, mut keeps: impl FnMut(u64) -> bool) -> BTreeMap<String, Node> {
        let mut names = self.durable.clone();
        for change in self.pending.iter().filter(|change| keeps(change.number)) {
            change.apply(&mut names);
        }
        names
    }

    /// Whether any name, seen, durable or in between, leads there.
    pub(super) fn mentions(&self, node: Node) -> bool {
        let pending = self
            .pending
            .iter()
            .any(|change| matches!(change.effect, Effect::Set(set) | Effect::Remove(set) if set == node));
        pending || self.visible.values().chain(self.durable.values()).any(|other| *other == node)
    }

    fn change(&mut self, number: u64, name: &str, effect: Effect) {
        let change = NameChange { number, name: name.to_string(), effect };
        change.apply(&mut self.visible);
        self.pending.push(change);
    }

    /// Makes one change durable out of its turn.
    fn commit(&mut self, number: u64) {
        for change in self.pending.extract_if(.., |change| change.number == number) {
            change.apply(&mut self.durable);
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self.effect {
            Effect::Set(node) => {
                names.insert(self.name.clone(), node);
            }
            Effect::Remove(node) if names.get(&self.name) == Some(&node) => {
                names.remove(&self.name);
            }
            Effect::Remove(_) => {}
        }
    }
}

impl State {
    pub(super) fn names(&self, directory: usize) -> impl Iterator<Item = (&String, &Node)> {
        self.directories.get(directory).into_iter().flat_map(|directory| &directory.visible)
    }

    fn directory_mut(&mut self, directory: usize) -> Option<&mut Directory> {
        self.directories.get_mut(directory)
    }

    fn child(&self, directory: usize, name: &str) -> Option<Node> {
        self.directories.get(directory)?.visible.get(name).copied()
    }

    /// What a path leads to.
    pub(super) fn node(&self, path: &Path) -> Option<Node> {
        path.components().try_fold(Node::Directory(0), |node, component| match (node, component) {
            (Node::Directory(directory), Component::Normal(name)) => self.child(directory, name.to_str()?),
            (Node::Directory(_), Component::RootDir | Component::CurDir) => Some(node),
            _ => None,
        })
    }

    pub(super) fn directory_id(&self, path: &Path, verb: &'static str) -> DiskResult<usize> {
        match self.node(path) {
            Some(Node::Directory(id)) => Ok(id),
            Some(Node::File(_)) => Err(failed(verb, path, "it is a file")),
            None => Err(error(DiskErrorKind::NotFound, verb, path, "there is no such directory")),
        }
    }

    pub(super) fn file_id(&self, path: &Path, verb: &'static str) -> DiskResult<u64> {
        match self.node(path) {
            Some(Node::File(id)) => Ok(id),
            Some(Node::Directory(_)) => Err(failed(verb, path, "it is a directory")),
            None => Err(error(DiskErrorKind::NotFound, verb, path, "there is no such file")),
        }
    }

    /// The directory that holds a name, and the name.
    fn place<'a>(&self, path: &'a Path, verb: &'static str) -> DiskResult<(usize, &'a str)> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| failed(verb, path, "it has no name"))?;
        Ok((self.directory_id(parent, verb)?, name))
    }

    fn next_change(&mut self) -> u64 {
        self.next_name_change += 1;
        self.next_name_change
    }

    pub(super) fn add_name(&mut self, path: &Path, node: Node, verb: &'static str) -> DiskResult<()> {
        let (directory, name) = self.place(path, verb)?;
        let number = self.next_change();
        if let Some(directory) = self.directory_mut(directory) {
            directory.change(number, name, Effect::Set(node));
        }
        Ok(())
    }

    pub(super) fn add_directory(&mut self, path: &Path, verb: &'static str) -> DiskResult<()> {
        let id = self.directories.len();
        self.add_name(path, Node::Directory(id), verb)?;
        self.directories.push(Directory::default());
        Ok(())
    }

    pub(super) fn remove_name(&mut self, path: &Path, node: Node, verb: &'static str) -> DiskResult<()> {
        let (directory, name) = self.place(path, verb)?;
        let number = self.next_change();
        if let Some(directory) = self.directory_mut(directory) {
            directory.change(number, name, Effect::Remove(node));
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, verb: &'static str) -> DiskResult<()> {
        let not_found = || error(DiskErrorKind::NotFound, verb, from, "there is no such name");
        let node = self.node(from).ok_or_else(not_found)?;
        let (source, old_name) = self.place(from, verb)?;
        let (target, new_name) = self.place(to, verb)?;
        if self.child(target, new_name) == Some(node) {
            return Ok(());
        }
        let number = self.next_change();
        if let Some(source) = self.directory_mut(source) {
            source.change(number, old_name, Effect::Remove(node));
        }
        if let Some(target) = self.directory_mut(target) {
            target.change(number, new_name, Effect::Set(node));
        }
        Ok(())
    }

    /// Makes all names of a directory durable, and with a rename its other half.
    pub(super) fn sync_names(&mut self, directory: usize) {
        let Some(synced) = self.directories.get_mut(directory) else { return };
        let numbers: Vec<u64> = synced.pending.drain(..).map(|change| change.number).collect();
        synced.durable = synced.visible.clone();
        for other in &mut self.directories {
            for number in &numbers {
                other.commit(*number);
            }
        }
    }
}
