//! What is on the disk and what only in the system's cache, and what a power cut makes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Random;

const SECTOR: usize = 512;

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    Nothing,
    Everything,
    /// Each part on its own, by this seed.
    Some(u64),
}

impl Leaves {
    /// Which of `versions` later states is kept, 0 for the old one.
    pub(super) fn choose(self, random: &mut Random, versions: usize) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Everything => versions,
            Self::Some(_) => random.below(versions as u64 + 1) as usize,
        }
    }
}

#[derive(Clone, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) volatile: Arc<Vec<u8>>,
    pub(super) durable: Arc<Vec<u8>>,
    /// Writes since the last sync, as offsets and bytes.
    pub(super) unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
pub(super) enum Naming {
    Link(String, usize),
    Rename(String, String, usize),
    Unlink(String),
}

impl Naming {
    pub(super) fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, node) => {
                names.insert(name.clone(), *node);
            }
            Self::Rename(from, to, node) => {
                names.retain(|name, other| name != from || other != node);
                names.insert(to.clone(), *node);
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
        }
    }
}

impl Node {
    /// An empty file.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Makes safe what was written since the last sync; not what only looks as if it had been.
    pub(super) fn sync(&mut self) {
        let durable = Arc::make_mut(&mut self.durable);
        durable.resize(self.volatile.len(), 0);
        for (offset, bytes) in self.unsynced.drain(..) {
            durable[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
    }

    /// What a power cut leaves of this file.
    pub(super) fn image(&self, leaves: Leaves, random: &mut Random) -> Vec<u8> {
        let longer = leaves.choose(random, 1) == 1;
        let length = if longer {
            &self.volatile
        } else {
            &self.durable
        }
        .len();
        let mut image = self.durable.to_vec();
        image.resize(length, 0);
        for start in (0..length).step_by(SECTOR) {
            let end = length.min(start + SECTOR);
            let touching =
                |write: &&(usize, Vec<u8>)| write.0 < end && start < write.0 + write.1.len();
            let versions = self.unsynced.iter().filter(touching).count();
            let kept = leaves.choose(random, versions);
            for (offset, bytes) in self.unsynced.iter().filter(touching).take(kept) {
                let (from, to) = (start.max(*offset), end.min(offset + bytes.len()));
                image[from..to].copy_from_slice(&bytes[from - offset..to - offset]);
            }
        }
        image
    }
}
