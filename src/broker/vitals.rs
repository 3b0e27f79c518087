//! What a broker's threads tell of themselves while they work, for the rest of its process to look
//! at or to hear. None of them waits for that.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crate::store::{Figures, Opened};
use crate::wire::OrderNumber;

/// What hears how far the log can be read.
type Hearing = Box<dyn Fn(OrderNumber) + Send + Sync>;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Vitals {
    /// What the log tells.
    pub log: Arc<Figures>,
    connections: Arc<AtomicU64>,
    /// Members that were known at the start.
    known: u64,
    members_limit: usize,
    /// Up to which part of that was warned of, in tenths.
    warned: Arc<AtomicU64>,
    hearing: Arc<OnceLock<Hearing>>,
}

impl Vitals {
    pub(super) fn of(opened: &Opened, members_limit: usize) -> Self {
        Self {
            log: opened.log.figures(),
            known: opened.recovered.len() as u64,
            members_limit,
            warned: Arc::default(),
            connections: Arc::default(),
            hearing: Arc::default(),
        }
    }

    /// Connections of the broker's own sockets that are open.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// How many members there can be.
    #[must_use]
    pub fn members_limit(&self) -> usize {
        self.members_limit
    }

    pub(super) fn set_connections(&self, count: usize) {
        self.connections.store(count as u64, Relaxed);
    }

    /// So many have joined and left since the start. Says when there are nearly as many members
    /// as there can be, and once for each tenth more.
    pub(super) fn warn_of_members(&self, joined: u64, left: u64) {
        let count = (self.known + joined).saturating_sub(left);
        let tenths = tenths(count, self.members_limit as u64);
        if self.warned.fetch_max(tenths, Relaxed) < tenths {
            log::warn!(
                "{count} members, present or away, of {} that there can be: then new names are \
                 refused; `orden-broker end NAME` ends a session, --session-timeout those that \
                 are away for long",
                self.members_limit
            );
        }
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

/// How much of the limit is used, in tenths, from the part on that is worth a word.
fn tenths(count: u64, limit: u64) -> u64 {
    let tenths = count.saturating_mul(10) / limit.max(1);
    if tenths < 8 { 0 } else { tenths }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals")
            .field("log", &self.log)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_warned_of_from_eight_tenths_on() {
        let counts = [0, 799, 800, 899, 900, 1000];
        let said = counts.map(|count| tenths(count, 1000));
        assert_eq!(said, [0, 0, 8, 8, 9, 10]);
    }
}
