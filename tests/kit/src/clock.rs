//! The machine's monotonic clock, the same for all processes, and pauses for tests that have to
//! let a fault last. Never a way to wait for something that can be asked for.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Microseconds since the machine started.
pub fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanoseconds / 1_000
}

/// Milliseconds since `before_us`.
pub fn since_ms(before_us: u64) -> u64 {
    now_us().saturating_sub(before_us) / 1_000
}

/// Lets time pass.
#[expect(clippy::disallowed_methods, reason = "a fault lasts")]
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Asks every few milliseconds until `is_so`, or `limit` is over; says whether it was.
pub fn until(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let begun = now_us();
    let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    while !is_so() {
        if since_ms(begun) >= limit_ms {
            return false;
        }
        pause(Duration::from_millis(10));
    }
    true
}
