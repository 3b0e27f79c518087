//! Wakes a thread that sleeps in a poll when another thread has work for it.
//!
//! A descriptor that can be polled along with sockets, and a flag that spares the system call
//! while the thread is awake: under load no message costs a wake-up.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// The end that wakes. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<Shared>);

/// The end that sleeps.
#[derive(Debug)]
pub(crate) struct Sleeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    descriptor: OwnedFd,
    sleeping: AtomicBool,
}

/// Both ends.
///
/// # Errors
/// When the process has no descriptor left.
pub(crate) fn waker() -> std::io::Result<(Waker, Sleeper)> {
    let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let shared = Arc::new(Shared {
        descriptor,
        sleeping: AtomicBool::new(false),
    });
    Ok((Waker(Arc::clone(&shared)), Sleeper(shared)))
}

impl Waker {
    /// Wakes the sleeper, if it sleeps or is about to. What it is to see must be in place before.
    pub(crate) fn wake(&self) {
        if !self.0.sleeping.swap(false, Ordering::SeqCst) {
            return;
        }
        match rustix::io::write(&self.0.descriptor, &1_u64.to_ne_bytes()) {
            // Again: the counter is full of wake-ups that are still unread, which wake as well.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => panic!("an eventfd can always be written: {error}"),
        }
    }
}

impl Sleeper {
    /// To be polled for reading.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.descriptor.as_fd()
    }

    /// Announces sleep. After this, look once more whether there is something to do: a thread
    /// that brings work from now on wakes.
    pub(crate) fn about_to_sleep(&self) {
        self.0.sleeping.store(true, Ordering::SeqCst);
    }

    /// Takes the announcement back, and what wake-ups there were.
    pub(crate) fn awake(&self) {
        if self.0.sleeping.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut count = [0; 8];
        match rustix::io::read(&self.0.descriptor, &mut count) {
            // Again: the waker has taken the flag and will write in a moment, which costs one
            // needless turn of the loop.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => panic!("an eventfd can always be read: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn is_woken(sleeper: &Sleeper) -> bool {
        let mut fds = [PollFd::new(&sleeper.0.descriptor, PollFlags::IN)];
        poll(
            &mut fds,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )
        .unwrap()
            == 1
    }

    #[test]
    fn a_wake_up_is_not_lost_and_none_is_made_for_nothing() {
        let (waker, sleeper) = waker().unwrap();
        waker.wake();
        assert!(!is_woken(&sleeper), "the sleeper is awake");
        sleeper.about_to_sleep();
        waker.wake();
        waker.wake();
        assert!(is_woken(&sleeper));
        sleeper.awake();
        assert!(!is_woken(&sleeper), "the wake-up was taken");
    }
}
