//! How much of the order is kept: whole segments go once a limit no longer wants them.
//!
//! It decides, from what the catalog knows; it removes nothing, and never asks a clock: age is
//! counted in the log's own time, from message to message.

use std::collections::VecDeque;
use std::time::Duration;

use super::catalog::Entry;
use crate::core::Mutant;
use crate::wire::OrderNumber;

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
    /// next message gets, `newest` the time of the one before it.
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
