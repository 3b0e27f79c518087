//! A disk with a volatile and a durable image, whose power can be cut at any operation.
//!
//! Until it is synced, each sector of 512 bytes of a write is lost or kept on its own, in any of
//! the versions that were written since the last sync; so is a file's new length, and each
//! creation, renaming and removal. It is deterministic: one seed, one outcome.

#![allow(clippy::cast_possible_truncation, reason = "files in tests are small")]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use orden::store::medium::{File, Medium};

mod image;

use crate::random::Random;
pub use image::Leaves;
use image::{Naming, Node};

/// What can be made to go wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power is cut: the operation may have been done in part.
    PowerCut,
    /// The operation fails. A sync that fails leaves the system's cache as if it had not, and
    /// what it should have written never reaches the disk.
    Error,
}

/// What was done, for tests that look at the order of things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    Write(String, u64, usize),
    Sync(String),
    Create(String),
    Rename(String, String),
    Remove(String),
    SyncDirectory,
}

/// Files by name. Their bytes are shared until somebody writes.
pub type Files = BTreeMap<String, Arc<Vec<u8>>>;

#[derive(Default)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    unsynced_names: Vec<Naming>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    dead: bool,
    locked: bool,
    done: Vec<Done>,
    /// Bytes that were read of each file.
    read: BTreeMap<String, usize>,
    /// Bytes that files may have in all.
    space: Option<usize>,
    /// Whether there is none, not even where a file has its bytes already.
    starved: bool,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// As a medium for the log.
    pub fn medium(&self) -> Arc<dyn Medium> {
        Arc::new(self.clone())
    }

    /// How many writes, syncs and changes of names there have been.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What was done so far.
    pub fn done(&self) -> Vec<Done> {
        self.state().done.clone()
    }

    /// How many bytes of each file were read.
    pub fn read(&self) -> BTreeMap<String, usize> {
        self.state().read.clone()
    }

    /// Makes the operation `at`, counted from the disk's start, go wrong.
    pub fn fail_at(&self, at: u64, fault: Fault) {
        self.state().fault = Some((at, fault));
    }

    /// Lets nothing go wrong that has not yet.
    pub fn disarm(&self) {
        self.state().fault = None;
    }

    /// Lets files have at most so many bytes in all.
    pub fn limit_space(&self, bytes: Option<usize>) {
        self.state().space = bytes;
    }

    /// From now on nothing can be written for want of space, not even over what is there: as on a
    /// file system that writes elsewhere what it overwrites. Or from now on it can.
    pub fn starve(&self, starved: bool) {
        self.state().starved = starved;
    }

    /// The machine after a power cut.
    pub fn after_power_cut(&self, leaves: Leaves) -> Self {
        let state = self.state();
        let mut random = Random::new(match leaves {
            Leaves::Some(seed) => seed,
            _ => 0,
        });
        let mut names = state.durable_names.clone();
        for naming in &state.unsynced_names {
            if leaves.choose(&mut random, 1) == 1 {
                naming.apply(&mut names);
            }
        }
        let nodes: Vec<_> = state
            .nodes
            .iter()
            .map(|node| {
                let image = Arc::new(node.image(leaves, &mut random));
                Node {
                    name: node.name.clone(),
                    volatile: Arc::clone(&image),
                    durable: image,
                    unsynced: Vec::new(),
                }
            })
            .collect();
        Self::from_image(nodes, names)
    }

    /// The same machine after the program was killed: the system's cache is still there.
    pub fn after_kill(&self) -> Self {
        let state = self.state();
        Self(Arc::new(Mutex::new(State {
            nodes: state.nodes.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            unsynced_names: state.unsynced_names.clone(),
            space: state.space,
            ..State::default()
        })))
    }

    fn from_image(nodes: Vec<Node>, names: BTreeMap<String, usize>) -> Self {
        Self(Arc::new(Mutex::new(State {
            nodes,
            durable_names: names.clone(),
            names,
            ..State::default()
        })))
    }

    /// The files as they are now.
    pub fn files(&self) -> Files {
        let state = self.state();
        let bytes = |&node: &usize| Arc::clone(&state.nodes[node].volatile);
        let files = state.names.iter();
        files
            .map(|(name, node)| (name.clone(), bytes(node)))
            .collect()
    }

    /// A disk that has these files, all of it safe.
    pub fn with_files(files: &Files) -> Self {
        let nodes = files.iter().map(|(name, bytes)| Node {
            name: name.clone(),
            volatile: Arc::clone(bytes),
            durable: Arc::clone(bytes),
            unsynced: Vec::new(),
        });
        let names = files.keys().cloned().zip(0..).collect();
        Self::from_image(nodes.collect(), names)
    }

    /// Begins an operation that changes something. Says whether it must end in an error.
    fn operation(&self, done: Done) -> io::Result<(MutexGuard<'_, State>, Option<Fault>)> {
        let mut state = self.state();
        if state.dead {
            return Err(io::Error::other("the power is off"));
        }
        state.operations += 1;
        state.done.push(done);
        let now = state.operations;
        let fault = state.fault.filter(|&(at, _)| at == now);
        state.dead = matches!(fault, Some((_, Fault::PowerCut)));
        Ok((state, fault.map(|(_, fault)| fault)))
    }

    fn rename_or_so(&self, done: Done, naming: impl FnOnce(&State) -> Naming) -> io::Result<()> {
        let (mut state, fault) = self.operation(done)?;
        let naming = naming(&state);
        if fault != Some(Fault::Error) {
            naming.apply(&mut state.names);
            match &naming {
                Naming::Link(name, _) => state.nodes.push(Node::new(name)),
                Naming::Rename(_, to, node) => state.nodes[*node].name.clone_from(to),
                Naming::Unlink(_) => {}
            }
            state.unsynced_names.push(naming);
        }
        outcome(fault)
    }

    fn find(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let state = self.state();
        if state.dead {
            return Err(io::Error::other("the power is off"));
        }
        let node = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimulatedFile {
            disk: self.clone(),
            node: *node,
        }))
    }
}

