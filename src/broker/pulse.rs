//! Whether the sequencer still does its rounds, for a watchdog.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Sender;

use super::exchange::Inbound;

/// The sequencer's rounds, counted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pulse {
    rounds: Arc<AtomicU64>,
    inbound: Sender<Inbound>,
}

impl Pulse {
    pub(super) fn new(rounds: &Arc<AtomicU64>, inbound: &Sender<Inbound>) -> Self {
        Self {
            rounds: Arc::clone(rounds),
            inbound: inbound.clone(),
        }
    }

    /// How many rounds were done since the start.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Has a sequencer that sleeps do one. One that has no room for this has enough to do.
    pub fn nudge(&self) {
        self.inbound.try_send(Inbound::Nudge).ok();
    }
}
