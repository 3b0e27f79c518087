//! Doing something again until it helps, ever more slowly.

use std::time::Duration;

use crate::core::Time;

/// When to try next, and how long to wait after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retry {
    pub(super) at: Time,
    after: Duration,
    /// How often it was tried.
    pub(super) tries: u32,
}

impl Retry {
    /// The first try is at `at`; `after` it comes the next.
    pub(super) fn new(at: Time, after: Duration) -> Self {
        Self {
            at,
            after,
            tries: 0,
        }
    }

    /// Whether it is time to try.
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.at <= now
    }

    /// Notes a try; each fruitless one doubles the wait, up to `most`.
    pub(super) fn tried(&mut self, now: Time, most: Duration) {
        self.tries = self.tries.saturating_add(1);
        self.at = now + self.after;
        self.after = (self.after * 2).min(most);
    }
}
