//! What others may look at: where the order is, what was counted, which bounds there are.

use super::{Counters, Limits, Sequencer};
use crate::wire::{Epoch, LogId, OrderNumber};

impl Sequencer {
    /// Which log the order numbers belong to.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.order.log_id()
    }

    /// The epoch of this machine.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.order.epoch()
    }

    /// The number that the next message gets.
    #[must_use]
    pub fn next_order(&self) -> OrderNumber {
        self.order.next()
    }

    /// The number after the newest message that anybody may know of.
    #[must_use]
    pub fn visible_end(&self) -> OrderNumber {
        self.backlog.end()
    }

    /// What was done and refused so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The bounds it keeps.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}
