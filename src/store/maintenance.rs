//! What is done beside the path of the messages: making the next segment ready, removing old
//! ones, marking that a segment is continued. One thread, which never touches what is appended to.
//!
//! What passes (no space, no descriptors) is tried again; anything else is kept until the log
//! asks, which it does before it confirms anything more: [`Maintenance::check`].

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::Error;
use super::chores::{Done, Next, State, Task};
use super::filling::fill;
use super::foresight::Foresight;
use super::medium::{File, Medium};
use super::segment::FILLING;
use super::shortage::Shortage;

pub(super) use super::chores::{Job, Readiness};

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// A thread of its own.
    Background,
    /// The caller, at once: for simulations, where the same input must give the same output.
    Inline,
    /// The caller, once it has asked so often whether the next segment is ready, or cannot go on
    /// without it: a slow disk in a simulation.
    Deferred(u32),
}

struct Shared {
    medium: Arc<dyn Medium>,
    state: Mutex<State>,
    changed: Condvar,
    foresight: Foresight,
}

/// The handle to the work.
pub(super) struct Maintenance {
    shared: Arc<Shared>,
    run: Run,
    thread: Option<JoinHandle<()>>,
}

impl Maintenance {
    pub(super) fn new(medium: Arc<dyn Medium>, run: Run) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            medium,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            foresight: Foresight::default(),
        });
        let thread = if run == Run::Background {
            let worker = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name("log-maintenance".into());
            let started = builder.spawn(move || worker.work());
            Some(started.map_err(Error::io("start a thread for", shared.medium.place()))?)
        } else {
            None
        };
        Ok(Self {
            shared,
            run,
            thread,
        })
    }

    /// The first error of the work that does not pass, once.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.shared.lock().failed.take().map_or(Ok(()), Err)
    }

    /// Sees to it that a segment of so many bytes is made ready, unless one is.
    pub(super) fn prepare(&self, bytes: u64) {
        let mut state = self.shared.lock();
        if matches!(state.next, Next::None) {
            let asks = match self.run {
                Run::Deferred(asks) => asks,
                Run::Background | Run::Inline => 0,
            };
            state.next = Next::Wanted { bytes, asks };
        }
        drop(state);
        self.go_on(false);
    }

    /// Adds a job.
    pub(super) fn give(&self, job: Job) {
        self.shared.lock().jobs.push_back(job);
        self.go_on(false);
    }

    /// Whether the next segment is ready; if none is in the making, begins one of so many bytes.
    pub(super) fn readiness(&self, bytes: u64) -> Readiness {
        self.prepare(bytes);
        self.shared.lock().readiness()
    }

    /// The same once there is an answer that is not only "not yet".
    pub(super) fn wait(&self, bytes: u64) -> Readiness {
        self.prepare(bytes);
        self.go_on(true);
        let mut state = self.shared.lock();
        while matches!(state.next, Next::Wanted { .. } | Next::Filling) && state.failed.is_none() {
            state = self.shared.wait(state, None);
        }
        state.readiness()
    }

    /// Takes the next segment and its size, if it is ready.
    pub(super) fn take(&self) -> Option<(Arc<dyn File>, u64)> {
        let mut state = self.shared.lock();
        match std::mem::replace(&mut state.next, Next::None) {
            Next::Ready(file, size) => Some((file, size)),
            other => {
                state.next = other;
                None
            }
        }
    }

    /// Does all jobs that are left, and ends.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.go_on(true);
        self.join();
        self.check()
    }

    /// Wakes the thread, or does its work if there is none.
    fn go_on(&self, at_once: bool) {
        if self.thread.is_some() {
            self.shared.changed.notify_all();
            return;
        }
        let mut state = self.shared.lock();
        if let Next::Wanted { asks, .. } = &mut state.next {
            *asks = if at_once { 0 } else { asks.saturating_sub(1) };
        }
        // Without a clock, what met with a shortage is tried again whenever it is asked for.
        state.retry = None;
        if let Next::Short { bytes, .. } = state.next {
            state.next = Next::Wanted { bytes, asks: 0 };
        }
        let mut left = state.jobs.len();
        while let Some(task) = state.next_task() {
            if matches!(task, Task::Job(_)) {
                if left == 0 {
                    state.put_back(task);
                    break;
                }
                left -= 1;
            }
            drop(state);
            let done = self.shared.run(task, &|| false);
            state = self.shared.lock();
            state.note(done, None);
        }
    }

    fn join(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        // Another broker may take the directory next: nothing may write there any more. A panic
        // of the thread has been printed; there is nobody left to tell.
        drop(thread.join());
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.join();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        match until {
            None => (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(monotonic());
                let waited = self.changed.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            let is_early = state.retry.is_some_and(|(at, _)| monotonic() < at);
            // A broker that stops has no time to wait for space.
            if state.stop && (state.failed.is_some() || state.retry.is_some()) {
                return;
            }
            if !is_early && let Next::Short { bytes, .. } = state.next {
                state.next = Next::Wanted { bytes, asks: 0 };
            }
            let task = if is_early || state.failed.is_some() {
                None
            } else {
                state.next_task()
            };
            match task {
                Some(task) if !(state.stop && matches!(task, Task::Fill(_))) => {
                    drop(state);
                    let done = self.run(task, &|| self.lock().stop);
                    state = self.lock();
                    state.note(done, Some(monotonic()));
                    self.changed.notify_all();
                }
                _ if state.stop => return,
                _ => {
                    let until = state.retry.map(|(at, _)| at);
                    state = self.wait(state, until);
                }
            }
        }
    }

    fn run(&self, task: Task, is_over: &dyn Fn() -> bool) -> Done {
        let (result, doing, name) = match &task {
            Task::Fill(bytes) => match fill(&*self.medium, *bytes, is_over) {
                Ok(file) => {
                    self.foresight.made(&*self.medium, *bytes);
                    return Done::Filled(file, *bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Done::Well,
                Err(error) => (Err(error), "prepare", FILLING.to_owned()),
            },
            Task::Job(Job::Remove(name)) => (self.remove(name), "remove", name.clone()),
            Task::Job(Job::Mark {
                file,
                name,
                bytes,
                offset,
            }) => {
                let marked = file.write_at(bytes, *offset);
                (
                    marked.and_then(|()| file.sync_data()),
                    "write",
                    name.clone(),
                )
            }
        };
        match result.map_err(Shortage::of) {
            Ok(()) => Done::Well,
            // Without space the log does without the mark: it only guards against a loss.
            Err(Ok(_)) if matches!(task, Task::Job(Job::Mark { .. })) => Done::Well,
            Err(Ok(Shortage(error))) => Done::Short(task, error),
            Err(Err(error)) => {
                Done::Failed(Error::io(doing, self.medium.place().join(name))(error))
            }
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match self.medium.remove(name) {
            // It was removed by hand: what is wanted is done.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        self.medium.sync_directory()
    }
}

/// Nothing is decided by it but when to try again.
#[expect(
    clippy::disallowed_methods,
    reason = "the pauses of a thread of its own"
)]
fn monotonic() -> Instant {
    Instant::now()
}
