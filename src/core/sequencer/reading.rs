//! What is to be read from the log on behalf of members that are behind.

use std::time::Duration;

use crate::wire::OrderNumber;

/// What could not be read is asked for again after so long, at first and at most: descriptors
/// and memory come back, and an operator may put a file back in its place.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Stretches to ask for, and when to ask again for those that could not be read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    wanted: Vec<OrderNumber>,
    retry_after: Duration,
}

impl Reading {
    /// Asks for the stretch that holds a number.
    pub(super) fn ask(&mut self, from: OrderNumber) {
        self.wanted.push(from);
    }

    /// What to ask for.
    pub(super) fn take(&mut self) -> Vec<OrderNumber> {
        std::mem::take(&mut self.wanted)
    }

    /// A read has failed: says how long to wait.
    pub(super) fn failed(&mut self) -> Duration {
        self.retry_after = (self.retry_after * 2).clamp(RETRY_MIN, RETRY_MAX);
        self.retry_after
    }

    /// A read has succeeded.
    pub(super) fn succeeded(&mut self) {
        self.retry_after = Duration::ZERO;
    }
}
