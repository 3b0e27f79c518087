//! What there is to do beside the path of the messages: the queue of it, without a thread.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Error;
use super::medium::File;
use super::shortage::Shortage;

/// How long a shortage is left alone, at first and at most.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(4);

/// Something to do beside the messages.
pub(super) enum Job {
    /// Remove a segment that is not kept any longer.
    Remove(String),
    /// Write a mark into a segment that is full, and sync it.
    Mark {
        file: Arc<dyn File>,
        name: String,
        bytes: Vec<u8>,
        offset: u64,
    },
}

/// How the next segment stands.
#[derive(Default)]
pub(super) enum Next {
    /// Nobody has asked for it.
    #[default]
    None,
    /// It is to be filled with so many zeros, once it has been asked for so often.
    Wanted { bytes: u64, asks: u32 },
    /// It is being filled.
    Filling,
    /// It is ready: a file of so many zeros.
    Ready(Arc<dyn File>, u64),
    /// There was a shortage; it is tried again.
    Short { error: io::Error, bytes: u64 },
}

/// Whether the next segment is ready.
pub(super) enum Readiness {
    /// It is, with so many bytes.
    Ready(u64),
    /// It is being made.
    NotYet,
    /// It cannot be made now.
    Short(Shortage),
}

/// What there is to do, and what has come of it.
#[derive(Default)]
pub(super) struct State {
    /// Oldest first: a power cut must not leave a hole in the middle of the log. A roll adds a
    /// few and needs a segment that is made behind them, so the queue stays short.
    pub(super) jobs: VecDeque<Job>,
    pub(super) next: Next,
    /// The first error that does not pass.
    pub(super) failed: Option<Error>,
    /// When what met with a shortage is tried again, and how long to leave it alone then.
    pub(super) retry: Option<(Instant, Duration)>,
    pub(super) stop: bool,
}

/// One piece of work.
pub(super) enum Task {
    Job(Job),
    Fill(u64),
}

/// What has come of it.
pub(super) enum Done {
    /// It is done.
    Well,
    /// A segment of so many zeros is ready.
    Filled(Arc<dyn File>, u64),
    /// It is to be tried again.
    Short(Task, io::Error),
    /// It cannot be done.
    Failed(Error),
}

impl State {
    pub(super) fn readiness(&self) -> Readiness {
        match &self.next {
            Next::Ready(_, bytes) => Readiness::Ready(*bytes),
            Next::None | Next::Wanted { .. } | Next::Filling => Readiness::NotYet,
            Next::Short { error, .. } => Readiness::Short(Shortage(copy_of(error))),
        }
    }

    pub(super) fn next_task(&mut self) -> Option<Task> {
        if let Some(job) = self.jobs.pop_front() {
            return Some(Task::Job(job));
        }
        match self.next {
            Next::Wanted { bytes, asks: 0 } => {
                self.next = Next::Filling;
                Some(Task::Fill(bytes))
            }
            _ => None,
        }
    }

    pub(super) fn put_back(&mut self, task: Task) {
        match task {
            Task::Job(job) => self.jobs.push_front(job),
            Task::Fill(bytes) => self.next = Next::Wanted { bytes, asks: 0 },
        }
    }

    pub(super) fn note(&mut self, done: Done, now: Option<Instant>) {
        match done {
            Done::Well => {
                self.retry = None;
                if matches!(self.next, Next::Filling) && self.stop {
                    self.next = Next::None;
                }
            }
            Done::Filled(file, bytes) => {
                self.retry = None;
                self.next = Next::Ready(file, bytes);
            }
            Done::Short(task, error) => {
                match task {
                    Task::Job(job) => self.jobs.push_front(job),
                    Task::Fill(bytes) => self.next = Next::Short { error, bytes },
                }
                let pause = self
                    .retry
                    .map_or(RETRY_MIN, |(_, pause)| RETRY_MAX.min(pause * 2));
                self.retry = now.map(|now| (now + pause, pause));
            }
            Done::Failed(error) => {
                // The first one says what is wrong; the others follow from it.
                self.failed.get_or_insert(error);
                self.next = Next::None;
            }
        }
    }
}

/// An error to hand out, as often as it is asked for.
fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}
