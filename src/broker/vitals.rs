//! What a broker's threads tell of themselves while they work, for the rest of its process to look
//! at or to hear. None of them waits for that.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crate::store::Figures;
use crate::wire::OrderNumber;

/// What hears how far the log can be read.
type Hearing = Box<dyn Fn(OrderNumber) + Send + Sync>;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Vitals {
    /// What the log tells.
    pub log: Arc<Figures>,
    connections: Arc<AtomicU64>,
    hearing: Arc<OnceLock<Hearing>>,
}

impl Vitals {
    pub(super) fn of(log: Arc<Figures>) -> Self {
        Self {
            log,
            connections: Arc::default(),
            hearing: Arc::default(),
        }
    }

    /// Connections of the broker's own sockets that are open.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    pub(super) fn set_connections(&self, count: usize) {
        self.connections.store(count as u64, Relaxed);
    }

    /// Tells `hear` each time more of the log can be read, and up to where: from the sequencer's
    /// own thread, so it must not wait. Only the first that asks is told; whether it was.
    pub fn on_growth(&self, hear: impl Fn(OrderNumber) + Send + Sync + 'static) -> bool {
        self.hearing.set(Box::new(hear)).is_ok()
    }

    pub(super) fn grown(&self, end: OrderNumber) {
        if let Some(hear) = self.hearing.get() {
            hear(end);
        }
    }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals")
            .field("log", &self.log)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
