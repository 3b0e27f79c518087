//! What lies in the queue of a connection, by what was handed over and not by what the broker
//! believes.

use std::collections::VecDeque;
use std::time::Duration;

use orden::core::{Limits, Time};

/// What lies in the queue of one connection.
#[derive(Debug, Default)]
pub(crate) struct Queued {
    /// Whether its routing id is no other connection's.
    is_one_connection: bool,
    /// Whether its peer has read anything.
    is_read: bool,
    /// Frames of messages: their numbers, bytes, and when they were handed over.
    frames: VecDeque<(u64, usize, Time)>,
}

impl Queued {
    /// Of a connection with this routing id.
    pub(crate) fn of(routing_id: &[u8]) -> Self {
        Self {
            is_one_connection: routing_id.first() == Some(&0),
            ..Self::default()
        }
    }

    /// The peer has read up to this frame.
    pub(crate) fn left(&mut self, number: u64) {
        self.is_read = true;
        while self.frames.front().is_some_and(|(at, _, _)| *at <= number) {
            self.frames.pop_front();
        }
    }
}

/// Holds that no connection's queue ever has more than two windows, however often sending goes
/// back and however slowly its peer reads; four for a slow peer with a routing id of its own, whose
/// connection the broker cannot tell from the next one under it.
#[derive(Debug)]
pub(crate) struct QueueJudge {
    window: usize,
    /// What lies there longer was read, or its connection ended by heartbeats.
    lifetime: Duration,
    /// The largest frame of messages so far.
    largest: usize,
}

impl QueueJudge {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            window: limits.window_bytes,
            lifetime: limits.queue_lifetime,
            largest: 0,
        }
    }

    /// A frame is handed over.
    pub(crate) fn take(&mut self, queued: &mut Queued, number: u64, bytes: usize, now: Time) {
        self.largest = self.largest.max(bytes);
        let windows = if queued.is_read && !queued.is_one_connection {
            4
        } else {
            2
        };
        let most = windows * self.window.max(self.largest) + self.largest;
        let queue = &mut queued.frames;
        queue.push_back((number, bytes, now));
        while queue
            .front()
            .is_some_and(|(_, _, at)| now.since(*at) >= self.lifetime)
        {
            queue.pop_front();
        }
        let held: usize = queue.iter().map(|(_, bytes, _)| bytes).sum();
        assert!(
            held <= most,
            "Bounds: a connection holds {held} bytes, of {most}"
        );
    }
}