fn outcome(fault: Option<Fault>) -> io::Result<()> {
    match fault {
        None => Ok(()),
        Some(Fault::PowerCut) => Err(io::Error::other("the power is off")),
        Some(Fault::Error) => Err(io::Error::other("an error of the disk")),
    }
}

struct Guard(SimulatedDisk);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

impl Medium for SimulatedDisk {
    fn place(&self) -> &Path {
        Path::new("simulated")
    }

    fn lock(&self) -> io::Result<Option<Box<dyn Send>>> {
        let taken = std::mem::replace(&mut self.state().locked, true);
        Ok((!taken).then(|| Box::new(Guard(self.clone())) as Box<dyn Send>))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        if state.dead {
            return Err(io::Error::other("the power is off"));
        }
        Ok(state.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.rename_or_so(Done::Create(name.into()), |state| {
            Naming::Link(name.into(), state.nodes.len())
        })?;
        self.find(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.find(name)
    }

    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.find(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.rename_or_so(Done::Rename(from.into(), to.into()), |state| {
            Naming::Rename(from.into(), to.into(), state.names[from])
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.rename_or_so(Done::Remove(name.into()), |_| Naming::Unlink(name.into()))
    }

    /// Each operation takes a second.
    fn uptime(&self) -> Duration {
        Duration::from_secs(self.operations())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let (mut state, fault) = self.operation(Done::SyncDirectory)?;
        if fault.is_none() {
            state.durable_names = state.names.clone();
            state.unsynced_names.clear();
        }
        outcome(fault)
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    node: usize,
}

impl SimulatedFile {
    fn name(&self) -> String {
        self.disk.state().nodes[self.node].name.clone()
    }
}

impl File for SimulatedFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state().nodes[self.node].volatile.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        if state.dead {
            return Err(io::Error::other("the power is off"));
        }
        let file = &state.nodes[self.node];
        let bytes = file.volatile.get(offset as usize..).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        let name = file.name.clone();
        *state.read.entry(name).or_default() += count;
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let done = Done::Write(self.name(), offset, bytes.len());
        let (mut state, fault) = self.disk.operation(done)?;
        if fault != Some(Fault::Error) {
            let offset = offset as usize;
            let used: usize = state
                .names
                .values()
                .map(|&n| state.nodes[n].volatile.len())
                .sum();
            let (space, starved) = (state.space, state.starved);
            let file = &mut state.nodes[self.node];
            let grows = (offset + bytes.len()).saturating_sub(file.volatile.len());
            if starved || grows > 0 && space.is_some_and(|space| used + grows > space) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let length = file.volatile.len() + grows;
            let volatile = Arc::make_mut(&mut file.volatile);
            volatile.resize(length, 0);
            volatile[offset..offset + bytes.len()].copy_from_slice(bytes);
            file.unsynced.push((offset, bytes.to_vec()));
        }
        outcome(fault)
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut state, fault) = self.disk.operation(Done::Sync(self.name()))?;
        let file = &mut state.nodes[self.node];
        match fault {
            Some(Fault::PowerCut) => {}
            Some(Fault::Error) => file.unsynced.clear(),
            None => {
                file.sync();
            }
        }
        outcome(fault)
    }
}
