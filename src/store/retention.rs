//! How much of the order is kept: whole segments go once a limit no longer wants them.
//!
//! It decides, from what the catalog knows, and removes nothing. Age is counted in the log's own
//! time, which the wall clock only sets when a broker has started.

use std::collections::VecDeque;
use std::time::Duration;

use super::catalog::Entry;
use crate::core::Mutant;
use crate::wire::OrderNumber;

/// The log's own time: at a broker's first message what the wall clock says, from then on that and
/// what has passed on a clock that does not jump. A wall clock that is put two hours ahead for a
/// moment would otherwise make everything two hours old.
pub(super) struct LogTime {
    /// The time that the log had come to before: it never goes back.
    before: u64,
    /// What the wall clock said, in microseconds since 1970, at which time since the start.
    set: Option<(u64, Duration)>,
}

impl LogTime {
    /// Goes on after a log's newest time.
    pub(super) fn after(before: u64) -> Self {
        Self { before, set: None }
    }

    /// Whether there was a first message.
    pub(super) fn is_set(&self) -> bool {
        self.set.is_some()
    }

    /// Says what the wall clock says now.
    pub(super) fn set(&mut self, wall: Option<u64>, uptime: Duration) {
        self.set = wall.map(|wall| (wall.max(self.before), uptime));
    }

    /// The time now, in microseconds since 1970 as nearly as is known.
    pub(super) fn at(&self, uptime: Duration) -> u64 {
        self.set.map_or(self.before, |(wall, set)| {
            let passed = uptime.saturating_sub(set).as_micros();
            wall.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
        })
    }
}

/// The limits. A segment goes when any one of them is still met without it, so that at least
/// what a limit says is kept, and up to one segment more. Without limits everything is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Retention {
    /// Bytes of full segments.
    pub(super) bytes: Option<u64>,
    /// Age of the newest message in the segment.
    pub(super) age: Option<Duration>,
    /// Messages.
    pub(super) messages: Option<u64>,
}

impl Retention {
    /// How many segments may go, from the oldest; never the newest. `next` is the number that the
    /// next message gets, `newest` the log's time now.
    pub(super) fn surplus(
        &self,
        segments: &VecDeque<Entry>,
        next: OrderNumber,
        newest: u64,
    ) -> usize {
        let full = segments.len().saturating_sub(1);
        let mut bytes: u64 = segments.iter().take(full).map(|entry| entry.bytes).sum();
        let mut surplus = 0;
        for (segment, after) in segments.iter().zip(segments.iter().skip(1)) {
            bytes -= segment.bytes;
            let age = Duration::from_micros(newest.saturating_sub(after.newest));
            let goes = Mutant::RemoveTooMuch.lives()
                || self.bytes.is_some_and(|limit| bytes >= limit)
                || self.age.is_some_and(|limit| age >= limit)
                || self
                    .messages
                    .is_some_and(|limit| next.since(after.first) >= limit);
            if !goes {
                break;
            }
            surplus += 1;
        }
        surplus
    }
}
