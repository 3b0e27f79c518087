//! The one clock of a run: nanoseconds since it began, the same for all that publish and
//! subscribes, as they are all in this process.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Nanoseconds since the run began. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(super) fn now(self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Sleeps until `time`, to a few microseconds once [`wake_promptly`] was called.
    #[expect(
        clippy::disallowed_methods,
        reason = "a publisher with a rate has nothing else to wait for"
    )]
    pub(super) fn sleep_until(self, time: u64) {
        let left = time.saturating_sub(self.now());
        if left > 0 {
            std::thread::sleep(Duration::from_nanos(left));
        }
    }
}

/// Lets this thread's sleeps end when they should, not up to 50 microseconds later, which is
/// what Linux otherwise does to save energy. The delay would be counted as latency.
pub(super) fn wake_promptly() {
    // Where it is not to be had, sleeps are late, and the run says by how much.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).ok();
}
