//! A disk whose syncs of segments wait as long as a test wants, and which knows what was written
//! before them.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use orden::store::medium::{File, Medium};

use orden_kit::PATIENCE;
use orden_kit::simulated_disk::SimulatedDisk;

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct HeldDisk {
    disk: SimulatedDisk,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    is_held: bool,
    /// What was written since it was held, one write after the other.
    written: Vec<u8>,
    /// As much of it was there when a sync began that is still held.
    syncing: usize,
}

impl HeldDisk {
    /// As a medium for the log.
    pub(crate) fn medium(&self) -> Arc<dyn Medium> {
        Arc::new(self.clone())
    }

    /// From now on no sync ends.
    pub(crate) fn hold(&self) {
        let mut state = self.state();
        state.is_held = true;
        state.written.clear();
        state.syncing = 0;
    }

    /// All of them end, and those to come.
    pub(crate) fn release(&self) {
        self.state().is_held = false;
        self.shared.1.notify_all();
    }

    /// Waits for a sync that is held, and comes after something like this was written.
    pub(crate) fn await_sync_of(&self, bytes: &[u8]) {
        let goes_on = |state: &mut State| {
            let mut written = state.written[..state.syncing].windows(bytes.len());
            !written.any(|written| written == bytes)
        };
        let waited = self
            .shared
            .1
            .wait_timeout_while(self.state(), PATIENCE, goes_on);
        assert!(!waited.unwrap().1.timed_out(), "it is never synced");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap()
    }

    fn held(&self, file: io::Result<Arc<dyn File>>) -> io::Result<Arc<dyn File>> {
        let disk = self.clone();
        Ok(Arc::new(HeldFile { file: file?, disk }))
    }
}

impl Medium for HeldDisk {
    fn place(&self) -> &Path {
        self.disk.place()
    }

    fn lock(&self) -> io::Result<Option<Box<dyn Send>>> {
        self.disk.lock()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.held(self.disk.create(name))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.held(self.disk.open(name))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.disk.open_to_read(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn uptime(&self) -> Duration {
        self.disk.medium().uptime()
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
}

struct HeldFile {
    file: Arc<dyn File>,
    disk: HeldDisk,
}

impl File for HeldFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.is_held {
            state.written.extend(bytes);
        }
        drop(state);
        self.file.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        let (_, changed) = &*self.disk.shared;
        let mut state = self.disk.state();
        state.syncing = state.written.len();
        changed.notify_all();
        drop(changed.wait_while(state, |state| state.is_held).unwrap());
        self.file.sync_data()
    }
}
