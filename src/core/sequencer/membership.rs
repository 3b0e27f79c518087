//! Joining, coming back, being superseded, leaving.

use super::commits::About;
use super::cut_off::CUT_OFF;
use super::draining::CLOSING;
use super::heard::Heard;
use super::life::Life;
use super::session::Session;
use super::sitting::Sitting;
use super::{Event, Packet, Route, Sequencer, Transport, rejection};
use crate::core::order::{Command, MemberId, Rejection, Runs, Seat, Sit};
use crate::core::{Mutant, Now};
use crate::wire::native::{Hello, Start};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{DecodeError, Dialect, LogId, Name, OrderNumber};

/// What a peer is told when the log has no room.
pub(super) const DISK_FULL: &str = "the disk is full: try again later";
impl Sequencer {
    /// A native peer names itself.
    pub(super) fn hello(&mut self, now: Now, heard: &Heard<'_>, hello: &Hello) {
        let route = heard.packet.route();
        if let Some(text) = self.regressed(hello) {
            if !self.has_other_log(hello) && self.judges_later(now, heard) {
                return;
            }
            let why = rejection(Code::LogRegressed, self.order.next().0, text);
            return self.refuse(&route, Dialect::Native, why);
        }
        if hello.observe {
            return self.observe(now, heard, hello);
        }
        let known = self.order.by_name(hello.name.as_bytes());
        if let Some(id) = known {
            if self.barred(id).is_some() {
                let why = rejection(Code::NoSpace, 0, DISK_FULL);
                return self.refuse(&route, Dialect::Native, why);
            }
            if self.is_out_of_date(id, &route) {
                let why = rejection(Code::Superseded, 0, "a newer connection has this name");
                return self.refuse(&route, Dialect::Native, why);
            }
        }
        if self.newer_one_sits_down(&hello.name, &route) {
            let why = rejection(Code::Superseded, 0, "a newer connection has this name");
            return self.refuse(&route, Dialect::Native, why);
        }
        if let Some(before) = heard.speaker {
            self.forget_confirmations(before, &route);
        }
        let start = self.start(hello.start);
        let (key, owned) = self.proven(heard.packet.proof, &hello.name);
        let attempt = hello.attempt;
        let sit = |seat| Sit {
            seat,
            name: &hello.name,
            dialect: Dialect::Native,
            delimited: heard.packet.delimited,
            start,
            transient: false,
            life: attempt.map_or(0, |attempt| attempt.life),
            attempt: attempt.map_or(0, |attempt| attempt.number),
            key,
            owned,
        };
        self.sit(now, &route, hello.start, hello.receive, sit);
    }

