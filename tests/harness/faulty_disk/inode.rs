//! One file: what readers see, what is durable, and every page and length in between that a power cut may leave.

use super::PAGE_BYTES;
use cairn_broker::disk::Caching;
use std::{
    collections::BTreeMap,
    ops::Range,
    path::Path,
    sync::{Arc, LazyLock, Weak},
};

/// Pages are never changed, only replaced; `None` is a hole, which reads as zeros and takes no space.
pub(super) type Page = Option<Arc<[u8; PAGE_BYTES]>>;

/// States of one unsynced page that are remembered, beside the durable one.
const VERSIONS_MAX: usize = 4;

static ZEROS: LazyLock<Arc<[u8; PAGE_BYTES]>> = LazyLock::new(|| Arc::new([0; PAGE_BYTES]));

/// Bytes of a file at one moment. Behind the length all is zero.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) pages: Vec<Page>,
    pub(super) length: u64,
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct Inode {
    visible: Content,
    durable: Content,
    /// The states of each page since the last sync, oldest first.
    dirty: BTreeMap<usize, Vec<Page>>,
    /// The lengths since the last sync, oldest first.
    lengths: Vec<u64>,
    published: Vec<(Range<u64>, Weak<()>)>,
    direct_handles: usize,
    buffered_handles: usize,
    /// Whether reads need not touch the disk.
    pub(super) resident: bool,
}

impl Content {
    fn set_page(&mut self, index: usize, page: Page) {
        if index >= self.pages.len() {
            self.pages.resize(index + 1, None);
        }
        if let Some(slot) = self.pages.get_mut(index) {
            *slot = page;
        }
    }

    fn page(&self, index: usize) -> Page {
        self.pages.get(index).cloned().flatten()
    }

    /// Zeroes what lies behind the length. Says which pages changed.
    fn clear_tail(&mut self) -> Vec<usize> {
        let (whole, rest) = (page_of(self.length), in_page(self.length));
        let mut changed = Vec::new();
        if rest > 0
            && let Some(page) = self.page(whole)
            && page.iter().skip(rest).any(|byte| *byte != 0)
        {
            let mut kept = *page;
            kept.iter_mut().skip(rest).for_each(|byte| *byte = 0);
            self.set_page(whole, Some(Arc::new(kept)));
            changed.push(whole);
        }
        for index in whole + usize::from(rest > 0)..self.pages.len() {
            if self.page(index).is_some() {
                self.set_page(index, None);
                changed.push(index);
            }
        }
        changed
    }
}

impl Inode {
    /// A new file: what is written from now on is in memory.
    pub(super) fn created() -> Self {
        Self { resident: true, ..Self::default() }
    }

    /// A file as a power cut left it.
    pub(super) fn of(mut content: Content) -> Self {
        content.clear_tail();
        Self { visible: content.clone(), durable: content, ..Self::default() }
    }

