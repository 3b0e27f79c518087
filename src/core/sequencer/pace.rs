//! Pacing publishers: while the member that is furthest is some megabytes behind and quick,
//! confirmations wait, and so do publishers, by their windows.
//!
//! ```text
//!              acknowledged by a member           ahead of all members
//!  0 ────────────────────────────────── lead ──────────────────────── end
//! ```
//! The member that is furthest moves the lead; which one that is does not matter, and no other
//! does. One that turns a window over within [`Limits::pace_turn`] is quick. A lead that is slower,
//! or stands, holds nothing up, until it is quick again; and no confirmation waits longer than
//! [`Limits::pace_most`].

use std::collections::VecDeque;

use super::Limits;
use crate::core::{Mutant, Time};
use crate::wire::OrderNumber;

/// Small batches are counted together, in stretches of this part of a window.
const STRETCHES_A_WINDOW: usize = 16;
/// With more stretches ahead of all members the lead is given up: the member that comes to their
/// end next has it.
const STRETCHES: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// What no member has acknowledged: where each stretch ends, and its bytes.
    ahead: VecDeque<(OrderNumber, usize)>,
    ahead_bytes: usize,
    /// When the turn of a window began, and the bytes of it so far.
    turn: (Time, usize),
    /// Whether the last turn was quick enough, and the one that has begun may still be.
    is_quick: bool,
    /// Since when confirmations wait.
    held: Option<Time>,
}

impl Pace {
    /// Messages are visible up to `end`, so many bytes more.
    pub(super) fn ordered(&mut self, now: Time, end: OrderNumber, bytes: usize, limits: &Limits) {
        if self.ahead.is_empty() {
            self.turn = (now, 0);
        }
        self.ahead_bytes += bytes;
        if let Some(last) = self.ahead.back_mut()
            && last.1 + bytes <= limits.window_bytes / STRETCHES_A_WINDOW
        {
            *last = (end, last.1 + bytes);
        } else if self.ahead.len() == STRETCHES {
            self.end();
        } else {
            self.ahead.push_back((end, bytes));
        }
    }

    /// A member has acknowledged everything before `floor`.
    pub(super) fn acknowledged(&mut self, now: Time, floor: OrderNumber, limits: &Limits) {
        while let Some(&(end, bytes)) = self.ahead.front()
            && end <= floor
        {
            self.ahead.pop_front();
            self.ahead_bytes -= bytes;
            self.turn.1 += bytes;
        }
        if self.turn.1 >= limits.window_bytes {
            self.is_quick = now.since(self.turn.0) < limits.pace_turn;
            self.turn = (now, 0);
        }
    }

    /// Whether confirmations wait now; if so, until when at most, if nothing else happens.
    pub(super) fn holds(&mut self, now: Time, limits: &Limits) -> Option<Time> {
        let turned = self.turn.0 + limits.pace_turn;
        self.is_quick &= now < turned;
        let held = self.held.unwrap_or(now);
        let until = held + limits.pace_most;
        let is_far = self.ahead_bytes > limits.pace_bytes && !Mutant::PaceNobody.lives();
        if Mutant::PaceForEver.lives() && self.held.is_some() {
            return Some(now + limits.pace_most);
        }
        let holds = self.is_quick && is_far && now < until;
        self.held = holds.then_some(held);
        holds.then(|| until.min(turned))
    }

    /// Whether confirmations wait, as was found last.
    pub(super) fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// Gives up the lead: nothing waits before a member is quick again.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}