    /// Asks for a name on behalf of a connection; says whether it has one then. Among several
    /// brokers it never has: it is waited for, unless it was refused.
    pub(super) fn sit<'a>(
        &mut self,
        now: Now,
        route: &Route,
        start: Start,
        receives: bool,
        sit: impl FnOnce(Seat) -> Sit<'a>,
    ) -> bool {
        let seat = self.next_seat();
        let sit = sit(seat);
        let joins = self.order.by_name(sit.name.as_bytes()).is_none();
        if joins && self.is_draining() && !Mutant::JoinWhileDraining.lives() {
            let why = rejection(Code::Closing, 0, CLOSING);
            self.refuse(route, sit.dialect, why);
            return false;
        }
        if joins && !self.has_room_for_notice(sit.name) {
            let why = rejection(Code::NoSpace, 0, DISK_FULL);
            self.refuse(route, sit.dialect, why);
            return false;
        }
        if self.is_cut_off() {
            let why = rejection(Code::Closing, 0, CUT_OFF);
            self.refuse(route, sit.dialect, why);
            return false;
        }
        if let Some(before) = self.sits_down(route.transport, &route.id) {
            let before = self.sitting.swap_remove(before);
            self.forget_held(&before);
        }
        self.sitting.push(Sitting {
            seat,
            name: sit.name.clone(),
            route: route.clone(),
            dialect: sit.dialect,
            start,
            receives,
            key: sit.key,
            held: Vec::new(),
            held_bytes: 0,
            is_full: false,
        });
        self.decide(now, Command::Sit(sit));
        let seated = self.sessions.by_route(route.transport, &route.id);
        let is_seated = |id| !Self::is_local(id) && self.sessions.get(id).name == *sit.name;
        seated.is_some_and(is_seated)
    }

    /// What was to be confirmed to a connection's session must not reach the one that it asks
    /// for now: it would be taken for confirmations of other messages.
    pub(super) fn forget_confirmations(&mut self, before: MemberId, route: &Route) {
        let session = self.sessions.get_mut(before);
        session.confirms = Runs::default();
        if session.hears_after > self.commits.committed() {
            self.commits.drop_confirmations(route);
        }
    }

    /// Whether a connection is older than the one that its session has now. What it says was
    /// said before the other was made, by a program that has ended, or has to hear that another
    /// has taken its place: were it let in, messages that nobody waits for would be ordered under
    /// client sequences that the newer one uses.
    fn is_out_of_date(&self, id: MemberId, route: &Route) -> bool {
        let current = self.sessions.get(id).route.as_ref();
        current.is_some_and(|current| route.is_older_than(current))
    }

    /// Whether a peer remembers another log than this one, or asks for what lies beyond its end:
    /// going on would mix two histories, or wait for ever without a word.
    fn regressed(&self, hello: &Hello) -> Option<&'static str> {
        let end = self.order.next();
        let is_new = hello.observe || self.order.by_name(hello.name.as_bytes()).is_none();
        match hello.start {
            _ if self.has_other_log(hello) => Some("the broker has another log than before"),
            // Others may be ahead: that is judged when it has its seat.
            Start::Resume(_) if self.among.is_some() && !is_new => None,
            Start::Resume(order) if order > end => {
                Some("the broker's log ends before what you already have")
            }
            Start::At(order) if is_new && order > end => {
                Some("the broker's log ends before this number")
            }
            _ => None,
        }
    }

    fn has_other_log(&self, hello: &Hello) -> bool {
        hello.log_id != LogId(0) && hello.log_id != self.order.log_id()
    }

    /// The first number of a new member's deliveries; `None`: what comes after its join.
    pub(super) fn start(&self, start: Start) -> Option<OrderNumber> {
        let end = self.order.next();
        match start {
            Start::Now => None,
            Start::Beginning => Some(self.oldest),
            // If that is no longer kept, it is told so when it is fed.
            Start::At(order) | Start::Resume(order) if self.among.is_some() => Some(order),
            Start::At(order) | Start::Resume(order) => Some(order.min(end)),
            Start::Last(count) => Some(OrderNumber(end.0.saturating_sub(count)).max(self.oldest)),
        }
    }

    /// A known member speaks over a connection that is new, or says hello again: it is sent what
    /// comes after where it says, or after its last ACK.
    pub(super) fn come_back(
        &mut self,
        id: MemberId,
        start: Start,
        route: &Route,
        dialect: Dialect,
    ) {
        let session = self.sessions.get_mut(id);
        match start {
            Start::Resume(order) => session.rewind(order),
            _ if Mutant::ResumeTooFar.lives() => session.rewind(session.floor.plus(1)),
            _ => session.rewind(session.floor),
        }
        let name = session.name.clone();
        if let Life::Away { .. } = session.life {
            return self.events.push(Event::Returned(name, dialect));
        }
        let Some(before) = session.route.clone().filter(|before| before.id != route.id) else {
            return;
        };
        let tell = session.dialect == Dialect::Native;
        self.events.push(Event::Superseded(name));
        self.counters.refused(Code::Superseded.name());
        if tell {
            let refusal = Refusal {
                code: Code::Superseded,
                detail: 0,
                text: "another connection has taken this name",
            };
            self.answer(&before, refusal.encode(), About::Other);
        }
    }

    /// The session of a peer of the binary or JSON dialect that has not spoken before on this
    /// connection, and whether it is new.
    pub(super) fn join_fixed(
        &mut self,
        now: Now,
        packet: &Packet<'_>,
        dialect: Dialect,
        start: Option<OrderNumber>,
    ) -> Option<(MemberId, bool)> {
        let route = packet.route();
        let transient = route.is_generated();
        let name = if transient {
            self.draw_guest()
        } else if let Ok(name) = Name::new(packet.id) {
            name
        } else {
            self.note_undecodable(None, DecodeError::BadName);
            return None;
        };
        let known = self.order.by_name(name.as_bytes());
        if let Some(why) = known.and_then(|id| self.barred(id)) {
            self.refuse(&route, dialect, why);
            return None;
        }
        let (key, owned) = self.proven(packet.proof, &name);
        let sit = |seat| Sit {
            seat,
            name: &name,
            dialect,
            delimited: packet.delimited,
            start,
            transient,
            life: 0,
            attempt: 0,
            key,
            owned,
        };
        if !self.sit(now, &route, Start::Now, true, sit) {
            return None;
        }
        let id = self.sessions.by_route(route.transport, &route.id)?;
        Some((id, known.is_none()))
    }

    /// Why no connection can come back to a session now, if that is so.
    fn barred(&self, id: MemberId) -> Option<Rejection> {
        if self.among.is_some() {
            return None; // what comes of its leaving is ordered before
        }
        match self.sessions.get(id).life {
            Life::Leaving => Some(rejection(Code::NoSpace, 0, DISK_FULL)),
            _ => None,
        }
    }

    /// A name for a peer that has none, which is nobody's and belongs to no key.
    pub(super) fn draw_guest(&mut self) -> Name {
        let (order, authority) = (&self.order, &self.authority);
        self.guests
            .next(|name| order.by_name(name).is_some() || authority.owns(name))
    }

    /// Takes a session back that the log knows. A peer of a fixed dialect may be connected
    /// under its name already, and wait: it is tried.
    pub(super) fn recover(&mut self, now: Now, id: MemberId, session: Session) {
        let waits = session.dialect != Dialect::Native;
        self.sessions.insert(id, session);
        if waits {
            self.expect(now, id);
        }
        self.mark_to_show(id);
        self.watch(id);
    }

    /// Tries to serve a peer of a fixed dialect, which has not spoken yet.
    pub(super) fn expect(&mut self, now: Now, id: MemberId) {
        let session = self.sessions.get(id);
        let route = Route {
            transport: Transport::Zmq,
            id: session.name.as_bytes().into(),
            delimited: session.delimited,
            connection: 0,
        };
        self.sessions.bind(now.time, id, route);
        self.mark_to_serve(id);
    }

    /// Binds a session to the connection it now speaks over.
    pub(super) fn attach(&mut self, now: Now, id: MemberId, route: Route) {
        if let Some(other) = self.sessions.by_route(route.transport, &route.id)
            && other != id
        {
            self.set_away(now, other);
        }
        self.sessions.bind(now.time, id, route);
        let session = self.sessions.get_mut(id);
        session.life = Life::Here;
        session.is_put_off = false;
        self.await_while_draining(id);
        self.mark_to_serve(id);
        self.watch(id);
    }

    /// Takes a member's connection from it; its session stays.
    pub(super) fn set_away(&mut self, now: Now, id: MemberId) {
        let session = self.sessions.get_mut(id);
        if session.transient {
            return self.leave(now, id);
        }
        if session.is_present() {
            session.life = Life::away(now.time);
            self.events.push(Event::Away(session.name.clone()));
        }
        self.unbind(now, id);
        self.mark_to_save(now, id);
        self.watch(id);
        self.tell_away(now, id);
    }

    fn unbind(&mut self, now: Now, id: MemberId) {
        let session = self.sessions.get_mut(id);
        session.rewind(session.floor);
        self.sessions.unbind(now.time, id);
        self.mark_to_show(id);
    }

    /// Ends a session, and tells everybody in the order; as soon as there is room for that.
    pub(super) fn leave(&mut self, now: Now, id: MemberId) {
        if Self::is_local(id) {
            self.sessions.remove(now.time, id);
            return;
        }
        if self.has_room_for_notice(&self.sessions.get(id).name) {
            self.decide(now, Command::Leave(id));
            if self.sessions.find(id).is_some() {
                self.sessions.get_mut(id).life = Life::Leaving;
                self.unbind(now, id);
            }
            return;
        }
        self.sessions.get_mut(id).life = Life::Leaving;
        self.unbind(now, id);
        self.marked.to_leave.push(id);
    }

    /// Ends the sessions that there was no room for.
    pub(super) fn leave_late(&mut self, now: Now) {
        for id in std::mem::take(&mut self.marked.to_leave) {
            // The id may have gone to another member.
            let session = self.sessions.find(id);
            if session.is_some_and(|session| session.life == Life::Leaving) {
                self.leave(now, id);
            }
        }
    }
}
