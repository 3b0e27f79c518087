//! Time as a value: the machines are told what time it is and never ask.

use std::ops::Add;
use std::time::Duration;

/// Microseconds on a clock that only goes forward, from wherever its owner began to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

/// Both clocks, read at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For everything that is decided: it does not jump.
    pub time: Time,
    /// Microseconds since 1970 (UTC), for people and the log: it may jump, nothing rests on it.
    pub wall: u64,
}
