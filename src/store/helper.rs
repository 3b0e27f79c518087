//! What is done beside the path of the messages: making the next segment ready, removing old
//! ones, marking that a segment is continued. One thread, which never touches what is appended to.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::Error;
use super::error::is_no_space;
use super::medium::{File, Medium};
use super::segment::FILLING;

/// Zeros are written and synced in pieces of so many bytes: a sync of the log may have to wait
/// for one of them, not for a whole segment.
const PIECE: usize = 1 << 20;
/// How long a full disk is left alone, at first and at most.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(4);

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// A thread of its own.
    Thread,
    /// The caller, at once: for simulations, where the same input must give the same output.
    Caller,
}

/// Something to do beside the messages.
pub(super) enum Job {
    /// Make a segment of so many zeros ready.
    Fill(u64),
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
enum Next {
    None,
    Filling,
    Ready(Arc<dyn File>, u64),
    /// It was tried, and is tried again from time to time.
    NoSpace(io::Error, u64),
    Failed(Error),
}

struct Shared {
    medium: Arc<dyn Medium>,
    next: Mutex<Next>,
    changed: Condvar,
    stop: AtomicBool,
}

/// The handle to whoever does the work.
pub(super) struct Helper {
    shared: Arc<Shared>,
    thread: Option<(Sender<Job>, JoinHandle<()>)>,
}

impl Helper {
    pub(super) fn new(medium: Arc<dyn Medium>, beside: Beside) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            medium,
            next: Mutex::new(Next::None),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let thread = match beside {
            Beside::Caller => None,
            Beside::Thread => {
                let (sender, jobs) = crossbeam_channel::unbounded();
                let worker = Arc::clone(&shared);
                let thread = std::thread::Builder::new()
                    .name("log-helper".into())
                    .spawn(move || worker.work(&jobs))
                    .map_err(Error::io("start a thread for", shared.medium.place()))?;
                Some((sender, thread))
            }
        };
        Ok(Self { shared, thread })
    }

    /// Sees to it that a segment of so many bytes is made ready, unless one is.
    pub(super) fn prepare(&self, bytes: u64) {
        {
            let mut next = self.shared.lock();
            match &*next {
                Next::None => *next = Next::Filling,
                // The thread tries again by itself.
                Next::NoSpace(..) if self.thread.is_none() => *next = Next::Filling,
                _ => return,
            }
        }
        self.give(Job::Fill(bytes));
    }

    pub(super) fn give(&self, job: Job) {
        let refused = match &self.thread {
            // The thread only ends when it is told to; if it has, nothing is left to help.
            Some((sender, _)) => sender.send(job).err().map(|refused| refused.0),
            None => Some(job),
        };
        if let Some(job) = refused {
            self.shared.run(job);
        }
    }

    /// Whether the next segment is ready; if none is in the making, begins one of so many bytes.
    pub(super) fn is_ready(&self, bytes: u64) -> Result<bool, Error> {
        self.prepare(bytes);
        let mut next = self.shared.lock();
        match &mut *next {
            Next::Ready(..) => Ok(true),
            Next::None | Next::Filling => Ok(false),
            Next::NoSpace(error, _) => Err(Error::NoSpace(copy_of(error))),
            Next::Failed(error) => Err(std::mem::replace(error, Error::Ended)),
        }
    }

    /// Waits for the next segment while it is being made.
    pub(super) fn wait(&self, bytes: u64) -> Result<(), Error> {
        while !self.is_ready(bytes)? {
            let mut next = self.shared.lock();
            while matches!(*next, Next::Filling) {
                next = self
                    .shared
                    .changed
                    .wait(next)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        Ok(())
    }

    /// The next segment and its size; waits for it while it is being made.
    pub(super) fn take(&self, bytes: u64) -> Result<(Arc<dyn File>, u64), Error> {
        self.wait(bytes)?;
        match std::mem::replace(&mut *self.shared.lock(), Next::None) {
            Next::Ready(file, size) => Ok((file, size)),
            _ => Err(Error::Ended),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            // Another broker may take the directory next: nothing may write there any more. A
            // panic of the thread has been printed; there is nobody left to tell.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, next: Next) {
        *self.lock() = next;
        self.changed.notify_all();
    }

    fn work(&self, jobs: &Receiver<Job>) {
        let mut pause = RETRY_MIN;
        loop {
            let wanted = match &*self.lock() {
                Next::NoSpace(_, bytes) => Some(*bytes),
                _ => None,
            };
            let job = match wanted {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => jobs.recv_timeout(pause),
            };
            match (job, wanted) {
                (Ok(job), _) => self.run(job),
                (Err(RecvTimeoutError::Timeout), Some(bytes)) => {
                    self.run(Job::Fill(bytes));
                    pause = RETRY_MAX.min(pause * 2);
                }
                (Err(_), _) => return,
            }
            if wanted.is_none() {
                pause = RETRY_MIN;
            }
        }
    }

    fn run(&self, job: Job) {
        match job {
            Job::Fill(bytes) => self.set(match self.fill(bytes) {
                Ok(file) => Next::Ready(file, bytes),
                Err(error) if is_no_space(&error) => Next::NoSpace(error, bytes),
                Err(error) => self.failed("prepare", FILLING)(error),
            }),
            Job::Remove(name) => {
                // One after the other: a power cut must not leave a hole in the middle.
                let removed = match self.medium.remove(&name) {
                    // Somebody else has removed it: what is wanted is done.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    other => other,
                };
                let removed = removed.and_then(|()| self.medium.sync_directory());
                if let Err(error) = removed {
                    self.set(self.failed("remove", &name)(error));
                }
            }
            Job::Mark {
                file,
                name,
                bytes,
                offset,
            } => {
                let marked = file
                    .write_at(&bytes, offset)
                    .and_then(|()| file.sync_data());
                // Without space the log does without the mark: it only guards against a loss.
                if let Err(error) = marked
                    && !is_no_space(&error)
                {
                    self.set(self.failed("write", &name)(error));
                }
            }
        }
    }

    fn failed(&self, doing: &'static str, name: &str) -> impl FnOnce(io::Error) -> Next {
        let file = self.medium.place().join(name);
        move |error| Next::Failed(Error::io(doing, file)(error))
    }

    fn fill(&self, bytes: u64) -> io::Result<Arc<dyn File>> {
        let filled = self.try_fill(bytes);
        if filled.is_err() && self.medium.remove(FILLING).is_err() {
            // What was wrong before has been told; the next attempt empties the file.
        }
        filled
    }

    fn try_fill(&self, bytes: u64) -> io::Result<Arc<dyn File>> {
        let file = self.medium.create(FILLING)?;
        let zeros = vec![0; usize::try_from(bytes).map_or(PIECE, |all| all.min(PIECE))];
        let mut offset = 0;
        while offset < bytes {
            if self.stop.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let left = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
            let length = zeros.len().min(left);
            file.write_at(&zeros[..length], offset)?;
            file.sync_data()?;
            offset += length as u64;
        }
        Ok(file)
    }
}

/// An error to hand out, as often as it is asked for.
fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}
