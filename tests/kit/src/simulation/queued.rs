//! What lies in the queue of a connection, by what was handed over and not by what the broker
//! believes.

use std::collections::VecDeque;
use std::time::Duration;

use orden::core::{Limits, Time};

/// Frames of messages in a queue: their numbers, bytes, and when they were handed over.
#[derive(Debug, Default)]
pub(crate) struct Queued(VecDeque<(u64, usize, Time)>);

impl Queued {
    /// The peer has read up to this frame.
    pub(crate) fn left(&mut self, number: u64) {
        while self.0.front().is_some_and(|(at, _, _)| *at <= number) {
            self.0.pop_front();
        }
    }
}

/// Holds that no connection's queue ever has more than three windows, however often sending goes
/// back: what is in flight, one of copies, and copies of what was answered meanwhile, which the
/// broker counts no longer.
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
        let most = 3 * self.window.max(self.largest) + self.largest;
        let queue = &mut queued.0;
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
