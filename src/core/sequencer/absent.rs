//! Members that are silent or away, and sessions that end for it.

use std::time::Duration;

use super::commits::About;
use super::life::{Life, end_of_absence};
use super::session::Session;
use super::timers::Timer;
use super::{Route, Sequencer};
use crate::core::Now;
use crate::core::order::{MemberId, Order};
use crate::wire::{Dialect, Name, OrderNumber, binary, json, native, rendering};

/// A session's end that is noticed later than this is put off for as long: the broker was
/// stopped, and what its member has said meanwhile is not read yet.
const LATE: Duration = Duration::from_millis(500);

/// The log is told at most so often for how long members are away,
const NOTE_EVERY_LEAST: Duration = Duration::from_millis(250);
/// and at least so often: so much of it a crash takes.
const NOTE_EVERY_MOST: Duration = Duration::from_hours(1);

impl Sequencer {
    /// Whether sessions end whose members were away for long.
    pub(super) fn ends_by_time(&self) -> bool {
        self.limits.session_timeout.is_some() || self.sessions.has_drawn()
    }

    /// Has the log told for how long members are away whose sessions end by that, and does so
    /// again later: their time away adds up over restarts.
    pub(super) fn note_absence(&mut self, now: Now) {
        if self.among.is_some() || !self.ends_by_time() {
            return;
        }
        let is_absent = |session: &Session| {
            session.life.absence().is_some() && session.timeout(&self.limits).is_some()
        };
        let absent = self
            .sessions
            .iter()
            .filter(|(_, session)| is_absent(session));
        let absent: Vec<_> = absent.map(|(id, _)| id).collect();
        for id in absent {
            self.mark_to_save(now, id);
        }
        self.note_absence_later(now);
    }

    pub(super) fn note_absence_later(&mut self, now: Now) {
        if self.among.is_none() && self.ends_by_time() {
            let timeouts = self.limits.session_timeout.into_iter();
            let shortest = timeouts.chain([self.limits.drawn_name_timeout]).min();
            let every = shortest.unwrap_or_default() / 16;
            let at = now.time + every.clamp(NOTE_EVERY_LEAST, NOTE_EVERY_MOST);
            self.timers.set(Timer::Away, at);
        }
    }

    /// Looks after a member that has been silent: asks, takes for away, or ends its session.
    pub(super) fn look_after_silent(&mut self, now: Now, id: MemberId) {
        let session = self.sessions.get_mut(id);
        if session.life.absence().is_some() {
            return self.look_after_absent(now, id);
        }
        let silence = now.time.since(session.heard.time);
        match session.route.clone() {
            Some(_) if session.dialect != Dialect::Native => {}
            Some(_) if silence >= self.limits.away_after => self.set_away(now, id),
            Some(route) if silence >= self.limits.ping_after && session.life == Life::Here => {
                session.life = Life::Asked;
                self.answer(&route, native::ping(), About::Other);
            }
            _ => {}
        }
    }

    /// Ends the session of a member that was away for too long.
    fn look_after_absent(&mut self, now: Now, id: MemberId) {
        let rank = self.rank();
        let session = self.sessions.get_mut(id);
        let timeout = session.timeout(&self.limits);
        let Some(absence) = session.life.absence().zip(timeout) else {
            return;
        };
        let end = end_of_absence(absence);
        if end > now.time {
            return;
        }
        let ((since, _), _) = absence;
        let late = now.time.since(end);
        let put_off = if rank > 0 {
            // Another broker ends it, if it lives.
            Some(end.since(since) * rank)
        } else {
            (late > LATE).then_some(late + LATE)
        };
        if let Some(by) = put_off
            && !session.is_put_off
        {
            session.is_put_off = true;
            return session.life.put_off(by);
        }
        let route = session.route.clone().filter(|_| self.among.is_none());
        let (name, dialect) = (session.name.clone(), session.dialect);
        self.leave(now, id);
        if let Some(route) = route
            && self.sessions.find(id).is_none()
        {
            self.tell_of_end(&route, &name, dialect);
        }
    }

    /// Sends a peer of a fixed dialect the notice that it has left. If it is connected after all
    /// and had nothing to say, it acknowledges that, and by this joins again where it was: without
    /// it, it would listen for ever and be sent nothing.
    fn tell_of_end(&mut self, route: &Route, name: &Name, dialect: Dialect) {
        let order = OrderNumber(self.order.next().0.saturating_sub(1));
        let (server, text) = (Name::server(), Order::notice_of_leaving(name));
        let parts = [server.as_bytes(), rendering::SEPARATOR, &text];
        let mut frame = Vec::new();
        match dialect {
            Dialect::Binary => binary::encode_message(order, parts, &mut frame),
            Dialect::Json => {
                // A name that is no text is shown as well as can be.
                let _ = json::encode_message(order, parts, &mut frame);
            }
            Dialect::Native | Dialect::Raw => return,
        }
        self.answer(route, frame, About::Done);
    }
}
