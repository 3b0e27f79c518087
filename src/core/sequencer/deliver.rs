//! Feeding members: each that is behind gets what comes next, as far as its window goes.

use super::life::Life;
use super::timers::Timer;
use super::{Event, Frames, Route, Sequencer, Undelivered, rejection};
use crate::core::order::MemberId;
use crate::core::{Mutant, Now};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{Acked, Dialect, OrderNumber};

/// A fixed dialect's window is filled in at least so many steps, as its bytes are given back a
/// step at a time.
const STEPS_A_WINDOW: u64 = 4;
/// What has come while a crowd was sent something is joined to frames of this part of a window.
const FRAMES_A_WINDOW: usize = 8;

impl Sequencer {
    /// A member has acknowledged.
    pub(super) fn acked(&mut self, now: Now, id: MemberId, acked: Acked) {
        let session = self.sessions.get_mut(id);
        let news = match acked {
            // A program that was restarted: it goes on after its last ACK.
            Acked::Nothing => {
                session.rewind(session.floor);
                // On plain TCP it would have another connection.
                if session.dialect != Dialect::Raw {
                    session.queue.restarted(now.time);
                }
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
                return self.refuse(&route, dialect, rejection(Code::AckAhead, detail, text));
            }
            Acked::UpTo(order) => session.acknowledge(order.plus(1), now, &self.limits),
        };
        if news {
            let floor = self.sessions.get(id).floor;
            self.pace.acknowledged(now.time, floor, &self.limits);
            self.mark_to_serve(id);
            self.mark_to_save(now, id);
            // Progress ends a backoff, so the deadline may have come closer.
            self.watch(id);
        }
    }

    /// What a crowd was sent has left the sockets.
    pub(super) fn has_left(&mut self) {
        self.is_crowded = false;
        self.backlog
            .join(self.fed_up_to, self.limits.window_bytes / FRAMES_A_WINDOW);
    }

    /// The broker ends in good order.
    pub(super) fn stops(&mut self) {
        self.has_left();
        self.pace.end();
    }

    /// Hands out what members may have: all of them if there is something new, otherwise those
    /// for whom something has changed.
    pub(super) fn serve(&mut self, now: Now) {
        let mut marked = std::mem::take(&mut self.marked.to_serve);
        for &id in &marked {
            if let Some(session) = self.sessions.find_mut(id) {
                session.marks.to_serve = false;
                self.feed(now, id);
            }
        }
        marked.clear();
        self.marked.to_serve = marked;
        if self.fed_up_to < self.backlog.end() {
            self.fed_up_to = self.backlog.end();
            for at in 0..self.sessions.bound().len() {
                self.feed(now, self.sessions.bound()[at]);
            }
        }
    }

    /// Sends a member what its window allows.
    fn feed(&mut self, now: Now, id: MemberId) {
        let session = self.sessions.get(id);
        let is_welcome = session.served_after <= self.commits.committed();
        if !session.is_served() || !is_welcome || session.next >= self.backlog.end() {
            return;
        }
        let mut cursor = 0;
        while let Some((frames, range, end)) = self.next_frames(id) {
            let session = self.sessions.get(id);
            if session.trimmed == Some(session.next) {
                self.tell_trimmed(id);
            }
            let session = self.sessions.get_mut(id);
            let bytes = frames.len_of(&range);
            self.counters.delivered += end.since(session.next);
            session.launched(end, range.len() as u64, bytes, now, &self.limits);
            if let Some(route) = &session.route {
                self.outbox.share(&mut cursor, route, frames, range);
            }
        }
        let session = self.sessions.get_mut(id);
        if session.next < self.backlog.end() && !session.queue.has_room(&self.limits) {
            session.await_room(now, &self.limits);
        }
        self.mark_to_show(id);
        self.watch(id);
    }