    /// The same file once nobody has it open.
    pub(super) fn without_readers(&self) -> Self {
        Self {
            visible: self.visible.clone(),
            durable: self.durable.clone(),
            dirty: self.dirty.clone(),
            lengths: self.lengths.clone(),
            resident: self.resident,
            ..Self::default()
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.visible.length
    }

    pub(super) fn handles(&self) -> usize {
        self.direct_handles + self.buffered_handles
    }

    /// A handle more. Direct and buffered access to one file at the same time is what the contract forbids.
    pub(super) fn opened(&mut self, caching: Caching, path: &Path) {
        match caching {
            Caching::Direct => self.direct_handles += 1,
            Caching::Buffered => self.buffered_handles += 1,
        }
        let mixed = self.direct_handles > 0 && self.buffered_handles > 0;
        assert!(!mixed, "{} is open for direct and for buffered access at once", path.display());
    }

    /// A handle less.
    pub(super) fn closed(&mut self, caching: Caching) {
        match caching {
            Caching::Direct => self.direct_handles -= 1,
            Caching::Buffered => self.buffered_handles -= 1,
        }
    }

    pub(super) fn allocated_bytes(&self) -> u64 {
        (self.visible.pages.iter().filter(|page| page.is_some()).count() * PAGE_BYTES) as u64
    }

    /// Bytes that a write or an allocation of this range would take from the free space.
    pub(super) fn missing_bytes(&self, position: u64, length: u64) -> u64 {
        let missing = pages_of(position, length).filter(|index| self.visible.page(*index).is_none());
        (missing.count() * PAGE_BYTES) as u64
    }

    pub(super) fn read(&self, position: u64, buffer: &mut [u8]) -> usize {
        let available = usize::try_from(self.length().saturating_sub(position)).unwrap_or(usize::MAX);
        let count = buffer.len().min(available);
        let mut done = 0;
        while done < count {
            let at = position + done as u64;
            let (index, offset) = (page_of(at), in_page(at));
            let some = (count - done).min(PAGE_BYTES - offset);
            let Some(target) = buffer.get_mut(done..done + some) else { break };
            match self.visible.pages.get(index) {
                Some(Some(page)) => {
                    target.copy_from_slice(page.get(offset..offset + some).unwrap_or_default())
                }
                _ => target.fill(0),
            }
            done += some;
        }
        count
    }

    /// Writes those of the touched pages that `keeps` lets through; a write that fails keeps any of them.
    pub(super) fn write(&mut self, position: u64, bytes: &[u8], mut keeps: impl FnMut() -> bool) {
        self.assert_unpublished(position, bytes.len() as u64, "written");
        let mut done = 0;
        while done < bytes.len() {
            let at = position + done as u64;
            let (index, offset) = (page_of(at), in_page(at));
            let some = (bytes.len() - done).min(PAGE_BYTES - offset);
            if keeps() {
                let mut page = self.visible.page(index).map_or([0; PAGE_BYTES], |page| *page);
                if let (Some(target), Some(source)) =
                    (page.get_mut(offset..offset + some), bytes.get(done..done + some))
                {
                    target.copy_from_slice(source);
                }
                self.put(index, Some(Arc::new(page)));
                if at + some as u64 > self.visible.length {
                    self.visible.length = at + some as u64;
                    self.lengths.push(self.visible.length);
                }
            }
            done += some;
        }
    }

    pub(super) fn allocate(&mut self, position: u64, length: u64) {
        for index in pages_of(position, length) {
            if self.visible.page(index).is_none() {
                self.put(index, Some(Arc::clone(&ZEROS)));
            }
        }
        let end = position + length;
        if end > self.visible.length {
            self.visible.length = end;
            self.lengths.push(end);
        }
    }

    pub(super) fn set_length(&mut self, length: u64) {
        let cut = self.visible.length.saturating_sub(length);
        self.assert_unpublished(length, cut, "cut off");
        self.visible.length = length;
        self.lengths.push(length);
        for index in self.visible.clear_tail() {
            self.note(index);
        }
    }

    fn put(&mut self, index: usize, page: Page) {
        self.visible.set_page(index, page);
        self.note(index);
    }

    fn note(&mut self, index: usize) {
        let versions = self.dirty.entry(index).or_default();
        if versions.len() == VERSIONS_MAX {
            versions.remove(VERSIONS_MAX / 2);
        }
        versions.push(self.visible.page(index));
    }

    pub(super) fn sync(&mut self) {
        self.settle(|_| true);
    }

    /// What a failed sync leaves: any of the pages became durable, none is unsynced any more, and readers see no difference.
    pub(super) fn lose_unsynced(&mut self, mut keeps: impl FnMut() -> bool) {
        let length = self.durable.length;
        self.settle(|_| keeps());
        if !keeps() {
            self.durable.length = length;
        }
    }

    fn settle(&mut self, mut keeps: impl FnMut(usize) -> bool) {
        for index in std::mem::take(&mut self.dirty).into_keys() {
            if keeps(index) {
                let page = self.visible.page(index);
                self.durable.set_page(index, page);
            }
        }
        self.durable.length = self.visible.length;
        self.lengths.clear();
    }

    /// The file after a power cut. `choose(n)` picks one of n states, the durable one being number 0 and the newest n − 1.
    pub(super) fn after_crash(&self, mut choose: impl FnMut(usize) -> usize) -> Content {
        let mut content = self.durable.clone();
        for (index, versions) in &self.dirty {
            if let Some(version) = choose(versions.len() + 1).checked_sub(1).and_then(|at| versions.get(at)) {
                content.set_page(*index, version.clone());
            }
        }
        if !self.lengths.is_empty()
            && let Some(length) =
                choose(self.lengths.len() + 1).checked_sub(1).and_then(|at| self.lengths.get(at))
        {
            content.length = *length;
        }
        content
    }

    pub(super) fn publish(&mut self, position: u64, length: usize) -> Arc<()> {
        self.published.retain(|(_, alive)| alive.strong_count() > 0);
        let alive = Arc::new(());
        self.published.push((position..position + length as u64, Arc::downgrade(&alive)));
        alive
    }

    fn assert_unpublished(&self, position: u64, length: u64, what: &str) {
        let end = position.saturating_add(length);
        let hit = self
            .published
            .iter()
            .find(|(range, alive)| range.start < end && position < range.end && alive.strong_count() > 0);
        if let Some((range, _)) = hit {
            panic!(
                "bytes {range:?} were handed out to a reader, and {position}..{end} of the same file is {what}"
            );
        }
    }

    pub(super) fn flip_bit(&mut self, position: u64, bit: u8) {
        let flip = |page: &mut Page| {
            let mut bytes = page.as_ref().map_or([0; PAGE_BYTES], |page| **page);
            if let Some(byte) = bytes.get_mut(in_page(position)) {
                *byte ^= 1 << (bit % 8);
            }
            *page = Some(Arc::new(bytes));
        };
        let index = page_of(position);
        let durable =
            [&mut self.visible, &mut self.durable].into_iter().filter_map(|c| c.pages.get_mut(index));
        let unsynced = self.dirty.get_mut(&index).into_iter().flatten();
        durable.chain(unsynced).for_each(flip);
    }
}

fn page_of(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX) / PAGE_BYTES
}

fn in_page(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX) % PAGE_BYTES
}

fn pages_of(position: u64, length: u64) -> Range<usize> {
    page_of(position)..page_of((position + length).next_multiple_of(PAGE_BYTES as u64))
}
