//! Wakes the client's thread, which sleeps in a poll, when the application wants something.
//!
//! A descriptor that can be polled along with the sockets, and a flag that spares the system
//! call while the thread is awake: under load no message costs a wake-up.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// Shared by those who wake and the one who sleeps.
#[derive(Debug)]
pub(super) struct Waker {
    descriptor: OwnedFd,
    sleeping: AtomicBool,
}

impl Waker {
    /// Nobody sleeps yet.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub(super) fn new() -> std::io::Result<Self> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            descriptor,
            sleeping: AtomicBool::new(false),
        })
    }

    /// Wakes the sleeper, if it sleeps or is about to. What it is to see must be in place before.
    pub(super) fn wake(&self) {
        if !self.sleeping.swap(false, Ordering::SeqCst) {
            return;
        }
        match rustix::io::write(&self.descriptor, &1_u64.to_ne_bytes()) {
            // Again: the counter is full of wake-ups that nobody has read, which wake as well.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => panic!("an eventfd can always be written: {error}"),
        }
    }

    /// To be polled for reading.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Announces sleep. After this, look once more whether there is something to do: whoever
    /// brings something from now on wakes.
    pub(super) fn about_to_sleep(&self) {
        self.sleeping.store(true, Ordering::SeqCst);
    }

    /// Takes the announcement back, and what wake-ups there were.
    pub(super) fn awake(&self) {
        if self.sleeping.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut count = [0; 8];
        match rustix::io::read(&self.descriptor, &mut count) {
            // Again: the waker has taken the flag and will write in a moment, which costs one
            // needless turn of the loop.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => panic!("an eventfd can always be read: {error}"),
        }
    }
}
