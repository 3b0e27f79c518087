//! What parts of this process that are none of the broker's threads need of it: to look at it,
//! to read the log, to speak.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::access_list::AccessReload;
use super::ack_map::AckMap;
use super::in_process::InProcess;
use super::operator::Operator;
use super::pulse::Pulse;
use super::stopper::Stopper;
use super::vitals::Vitals;
use crate::core::Sequencer;
use crate::store::LogReader;
use crate::wire::{Epoch, LogId};

/// A broker as the rest of its process sees it. Cheap to clone.
#[derive(Clone)]
pub struct Outside {
    /// Which log the order lies in.
    pub log_id: LogId,
    /// Which start of a broker on it this is.
    pub epoch: Epoch,
    /// How far each member is.
    pub ack_map: AckMap,
    /// A way into the order.
    pub in_process: InProcess,
    /// What it can be told to do.
    pub operator: Operator,
    /// Whether its sequencer still does rounds.
    pub pulse: Pulse,
    access: Option<AccessReload>,
    /// Whether it was asked to stop.
    pub stopper: Stopper,
    /// What its threads tell of themselves.
    pub vitals: Vitals,
    reader: Arc<Mutex<Box<dyn LogReader>>>,
    living: Watch,
}

impl Outside {
    pub(super) fn new(
        machine: &Sequencer,
        reader: Box<dyn LogReader>,
        ack_map: &AckMap,
        handles: Handles,
        living: Watch,
    ) -> Self {
        let Handles {
            in_process,
            operator,
            pulse,
            access,
            stopper,
            vitals,
        } = handles;
        Self {
            log_id: machine.log_id(),
            epoch: machine.epoch(),
            ack_map: ack_map.clone(),
            in_process,
            operator,
            pulse,
            access,
            stopper,
            vitals,
            reader: Arc::new(Mutex::new(reader)),
            living,
        }
    }

    /// A reader of the log, with files of its own.
    pub fn reader(&self) -> Box<dyn LogReader> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.fork()
    }

    /// Reads the access list anew, and puts it in force at once; how many keys there are.
    /// `None`: there is no list.
    ///
    /// # Errors
    /// Why the list from before stays in force.
    pub fn reload_access_list(&self) -> Option<Result<usize, String>> {
        self.access.as_ref().map(AccessReload::ask)
    }

    /// Whether every thread of the broker's lives. It asks no thread and no disk.
    pub fn is_alive(&self) -> bool {
        self.living.token.strong_count() == self.living.threads
    }
}

/// The ways into a broker.
pub(super) struct Handles {
    pub(super) in_process: InProcess,
    pub(super) operator: Operator,
    pub(super) pulse: Pulse,
    pub(super) access: Option<AccessReload>,
    pub(super) stopper: Stopper,
    pub(super) vitals: Vitals,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("log_id", &self.log_id)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// Counts the threads that live: each holds a token.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    token: Weak<()>,
    threads: usize,
}

impl Watch {
    /// A watch over so many threads, and the token of which each is to hold one.
    pub(super) fn over(threads: usize) -> (Self, Arc<()>) {
        let held = Arc::new(());
        let token = Arc::downgrade(&held);
        (Self { token, threads }, held)
    }
}