    /// The frames a member gets next, and the number after them; `None` if it has everything,
    /// its window is full, or they have to be read from the log first.
    fn next_frames(
        &mut self,
        id: MemberId,
    ) -> Option<(Frames, std::ops::Range<usize>, OrderNumber)> {
        let session = self.sessions.get(id);
        let next = session.next;
        let allowed = session.frames_allowed(&self.limits);
        if next >= self.backlog.end() || allowed == 0 {
            return None;
        }
        let Some(mut found) = self.backlog.find(next) else {
            if self.backlog.want(next) {
                self.reading.ask(next);
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
        let bytes_allowed = session.queue.bytes_left(&self.limits);
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

    /// A member is behind what is kept: it goes on from there, and is told so before.
    pub(super) fn skip(&mut self, id: MemberId, oldest: OrderNumber) {
        let session = self.sessions.get_mut(id);
        session.rewind(oldest);
        session.trimmed = Some(oldest);
        self.events
            .push(Event::Skipped(session.name.clone(), oldest));
        self.counters.refused(Code::Trimmed.name());
        if oldest >= self.backlog.end() {
            // Nothing is there to be fed with.
            self.tell_trimmed(id);
        }
    }

    /// Tells a native member that it has missed something for good. Said again whenever sending
    /// goes back to there: the frame may have been lost like any other.
    fn tell_trimmed(&mut self, id: MemberId) {
        let session = self.sessions.get(id);
        if session.dialect == Dialect::Native
            && let (Some(route), Some(oldest)) = (session.route.clone(), session.trimmed)
        {
            let text = format!("messages before {oldest} are no longer kept");
            let refusal = Refusal {
                code: Code::Trimmed,
                detail: oldest.0,
                text: &text,
            };
            self.outbox.reply(&route, refusal.encode());
        }
    }

    /// A socket did not take a frame.
    pub(super) fn undelivered(&mut self, now: Now, to: &Route, why: Undelivered) {
        let Some(id) = self.sessions.by_route(to.transport, &to.id) else {
            return;
        };
        let guarded = self.is_guarded();
        let session = self.sessions.get_mut(id);
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
            (_, Life::Away { since, .. }) => session.transient && since + patience <= now.time,
            _ => false,
        };
        if why == Undelivered::Gone {
            self.sessions.drop_queue(id);
            if is_over {
                return self.set_away(now, id);
            }
        }
        let session = self.sessions.get_mut(id);
        session.hold(now, &self.limits);
        let name = session.name.clone();
        let away = !session.is_present();
        match why {
            Undelivered::Full => self.events.push(Event::Undelivered(name, why)),
            Undelivered::Gone if away => {}
            Undelivered::Gone => {
                session.life = session.life.without_peer(now.time);
                self.events.push(Event::Away(name));
                self.mark_to_save(now, id);
                self.tell_away(now, id);
            }
        }
        self.mark_to_show(id);
        self.watch(id);
    }

    /// Looks at everything that has a deadline.
    pub(super) fn tick(&mut self, now: Now) {
        if self.timers.take_due(Timer::Reads, now.time) {
            self.serve_all();
        }
        // Confirmations that wait are looked at each time that something is given out.
        self.timers.take_due(Timer::Pace, now.time);
        if self.timers.take_due(Timer::Brokers, now.time) {
            self.look_after_brokers(now);
        }
        if self.timers.take_due(Timer::CutOff, now.time) {
            self.send_members_elsewhere();
        }
        if !self.timers.take_due(Timer::Sessions, now.time) {
            return;
        }
        self.sessions.expire_queues(now.time, &self.limits);
        let all: Vec<_> = if self.ends_by_time() {
            self.sessions.all()
        } else {
            self.sessions.bound().to_vec()
        };
        for id in all {
            let due = |at| at <= now.time;
            if self
                .sessions
                .get(id)
                .deadline(&self.limits)
                .is_some_and(due)
            {
                if self.sessions.get_mut(id).go_back_if_due(now, &self.limits) {
                    self.counters.resent += 1;
                    self.mark_to_serve(id);
                }
                self.look_after_silent(now, id);
                self.announce_if_due(now, id);
            }
            if self.sessions.find(id).is_some() {
                self.watch(id);
            }
        }
    }
}

/// A place in a chunk's frames.
fn index(place: u64) -> usize {
    usize::try_from(place).expect("a chunk lies in memory")
}
