//! The machine's own deadlines, in one table.

use crate::core::Time;

/// What is to be looked at when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// No session's deadline is earlier.
    Sessions,
    /// Positions that have changed are to be written.
    Positions,
    /// A connection that was told why it is refused is to be closed.
    Closing,
    /// Whether the other brokers have been heard.
    Brokers,
    /// Stretches of the log that could not be read are asked for again.
    Reads,
    /// The log is to be told for how long members are away.
    Away,
    /// The broker ends, although not all is finished.
    Drain,
    /// The stream's servers are out of reach for too long.
    CutOff,
    /// Confirmations that wait have perhaps waited for long enough.
    Pace,
}

/// One time for each timer. Setting a timer that is set keeps the earlier time.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Time>; 9]);

impl Timers {
    /// Sets a timer, unless it is set to an earlier time.
    pub(super) fn set(&mut self, timer: Timer, at: Time) {
        let slot = &mut self.0[timer as usize];
        *slot = Some(slot.map_or(at, |before| before.min(at)));
    }

    /// Says whether a timer's time has come; if so, it is set no longer.
    pub(super) fn take_due(&mut self, timer: Timer, now: Time) -> bool {
        let slot = &mut self.0[timer as usize];
        let is_due = slot.is_some_and(|at| at <= now);
        if is_due {
            *slot = None;
        }
        is_due
    }

    /// Sets a timer no longer.
    pub(super) fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// The earliest time.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.iter().flatten().min().copied()
    }
}
