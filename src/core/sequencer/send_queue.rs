//! What was handed to a connection and may still lie in the socket's queue for it.
//!
//! The account belongs to the connection, not to the session: memory is freed when a frame leaves
//! the queue, whatever name the peer says next and however often sending goes back. The queue is
//! first in, first out, so an ACK shows that the first frame it can be meant for has left, and all
//! before it. Later copies of the same messages may still lie there, however slowly the peer reads:
//! they count until something that was handed over after them is acknowledged.
//!
//! That holds where the routing id is one connection's, since libzmq made it up. A peer that chose
//! its own, as those of the fixed dialects do, may have come back over another connection, what lay
//! in the old queue being lost: if copies counted on, the account could be full of what is gone.
//! Its ACK is taken for all copies, so that a slow one can have up to four windows.
//!
//! ```text
//!  handed over ── before sending went back last, and copies ──┬── since then, not acknowledged ──►
//!                 at most one further window                  └ at most a window
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use super::Limits;
use crate::core::Time;
use crate::wire::OrderNumber;

/// How often a peer that says that it was restarted is believed, if it has acknowledged something
/// in between.
const RESTART_EVERY: Duration = Duration::from_secs(1);
/// And if it has not: it may be one that reads nothing.
const SILENT_RESTART_EVERY: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    handed: VecDeque<Handed>,
    /// Grows each time that sending goes back.
    run: u32,
    /// What was handed over in this run or later is in flight.
    fresh_from: u32,
    /// What was in flight when sending went back, if it may have arrived after all.
    suspect_from: Option<u32>,
    fresh: usize,
    fresh_bytes: usize,
    bytes: usize,
    frames: u64,
    /// When something was last handed over.
    newest: Time,
    /// Whether the peer has said that it was restarted, and so has a connection of its own.
    is_restarted: bool,
    /// When a restart was believed last.
    believed: Option<Time>,
    /// Whether something was acknowledged since.
    is_read: bool,
}

#[derive(Clone, Copy, Debug)]
struct Handed {
    end: OrderNumber,
    frames: u64,
    bytes: usize,
    run: u32,
    /// Handed over for an earlier session of the connection: no ACK can be meant for it.
    foreign: bool,
    /// What is in it is acknowledged, by another copy as far as is known.
    answered: bool,
}

impl SendQueue {
    /// Whether nothing may be queued.
    pub(super) fn is_empty(&self) -> bool {
        self.handed.is_empty()
    }

    /// Frames handed over together since sending went back last.
    pub(super) fn fresh(&self) -> u64 {
        self.fresh as u64
    }

