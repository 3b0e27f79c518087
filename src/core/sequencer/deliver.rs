//! Feeding members: whoever is behind gets what comes next, as far as its window goes.

use super::Sequencer;
use crate::core::members::SessionId;
use crate::core::session::Life;
use crate::core::{Chunk, Event, Frames, LoadError, Mutant, Now, Route, Undelivered};
use crate::wire::reply::{self, Code, Refusal};
use crate::wire::{Acked, Dialect, OrderNumber};

/// A fixed dialect's window is filled in at least so many steps, as its bytes are given back a
/// step at a time.
const STEPS_A_WINDOW: u64 = 4;

impl Sequencer {
    /// A member has acknowledged.
    pub(super) fn acked(&mut self, now: Now, id: SessionId, acked: Acked) {
        let session = self.members.get_mut(id);
        let news = match acked {
            // A program that was restarted: it goes on after its last ACK.
            Acked::Nothing => {
                session.rewind(session.floor);
                true
            }
            Acked::UpTo(order) if order >= session.sent && Mutant::BelieveAckAhead.lives() => {
                session.rewind(order.plus(1));
                true
            }
            Acked::UpTo(order) if order >= session.sent => {
                let (dialect, sent) = (session.dialect, session.sent.0);
                let Some(route) = session.route.clone() else {
                    return;
                };
                let detail = sent.saturating_sub(1);
                let text = "an ACK of something that was not sent";
                return self.refuse(&route, dialect, Code::AckAhead, detail, text);
            }
            Acked::UpTo(order) => session.acknowledge(order.plus(1), now, &self.limits),
        };
        if news {
            self.mark_to_serve(id);
            self.mark_to_save(now, id);
            // Progress ends a backoff, so the deadline may have come closer.
            self.watch(id);
        }
    }

    /// Hands out what members may have: all of them if there is something new, otherwise those
    /// for whom something has changed.
    pub(super) fn serve(&mut self, now: Now) {
        let mut marked = std::mem::take(&mut self.to_serve);
        for &id in &marked {
            if let Some(session) = self.members.find_mut(id) {
                session.marks.to_serve = false;
                self.confirm(id);
                self.feed(now, id);
            }
        }
        marked.clear();
        self.to_serve = marked;
        if self.fed_up_to < self.backlog.end() {
            self.fed_up_to = self.backlog.end();
            for at in 0..self.members.bound().len() {
                self.feed(now, self.members.bound()[at]);
            }
        }
    }

    /// Tells a publisher what was ordered of what it sent.
    pub(super) fn confirm(&mut self, id: SessionId) {
        let session = self.members.get_mut(id);
        if session.confirms.is_empty() {
            return;
        }
        let runs = std::mem::take(&mut session.confirms);
        if let Some(route) = &session.route {
            self.outbox.reply(route, reply::confirm(&runs));
        }
    }

    /// Sends a member what its window allows.
    fn feed(&mut self, now: Now, id: SessionId) {
        let mut cursor = 0;
        let session = self.members.get(id);
        if !session.is_served() || session.next >= self.backlog.end() {
            return;
        }
        while let Some((frames, range, end)) = self.next_frames(id) {
            let session = self.members.get_mut(id);
            let bytes = frames.len_of(&range);
            self.counters.delivered += end.since(session.next);
            session.launched(end, bytes, now, &self.limits);
            if let Some(route) = &session.route {
                self.outbox.share(&mut cursor, route, frames, range);
            }
        }
        self.mark_to_show(id);
        self.watch(id);
    }

    /// The frames a member gets next, and the number after them; `None` if it has everything,
    /// its window is full, or they have to be read from the log first.
    fn next_frames(
        &mut self,
        id: SessionId,
    ) -> Option<(Frames, std::ops::Range<usize>, OrderNumber)> {
        let session = self.members.get(id);
        let next = session.next;
        let allowed = session.frames_allowed(&self.limits);
        if next >= self.backlog.end() || allowed == 0 {
            return None;
        }
        let Some(mut found) = self.backlog.find(next) else {
            if self.backlog.want(next) {
                self.loads.push(next);
            }
            return None;
        };
        let end = found.chunk().end();
        if session.dialect == Dialect::Native {
            // What it has of the chunk already it passes over.
            return Some((Frames::one(found.chunk().bytes().clone()), 0..1, end));
        }
        let first = found.chunk().first();
        let (frames, altered) = found.frames(session.dialect);
        let step = (self.limits.window_frames / STEPS_A_WINDOW).max(1);
        let count = allowed.min(step).min(end.since(next));
        let start = index(next.since(first));
        let mut range = start..start + index(count);
        let bytes_allowed = session.bytes_allowed(&self.limits);
        while range.len() > 1 && frames.len_of(&range) > bytes_allowed {
            range.end -= range.len() / 2;
        }
        let end = next.plus(range.len() as u64);
        let dialect = session.dialect;
        if altered > 0 {
            self.counters.altered += altered;
            self.events.push(Event::Altered(dialect));
        }
        Some((frames, range, end))
    }

