//! Syncs beside the path of the messages, for a broker that was told to tell of messages before
//! they are safe: one thread, which begins with the first of them, and one sync at a time.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::figures::Figures;
use super::maintenance::Run;
use super::medium::File;
use crate::core::Index;

/// How far a file is to be synced, or is.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) file: Arc<dyn File>,
    /// Where in it the next byte goes.
    pub(super) tail: u64,
    /// The last group of writes before that.
    pub(super) index: Index,
}

#[derive(Default)]
struct State {
    wanted: Option<Reach>,
    is_running: bool,
    /// The last sync that is over: its tail and index.
    done: Option<(u64, Index)>,
    failed: Option<io::Error>,
    stop: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    figures: Arc<Figures>,
}

/// The handle to the thread.
pub(super) struct Syncing {
    shared: Arc<Shared>,
    run: Run,
    thread: Option<JoinHandle<()>>,
    /// Where the last sync was asked for.
    asked: u64,
}

impl Syncing {
    pub(super) fn new(run: Run, figures: &Arc<Figures>) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: Condvar::new(),
                figures: Arc::clone(figures),
            }),
            run,
            thread: None,
            asked: 0,
        }
    }

    /// Begins a sync. While one runs, the next begins when it is over.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn begin(&mut self, reach: Reach) -> io::Result<()> {
        self.asked = reach.tail;
        if self.run != Run::Background {
            let synced = (self.shared.figures).time_sync(|| reach.file.sync_data());
            self.shared.lock().note(&reach, synced);
            return Ok(());
        }
        if self.thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let builder = std::thread::Builder::new().name("log-sync".into());
            self.thread = Some(builder.spawn(move || shared.work())?);
        }
        self.shared.lock().wanted = Some(reach);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Where in the file the last sync was asked for.
    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// Whether a sync runs, or waits for one.
    pub(super) fn is_busy(&self) -> bool {
        self.shared.lock().is_busy()
    }

    /// Where the last sync that is over was asked for, and the last group that it has made safe.
    pub(super) fn done(&self) -> Option<(u64, Index)> {
        self.shared.lock().done
    }

    /// The first error of a sync, once.
    pub(super) fn check(&self) -> io::Result<()> {
        self.shared.lock().failed.take().map_or(Ok(()), Err)
    }

    /// Waits for all that has begun, and forgets what it has reached: from `tail` on another file
    /// may be written, or a sync of the caller's own has gone further.
    ///
    /// # Errors
    /// The first error of a sync.
    pub(super) fn finish(&mut self, tail: u64) -> io::Result<()> {
        let mut state = self.shared.lock();
        while state.is_busy() {
            state = self.shared.wait(state);
        }
        state.done = None;
        self.asked = tail;
        state.failed.take().map_or(Ok(()), Err)
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        // A panic of the thread has been printed; there is nobody left to tell.
        drop(thread.join());
    }
}

impl State {
    fn is_busy(&self) -> bool {
        self.wanted.is_some() || self.is_running
    }

    fn note(&mut self, reach: &Reach, synced: io::Result<()>) {
        match synced {
            Ok(()) => self.done = Some((reach.tail, reach.index)),
            Err(error) => {
                self.failed.get_or_insert(error);
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.stop {
            let Some(reach) = state.wanted.take() else {
                state = self.wait(state);
                continue;
            };
            state.is_running = true;
            drop(state);
            let synced = self.figures.time_sync(|| reach.file.sync_data());
            state = self.lock();
            state.is_running = false;
            state.note(&reach, synced);
            self.changed.notify_all();
        }
    }
}
