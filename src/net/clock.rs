//! The one place where the shells read a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::core::{Now, Time};

/// A clock that only goes forward. Read it once a round and hand the time on.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// The time since the clock was started.
    #[must_use]
    pub fn now(&self) -> Time {
        Time(micros(self.started.elapsed()))
    }

    /// The same with the wall clock beside it, which may jump: for people and the log.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn now_with_wall(&self) -> Now {
        // A wall clock set before 1970 is recorded as 1970: no decision rests on it.
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            time: self.now(),
            wall: micros(wall),
        }
    }

    /// The time left until `time`; zero if it has passed.
    #[must_use]
    pub fn until(&self, time: Time) -> Duration {
        time.since(self.now())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
