//! Says in good time that the medium will be full: when the next segment was made, by how many more
//! there is room for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::medium::Medium;

/// From so many segments on it is said.
const FEW: u64 = 8;

/// When the last segment was made.
#[derive(Debug, Default)]
pub(super) struct Foresight(Mutex<Option<Duration>>);

impl Foresight {
    /// A segment of so many bytes was made.
    pub(super) fn made(&self, medium: &dyn Medium, bytes: u64) {
        let now = medium.uptime();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let every = last.replace(now).map(|last| now.saturating_sub(last));
        if let Some(free) = medium.free_bytes()
            && let Some(left) = left(free, bytes, every)
        {
            log::warn!(
                "{}: {} MiB are free: {left}; then new messages are refused. Give it more, or \
                 let --retain-bytes delete what is old",
                medium.place().display(),
                free >> 20
            );
        }
    }
}

/// What there is room for, if that is little.
fn left(free: u64, bytes: u64, every: Option<Duration>) -> Option<String> {
    let segments = free / bytes.max(1);
    if segments >= FEW {
        return None;
    }
    let room = format!("room for {segments} more segments");
    Some(match every {
        None => room,
        Some(every) => {
            let segments = u32::try_from(segments).unwrap_or(u32::MAX);
            let seconds = every.saturating_mul(segments).as_secs();
            format!("{room}, which is {seconds} s at the rate of the last one")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_said_with_the_time_that_it_lasts() {
        let minute = Some(Duration::from_mins(1));
        assert_eq!(left(800, 100, minute), None);
        let said = left(799, 100, minute).unwrap();
        assert_eq!(
            said,
            "room for 7 more segments, which is 420 s at the rate of the last one"
        );
        assert_eq!(left(99, 100, None).unwrap(), "room for 0 more segments");
    }
}
