//! Reading from the log on behalf of members that are behind.

use std::time::Duration;

use super::commits::About;
use super::timers::Timer;
use super::{Event, LoadError, Sequencer};
use crate::core::Now;
use crate::core::order::{Chunk, MemberId};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{Dialect, OrderNumber};

/// What could not be read is asked for again after so long, at first and at most: descriptors
/// and memory come back, and an operator may put a file back in its place.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Stretches to ask for, and when to ask again for those that could not be read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    wanted: Vec<OrderNumber>,
    retry_after: Duration,
}

impl Reading {
    /// Asks for the stretch that holds a number.
    pub(super) fn ask(&mut self, from: OrderNumber) {
        self.wanted.push(from);
    }

    /// What to ask for.
    pub(super) fn take(&mut self) -> Vec<OrderNumber> {
        std::mem::take(&mut self.wanted)
    }

    fn failed(&mut self) -> Duration {
        self.retry_after = (self.retry_after * 2).clamp(RETRY_MIN, RETRY_MAX);
        self.retry_after
    }
}

impl Sequencer {
    /// A stretch of the log has been read, or not.
    pub(super) fn loaded(&mut self, now: Now, from: OrderNumber, result: Result<Chunk, LoadError>) {
        let stretch = match &result {
            Ok(chunk) => chunk.first().min(from)..chunk.end(),
            Err(_) => from..from.plus(1),
        };
        let bound = self.sessions.bound().iter().copied();
        let waits = |&id: &MemberId| stretch.contains(&self.sessions.get(id).next);
        let waiting: Vec<_> = bound.filter(waits).collect();
        match result {
            Ok(chunk) => {
                self.reading.retry_after = Duration::ZERO;
                self.backlog.loaded(from, Some(chunk));
                for id in waiting {
                    self.mark_to_serve(id);
                }
            }
            Err(error) => {
                self.backlog.loaded(from, None);
                self.not_loaded(now, &waiting, from, error);
            }
        }
        if self.backlog.take_put_off() {
            self.serve_all();
        }
    }

    fn not_loaded(&mut self, now: Now, waiting: &[MemberId], from: OrderNumber, error: LoadError) {
        match error {
            LoadError::Trimmed(oldest) => {
                self.oldest = oldest;
                for &id in waiting {
                    self.skip(id, oldest);
                    self.mark_to_serve(id);
                }
                return;
            }
            LoadError::Unreadable(why) => {
                self.counters.refused("unreadable");
                self.events.push(Event::Unreadable(why));
            }
            LoadError::Damaged(why) => {
                self.counters.refused(Code::Damaged.name());
                self.events.push(Event::Unreadable(why));
                for &id in waiting {
                    self.tell_damaged(id, from);
                }
            }
        }
        let at = now.time + self.reading.failed();
        self.timers.set(Timer::Reads, at);
    }

    /// Tells a native member that what comes next is lost unless the log is repaired.
    fn tell_damaged(&mut self, id: MemberId, order: OrderNumber) {
        let session = self.sessions.get(id);
        if session.dialect == Dialect::Native
            && let Some(route) = session.route.clone()
        {
            let refusal = Refusal {
                code: Code::Damaged,
                detail: order.0,
                text: "the broker's log is damaged there: its operator has to look",
            };
            self.answer(&route, refusal.encode(), About::Other);
        }
    }

    /// Lets everybody ask again who is behind.
    pub(super) fn serve_all(&mut self) {
        for id in self.sessions.bound().to_vec() {
            self.mark_to_serve(id);
        }
    }
}