    /// A stretch of the log has been read, or not.
    pub(super) fn loaded(&mut self, from: OrderNumber, result: Result<Chunk, LoadError>) {
        let stretch = match &result {
            Ok(chunk) => chunk.first().min(from)..chunk.end(),
            Err(_) => from..from.plus(1),
        };
        let bound = self.members.bound().iter().copied();
        let waits = |&id: &SessionId| stretch.contains(&self.members.get(id).next);
        let waiting: Vec<_> = bound.filter(waits).collect();
        match result {
            Ok(chunk) => self.backlog.loaded(from, Some(chunk)),
            Err(LoadError::Trimmed(oldest)) => {
                self.backlog.loaded(from, None);
                self.oldest = oldest;
                for &id in &waiting {
                    self.skip(id, oldest);
                }
            }
            Err(LoadError::Unreadable(why)) => {
                self.backlog.loaded(from, None);
                self.counters.refused("unreadable");
                self.events.push(Event::Unreadable(why));
                return self.serve_put_off();
            }
        }
        for id in waiting {
            self.mark_to_serve(id);
        }
        self.serve_put_off();
    }

    /// Lets those ask again who were behind when too many others were.
    fn serve_put_off(&mut self) {
        if self.backlog.take_put_off() {
            for id in self.members.bound().to_vec() {
                self.mark_to_serve(id);
            }
        }
    }

    /// A member is behind what is kept: it is told, and goes on from there.
    fn skip(&mut self, id: SessionId, oldest: OrderNumber) {
        let session = self.members.get_mut(id);
        session.rewind(oldest);
        self.events
            .push(Event::Skipped(session.name.clone(), oldest));
        self.counters.refused(Code::Trimmed.name());
        if session.dialect == Dialect::Native
            && let Some(route) = &session.route
        {
            let text = format!("messages before {oldest} are no longer kept");
            let refusal = Refusal {
                code: Code::Trimmed,
                detail: oldest.0,
                text: &text,
            };
            self.outbox.reply(route, refusal.encode());
        }
    }

    /// A socket did not take a frame.
    pub(super) fn undelivered(&mut self, now: Now, to: &Route, why: Undelivered) {
        let Some(id) = self.members.by_route(to.transport, &to.id) else {
            return;
        };
        let guarded = self.is_guarded();
        let session = self.members.get_mut(id);
        if session
            .route
            .as_ref()
            .is_none_or(|route| !route.is_same_connection(to))
        {
            return;
        }
        self.counters.refused(match why {
            Undelivered::Full => "peer_full",
            Undelivered::Gone => "peer_gone",
        });
        // Nobody comes back to a guest. But what it said last may still be on its way to us, and
        // would be taken for another guest's: it goes if a while later it is still not there.
        let patience = self.limits.resend_after;
        let is_over = match (session.dialect, session.life) {
            (Dialect::Native | Dialect::Raw, _) => true,
            _ if guarded => true,
            (_, Life::Away { since }) => session.transient && since + patience <= now.time,
            _ => false,
        };
        if why == Undelivered::Gone && is_over {
            return self.set_away(now, id);
        }
        session.hold(now, &self.limits);
        let name = session.name.clone();
        let away = !session.is_present();
        match why {
            Undelivered::Full => self.events.push(Event::Undelivered(name, why)),
            Undelivered::Gone if away => {}
            Undelivered::Gone => {
                session.life = Life::Away { since: now.time };
                self.events.push(Event::Away(name));
            }
        }
        self.mark_to_show(id);
        self.watch(id);
    }

    /// Looks at everything that has a deadline.
    pub(super) fn tick(&mut self, now: Now) {
        if self.wake_at.is_none_or(|at| at > now.time) {
            return;
        }
        self.wake_at = None;
        let all: Vec<_> = match self.limits.session_timeout {
            Some(_) => self.members.iter().map(|(id, _)| id).collect(),
            None => self.members.bound().to_vec(),
        };
        for id in all {
            let due = |at| at <= now.time;
            if self.members.get(id).deadline(&self.limits).is_some_and(due) {
                if self.members.get_mut(id).go_back_if_due(now, &self.limits) {
                    self.counters.resent += 1;
                    self.mark_to_serve(id);
                }
                self.look_after_silent(now, id);
            }
            if self.members.find_mut(id).is_some() {
                self.watch(id);
            }
        }
    }
}

/// A place in a chunk's frames.
fn index(place: u64) -> usize {
    usize::try_from(place).expect("a chunk lies in memory")
}
