//! What the threads of a run share, and what they tell the one that conducts it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::clock::Clock;
use super::error::Error;
use super::plan::Plan;
use super::stamp::Payload;

/// What all threads of a run share.
pub(super) struct Shared<'a> {
    pub(super) plan: &'a Plan,
    pub(super) clock: Clock,
    pub(super) delivered: AtomicU64,
    pub(super) news: Sender<News>,
    /// Says when to begin to publish.
    pub(super) start: Receiver<u64>,
    /// Tells this run's messages from others.
    pub(super) run: u32,
    pub(super) over: AtomicBool,
    /// Closed when the run is over.
    pub(super) end: Receiver<()>,
}

/// What threads tell the one that conducts the run.
#[derive(Debug)]
pub(super) enum News {
    /// All peers of a thread are connected and taken in.
    Ready,
    /// All subscribers of a thread have everything, or its publishers' messages are confirmed.
    Complete,
    /// A thread has failed.
    Failed(Error),
}

impl Shared<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(super) fn wait_for_the_end(&self) {
        // Nothing is ever sent: the channel is closed.
        self.end.recv().ok();
    }

    pub(super) fn payload(&self) -> Payload {
        Payload::new(self.run, self.plan.dialect.script(), self.plan.size)
    }
}
