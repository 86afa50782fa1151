//! What groups were, from the records that say so. Records come in any order, repeated, and without those that compaction
//! removed.

use super::{Entry, Groups};
use crate::{
    clock::Monotonic,
    coordinator::{
        group::{Group, GroupKind},
        native::NativeGroup,
        native_record::decode_native,
        record::{Key, RecordError, decode_group, decode_key, decode_offset},
    },
};
use bytes::Bytes;

impl Groups {
    /// Takes a record that was written by this or an earlier coordinator.
    ///
    /// # Errors
    /// It cannot be read; nothing changed.
    pub fn replay(
        &mut self,
        (key, value): (&Bytes, Option<&Bytes>),
        (now, now_ms): (Monotonic, i64),
    ) -> Result<(), RecordError> {
        let options = self.options.clone();
        match decode_key(key)? {
            Key::Unknown(_) => {}
            Key::Group(group) => {
                let written = value.map(decode_group).transpose()?;
                let restored = match written {
                    Some(written) => Group::restore(options, written, now),
                    // Its offsets have records of their own.
                    None => Group::new(options),
                };
                self.replace(&group, now_ms, |entry| entry.group = restored);
            }
            Key::Native(group) => {
                let written = value.map(decode_native).transpose()?;
                let restored = match written {
                    Some(written) => NativeGroup::restore(options, written),
                    None => NativeGroup::new(options),
                };
                self.replace(&group, now_ms, |entry| entry.native = restored);
            }
            Key::Offset { group, topic, partition } => {
                let committed = value.map(decode_offset).transpose()?;
                let entry = self.groups.entry(group).or_insert_with(|| Entry::new(&options));
                match committed {
                    Some(committed) => {
                        if entry.has_no_member() {
                            entry.empty_since_ms.get_or_insert(now_ms);
                        }
                        entry.offsets.insert((topic, partition), committed);
                    }
                    None => {
                        entry.offsets.remove(&(topic, partition));
                    }
                }
            }
        }
        Ok(())
    }

    /// The replay is over: groups of which it left nothing go, and the sessions of members begin.
    pub fn finish_replay(&mut self, now: Monotonic) {
        self.groups.retain(|_, entry| !entry.is_blank());
        self.deadlines.clear();
        for (group, entry) in &mut self.groups {
            entry.group.begin_sessions(now);
            entry.native.begin_sessions(now);
            entry.deadline = entry.next_deadline();
            self.deadlines.extend(entry.deadline.map(|deadline| (deadline, group.clone())));
        }
    }

    /// Takes what was written of a group's members.
    fn replace(&mut self, group: &str, now_ms: i64, act: impl FnOnce(&mut Entry)) {
        let options = &self.options;
        self.groups.entry(group.to_string()).or_insert_with(|| Entry::new(options));
        self.with(group, |entry| {
            act(entry);
            let (classic, native) = (!entry.group.is_empty(), !entry.native.is_empty());
            entry.kind = match (classic, native) {
                (true, _) => GroupKind::Classic,
                (false, true) => GroupKind::Native,
                (false, false) if entry.group.generation() == 0 && entry.native.epoch() > 0 => {
                    GroupKind::Native
                }
                (false, false) => entry.kind,
            };
            entry.empty_since_ms = entry.has_no_member().then_some(now_ms);
        });
    }
}
