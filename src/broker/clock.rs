//! The one place where the broker reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::core::{Now, Time};

/// Both clocks: one that only goes forward, for decisions, and the wall's, for people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// What time it is.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub(super) fn now(&self) -> Now {
        let micros =
            |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // A wall clock set before 1970 is shown as 1970: nothing rests on it.
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            time: Time(micros(self.started.elapsed())),
            wall: micros(wall),
        }
    }

    /// How long it is until `time`; zero if it has passed.
    pub(super) fn until(&self, time: Time) -> std::time::Duration {
        time.since(self.now().time)
    }
}
