//! What was handed to a connection and may still lie in the socket's queue for it.
//!
//! The account belongs to the connection, not to the session: memory is freed when a frame leaves
//! the queue, whatever name the peer says next and however often sending goes back. What is
//! acknowledged is taken for gone with all its copies, of which a slow peer may not have read the
//! later ones yet: it reads through them before it can acknowledge what was sent after them.
//!
//! ```text
//!  handed over ── before sending went back last, perhaps queued ──┬── since then ──►
//!                 at most one further window                      └ at most a window
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use super::Limits;
use crate::core::Time;
use crate::wire::OrderNumber;

/// How often a peer that says that it was restarted is believed.
const RESTART_EVERY: Duration = Duration::from_secs(1);

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
    believed: Time,
}

#[derive(Clone, Copy, Debug)]
struct Handed {
    end: OrderNumber,
    frames: u64,
    bytes: usize,
    run: u32,
    /// Handed over for an earlier session of the connection: no ACK can be meant for it.
    foreign: bool,
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
    pub(super) fn acknowledge(&mut self, floor: OrderNumber) {
        let answered = |frame: &Handed| !frame.foreign && frame.end <= floor;
        let passed = self.handed.iter().position(answered).unwrap_or(0);
        let mut handed = std::mem::take(&mut self.handed);
        let mut places = 0..;
        handed.retain(|frame| {
            let place = places.next().unwrap_or(usize::MAX);
            let is_kept = place >= passed && !answered(frame);
            if !is_kept {
                self.bytes -= frame.bytes;
                self.frames -= frame.frames;
                if frame.run >= self.fresh_from {
                    self.fresh -= 1;
                    self.fresh_bytes -= frame.bytes;
                }
            }
            is_kept
        });
        self.handed = handed;
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
            let fresh = self.handed.iter().filter(|frame| frame.run >= from);
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
        if self.is_restarted && now.since(self.believed) >= RESTART_EVERY {
            *self = Self {
                believed: now,
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
mod tests {
    use super::*;

    const SIZE: usize = 100;

    fn limits() -> Limits {
        Limits {
            window_bytes: 3 * SIZE,
            ..Limits::default()
        }
    }

    fn hand_over_all(queue: &mut SendQueue) -> u64 {
        let mut frames = 0;
        while queue.has_room(&limits()) {
            frames += 1;
            queue.hand_over(OrderNumber(frames), 1, SIZE, Time(0));
        }
        frames
    }

    #[test]
    fn a_queue_holds_two_windows_however_often_sending_goes_back() {
        let mut queue = SendQueue::default();
        for window in [3, 3, 0, 0] {
            assert_eq!(hand_over_all(&mut queue), window);
            queue.go_back();
        }
        assert_eq!(queue.bytes, 6 * SIZE);
        queue.change_hands();
        assert!(!queue.has_room(&limits()), "another name, the same queue");
    }

    #[test]
    fn an_ack_shows_what_has_left_the_queue() {
        let mut queue = SendQueue::default();
        hand_over_all(&mut queue);
        queue.go_back();
        hand_over_all(&mut queue);
        queue.acknowledge(OrderNumber(2));
        assert_eq!((queue.handed.len(), queue.fresh()), (2, 1));
        queue.acknowledge(OrderNumber(3));
        assert!(queue.is_empty());
        assert_eq!((queue.bytes, queue.frames, queue.fresh_bytes), (0, 0, 0));
    }

    #[test]
    fn an_ack_of_another_session_frees_nothing() {
        let mut queue = SendQueue::default();
        hand_over_all(&mut queue);
        queue.change_hands();
        queue.acknowledge(OrderNumber(9));
        assert_eq!(queue.handed.len(), 3);
        queue.hand_over(OrderNumber(9), 1, SIZE, Time(0));
        queue.acknowledge(OrderNumber(9));
        assert!(queue.is_empty(), "what came before it was read");
    }

    #[test]
    fn a_frame_larger_than_the_window_is_sent_again_once() {
        let mut queue = SendQueue::default();
        for _ in 0..2 {
            assert!(queue.has_room(&limits()));
            queue.hand_over(OrderNumber(1), 1, 99 * SIZE, Time(0));
            queue.go_back();
        }
        assert!(!queue.has_room(&limits()));
    }

    #[test]
    fn what_was_queued_long_ago_is_forgotten() {
        let mut queue = SendQueue::default();
        hand_over_all(&mut queue);
        queue.go_back();
        hand_over_all(&mut queue);
        let later = Time(0) + limits().queue_lifetime;
        queue.expire(later, &limits());
        assert!(queue.is_empty());
    }
}
