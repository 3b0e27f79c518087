//! Syncs beside the messages: what is appended meanwhile waits for none, nothing counts as safe
//! before its sync is over, and an error ends the log.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use orden::core::{Index, Write};
use orden::store::medium::{File, Medium};
use orden::store::{self, Error, Log, Opened, Options, Run};
use orden::wire::OrderNumber;

use super::batches::{self, chunk};
use orden_kit::PATIENCE;
use orden_kit::simulated_disk::SimulatedDisk;

/// A disk whose syncs of segments wait, or fail.
#[derive(Clone, Default)]
struct Gate {
    disk: SimulatedDisk,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    is_shut: bool,
    fails: bool,
    waiting: usize,
}

impl Gate {
    fn set(&self, is_shut: bool, fails: bool) {
        let mut state = self.state.0.lock().unwrap();
        state.is_shut = is_shut;
        state.fails = fails;
        self.state.1.notify_all();
    }

    /// Waits until a sync is held.
    fn await_sync(&self) {
        let state = self.state.0.lock().unwrap();
        let none_waits = |state: &mut State| state.waiting == 0;
        let waited = self.state.1.wait_timeout_while(state, PATIENCE, none_waits);
        assert!(!waited.unwrap().1.timed_out(), "nothing is synced");
    }

    fn gated(&self, file: io::Result<Arc<dyn File>>) -> io::Result<Arc<dyn File>> {
        let gate = self.clone();
        Ok(Arc::new(GatedFile { file: file?, gate }))
    }
}

impl Medium for Gate {
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
        self.gated(self.disk.create(name))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.gated(self.disk.open(name))
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
        self.disk.uptime()
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
}

struct GatedFile {
    file: Arc<dyn File>,
    gate: Gate,
}

impl File for GatedFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        let (state, changed) = &*self.gate.state;
        let mut state = state.lock().unwrap();
        state.waiting += 1;
        changed.notify_all();
        state = changed.wait_while(state, |state| state.is_shut).unwrap();
        state.waiting -= 1;
        if state.fails {
            return Err(io::Error::from_raw_os_error(5));
        }
        drop(state);
        self.file.sync_data()
    }
}

fn opened(gate: &Gate) -> Opened {
    let options = Options {
        segment_bytes: 64 << 10,
        ..Options::new("simulated")
    };
    let medium = Arc::new(gate.clone());
    store::open_on(medium, &options, Run::Background, batches::IDENTITY).unwrap()
}

fn append(log: &mut dyn Log, index: u64) {
    let chunk = chunk((index - 1) * 10, &[50; 10], 1);
    log.append(Index(index), &Write::Messages(chunk)).unwrap();
    log.expose().unwrap();
}

fn await_committed(log: &dyn Log, index: u64) {
    let is_safe = || (log.committed() >= Index(index)).then_some(());
    orden_kit::poll(is_safe, "the end of a sync");
}

#[test]
fn what_is_appended_beside_a_sync_does_not_wait_and_is_not_safe() {
    let gate = Gate::default();
    let mut log = opened(&gate).log;
    let mut reader = log.reader();
    append(&mut *log, 1);
    gate.set(true, false);
    log.begin_commit().unwrap();
    gate.await_sync();
    append(&mut *log, 2);
    assert_eq!(reader.read(OrderNumber(10)).unwrap().end(), OrderNumber(20));
    assert_eq!(log.committed(), Index(0));
    gate.set(false, false);
    await_committed(&*log, 1);
    assert_eq!(log.committed(), Index(1), "the second was not there yet");
    log.commit().unwrap();
    assert_eq!(log.committed(), Index(2));
    append(&mut *log, 3);
    log.begin_commit().unwrap();
    await_committed(&*log, 3);
    append(&mut *log, 4);
    drop(log);
    let opened = opened(&gate);
    assert_eq!(opened.recovered.next, OrderNumber(40));
    assert_eq!(opened.repair, None);
}

#[test]
fn a_sync_beside_that_fails_ends_the_log() {
    let gate = Gate::default();
    let mut log = opened(&gate).log;
    append(&mut *log, 1);
    gate.set(false, true);
    log.begin_commit().unwrap();
    let error = log.commit().unwrap_err();
    assert!(error.to_string().contains("sync"), "{error}");
    gate.set(false, false);
    assert!(matches!(log.commit(), Err(Error::Ended)));
    assert_eq!(log.committed(), Index(0));
}