    /// Whether anything was handed over since sending went back last.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh > 0
    }

    /// Whether the window has room for more, and the queue for what is sent again. A frame that is
    /// larger than a window is sent alone, and once more.
    pub(super) fn has_room(&self, limits: &Limits) -> bool {
        let window = self.fresh_bytes < limits.window_bytes || self.fresh == 0;
        let queue = self.bytes < limits.window_bytes.saturating_mul(2)
            && self.frames < limits.window_frames.saturating_mul(2);
        window && (queue || self.handed.len() < 2)
    }

    /// Bytes that the window still has.
    pub(super) fn bytes_left(&self, limits: &Limits) -> usize {
        limits.window_bytes.saturating_sub(self.fresh_bytes)
    }

    /// Notes that messages up to `end` (without it) are handed over, in so many frames.
    pub(super) fn hand_over(&mut self, end: OrderNumber, frames: u64, bytes: usize, now: Time) {
        self.handed.push_back(Handed {
            end,
            frames,
            bytes,
            run: self.run,
            foreign: false,
            answered: false,
        });
        self.fresh += 1;
        self.fresh_bytes += bytes;
        self.bytes += bytes;
        self.frames += frames;
        self.newest = now;
    }

    /// Takes out what an ACK of everything before `floor` shows to have left the queue. An ACK
    /// says nothing of what an earlier session of the connection was sent, unless that lies before
    /// a frame of this one.
    pub(super) fn acknowledge(&mut self, floor: OrderNumber, is_one_connection: bool) {
        self.is_read = true;
        let fresh_from = self.fresh_from;
        let meant = |frame: &Handed| !frame.foreign && frame.end >= floor;
        if let Some(first) = self.handed.iter().position(meant) {
            // Of a frame that is acknowledged in part the rest is in flight.
            let left = first + usize::from(self.handed[first].end == floor);
            for frame in self.handed.drain(..left) {
                self.bytes -= frame.bytes;
                self.frames -= frame.frames;
                if frame.run >= fresh_from && !frame.answered {
                    self.fresh -= 1;
                    self.fresh_bytes -= frame.bytes;
                }
            }
        }
        if !is_one_connection {
            return self.forget_copies(floor);
        }
        let answered = |copy: &&mut Handed| !copy.foreign && !copy.answered && copy.end <= floor;
        for copy in self.handed.iter_mut().filter(answered) {
            copy.answered = true;
            if copy.run >= fresh_from {
                self.fresh -= 1;
                self.fresh_bytes -= copy.bytes;
            }
        }
    }

    /// Takes all copies of what is acknowledged for read.
    fn forget_copies(&mut self, floor: OrderNumber) {
        let fresh_from = self.fresh_from;
        // In place: an ACK comes with every message of a fixed dialect.
        self.handed.retain(|frame| {
            if frame.foreign || frame.end > floor {
                return true;
            }
            self.bytes -= frame.bytes;
            self.frames -= frame.frames;
            if frame.run >= fresh_from {
                self.fresh -= 1;
                self.fresh_bytes -= frame.bytes;
            }
            false
        });
    }

    /// Sending goes back: what was handed over is perhaps lost, and perhaps still queued.
    pub(super) fn go_back(&mut self) {
        self.suspect_from.get_or_insert(self.fresh_from);
        self.run += 1;
        self.fresh_from = self.run;
        self.fresh = 0;
        self.fresh_bytes = 0;
    }

    /// Nothing was lost after all: what was in flight before sending went back still is.
    pub(super) fn go_on(&mut self) {
        if let Some(from) = self.suspect_from.take() {
            self.fresh_from = from;
            let handed = self.handed.iter();
            let fresh = handed.filter(|frame| frame.run >= from && !frame.answered);
            let sum = |(count, bytes), frame: &Handed| (count + 1, bytes + frame.bytes);
            (self.fresh, self.fresh_bytes) = fresh.fold((0, 0), sum);
        }
    }

    /// What was in flight before sending went back is lost, or was sent again.
    pub(super) fn give_up(&mut self) {
        self.suspect_from = None;
    }

    /// The connection begins to speak for another session.
    pub(super) fn change_hands(&mut self) {
        self.go_back();
        self.give_up();
        for frame in &mut self.handed {
            frame.foreign = true;
        }
    }

    /// The peer says that it was restarted, and holds nothing. A routing id of its own does not
    /// tell whether its connection is another one, so that is believed now and then only: a peer
    /// that says so without a pause must not fill the broker's memory.
    pub(super) fn restarted(&mut self, now: Time) {
        self.is_restarted = true;
        self.believe(now);
    }

    fn believe(&mut self, now: Time) {
        let every = if self.is_read {
            RESTART_EVERY
        } else {
            SILENT_RESTART_EVERY
        };
        let is_due = |believed| now.since(believed) >= every;
        if self.is_restarted && self.believed.is_none_or(is_due) {
            *self = Self {
                believed: Some(now),
                ..Self::default()
            };
        }
    }

    /// Forgets what was handed over so long ago that it was read, or its connection ended by
    /// heartbeats: a peer that has lost everything, and cannot be told from one that reads
    /// nothing, is served again.
    pub(super) fn expire(&mut self, now: Time, limits: &Limits) {
        self.believe(now);
        if self.is_expired(now, limits) {
            *self = Self::default();
        }
    }

    /// See [`expire`](Self::expire).
    pub(super) fn is_expired(&self, now: Time, limits: &Limits) -> bool {
        now.since(self.newest) >= limits.queue_lifetime
    }
}

#[cfg(test)]
#[path = "send_queue_tests.rs"]
mod tests;
