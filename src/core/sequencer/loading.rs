//! What was read from the log on behalf of members that are behind, or was not.

use super::commits::About;
use super::timers::Timer;
use super::{Event, LoadError, Sequencer};
use crate::core::Now;
use crate::core::order::{Chunk, MemberId};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{Dialect, OrderNumber};

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
                self.reading.succeeded();
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
