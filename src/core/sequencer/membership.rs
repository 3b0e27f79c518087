//! Joining, coming back, being superseded, leaving.

use super::Sequencer;
use crate::core::appends::Appends;
use crate::core::members::SessionId;
use crate::core::session::{Life, Session};
use crate::core::{Event, Mutant, Now, Packet, Route, Transport};
use crate::wire::native::{self, Hello, Start};
use crate::wire::record::{Flags, Record};
use crate::wire::reply::{Code, Refusal, Welcome};
use crate::wire::{ClientSequence, DecodeError, Dialect, LogId, Name, OrderNumber};

const JOINED: &str = " has joined the net";
const LEFT: &str = " has left the net";
/// What a peer is told when the log has no room.
pub(super) const DISK_FULL: &str = "the disk is full: try again later";

impl Sequencer {
    /// A native peer names itself.
    pub(super) fn hello(&mut self, now: Now, packet: &Packet<'_>, hello: &Hello) {
        let route = packet.route();
        if let Some(text) = self.regressed(hello) {
            let end = self.appends.next().0;
            return self.refuse(&route, Dialect::Native, Code::LogRegressed, end, text);
        }
        let known = self.members.by_name(hello.name.as_bytes());
        if let Some((code, text)) = known.and_then(|id| self.barred(id)) {
            return self.refuse(&route, Dialect::Native, code, 0, text);
        }
        if known.is_some_and(|id| self.is_out_of_date(id, &route)) {
            let text = "a newer connection has this name";
            return self.refuse(&route, Dialect::Native, Code::Superseded, 0, text);
        }
        let start = self.start(hello.start);
        let id = match known {
            Some(id) => id,
            None => match self.join(now, hello.name.clone(), Dialect::Native, start, &route) {
                Some(id) => id,
                None => return,
            },
        };
        if known.is_some() {
            self.come_back(id, hello.start, &route, Dialect::Native);
            self.mark_to_save(now, id);
        }
        let session = self.members.get_mut(id);
        session.dialect = Dialect::Native;
        session.delimited = packet.delimited;
        session.receives = hello.receive;
        session.heard = now;
        let welcome = Welcome {
            resumed: known.is_some(),
            epoch: self.appends.epoch(),
            log_id: self.appends.log_id(),
            begin: session.next,
            end: self.appends.next(),
            last_sequence: session.publisher.last(),
            publish_window: self.limits.publish_window,
            largest_message: u32::try_from(self.limits.message_bytes).unwrap_or(u32::MAX),
        };
        self.attach(now, id, route.clone());
        self.outbox.reply(&route, welcome.encode());
    }

    /// Whether a connection is older than the one that its session has now. What it says was
    /// said before the other was made, by a program that has ended, or has to hear that another
    /// has taken its place: were it let in, messages that nobody waits for would be ordered under
    /// client sequences that the newer one uses.
    fn is_out_of_date(&self, id: SessionId, route: &Route) -> bool {
        let current = self.members.get(id).route.as_ref();
        current.is_some_and(|current| route.is_older_than(current))
    }

    /// Whether a peer remembers another log than this one, or more of it than there is: going
    /// on would mix two histories.
    fn regressed(&self, hello: &Hello) -> Option<&'static str> {
        let other_log = hello.log_id != LogId(0) && hello.log_id != self.appends.log_id();
        let beyond = match hello.start {
            Start::Resume(order) => order > self.appends.next(),
            _ => false,
        };
        match (other_log, beyond) {
            (true, _) => Some("the broker has another log than before"),
            (_, true) => Some("the broker's log ends before what you already have"),
            _ => None,
        }
    }

    /// The first number of a new member's deliveries; `None`: whatever comes after its join.
    fn start(&self, start: Start) -> Option<OrderNumber> {
        let end = self.appends.next();
        match start {
            Start::Now => None,
            Start::Beginning => Some(self.oldest),
            // If that is no longer kept, it is told so when it is fed.
            Start::At(order) | Start::Resume(order) => Some(order.min(end)),
            Start::Last(count) => Some(OrderNumber(end.0.saturating_sub(count)).max(self.oldest)),
        }
    }

    /// Why nobody can come back to a session, if that is so.
    fn barred(&self, id: SessionId) -> Option<(Code, &'static str)> {
        let session = self.members.get(id);
        match session.life {
            Life::Leaving => Some((Code::NoSpace, DISK_FULL)),
            _ if session.transient => Some((Code::NotAllowed, "this name is a connection's")),
            _ => None,
        }
    }

    /// A known member speaks over a connection that is new, or says hello again: it is sent what
    /// comes after where it says, or after its last ACK.
    fn come_back(&mut self, id: SessionId, start: Start, route: &Route, dialect: Dialect) {
        let session = self.members.get_mut(id);
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
            self.outbox.reply(&before, refusal.encode());
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
    ) -> Option<(SessionId, bool)> {
        let route = packet.route();
        let name = if route.is_generated() {
            Ok(self.guests.next())
        } else {
            Name::new(packet.id)
        };
        let Ok(name) = name else {
            let reason = DecodeError::BadName;
            self.counters.refused(reason.name());
            self.events.push(Event::Undecodable(None, reason));
            return None;
        };
        if let Some(id) = self.members.by_name(name.as_bytes()) {
            if let Some((code, text)) = self.barred(id) {
                self.refuse(&route, dialect, code, 0, text);
                return None;
            }
            self.come_back(id, Start::Now, &route, dialect);
            self.attach(now, id, route);
            return Some((id, false));
        }
        let id = self.join(now, name, dialect, start, &route)?;
        self.attach(now, id, route);
        Some((id, true))
    }

    /// Makes a member, and tells everybody in the order.
    pub(super) fn join(
        &mut self,
        now: Now,
        name: Name,
        dialect: Dialect,
        start: Option<OrderNumber>,
        route: &Route,
    ) -> Option<SessionId> {
        let longest = self.limits.name_bytes;
        if name.as_bytes().len() > longest {
            let text = "the name is longer than the broker takes";
            self.refuse(route, dialect, Code::LimitReached, longest as u64, text);
            return None;
        }
        if self.members.len() >= self.limits.members {
            let limit = self.limits.members as u64;
            let text = "the broker has as many members as it takes";
            self.refuse(route, dialect, Code::LimitReached, limit, text);
            return None;
        }
        let next = self.appends.next();
        let start = start.unwrap_or(next.plus(1));
        let mut session = Session::new(name.clone(), dialect, start, now);
        session.delimited = route.delimited;
        if !self.fits(cost_of_notice(&session, JOINED)) {
            self.refuse(route, dialect, Code::NoSpace, 0, DISK_FULL);
            return None;
        }
        self.notice(now, &name, JOINED);
        session.transient = match dialect {
            Dialect::Raw => true,
            Dialect::Binary | Dialect::Json => route.is_generated(),
            Dialect::Native => false,
        };
        // A name from before a crash of a peer that cannot come back is worth no entry.
        if !session.transient {
            self.appends.changed(session.entry(false));
        }
        self.events.push(Event::Joined(name, dialect));
        self.counters.joined += 1;
        Some(self.members.insert(session))
    }

    /// Takes a session back that the log knows. A peer of a fixed dialect may be connected
    /// under its name already, and wait: it is tried.
    pub(super) fn recover(&mut self, session: Session) {
        let waits = session.dialect != Dialect::Native;
        let (name, delimited) = (session.name.clone(), session.delimited);
        let id = self.members.insert(session);
        if waits {
            let route = Route {
                transport: Transport::Zmq,
                id: name.as_bytes().into(),
                delimited,
                connection: 0,
            };
            self.members.bind(id, route);
            self.mark_to_serve(id);
        }
        self.mark_to_show(id);
        self.watch(id);
    }

    /// Binds a session to the connection it now speaks over.
    pub(super) fn attach(&mut self, now: Now, id: SessionId, route: Route) {
        if let Some(other) = self.members.by_route(route.transport, &route.id)
            && other != id
        {
            self.set_away(now, other);
        }
        self.members.bind(id, route);
        self.members.get_mut(id).life = Life::Here;
        self.mark_to_serve(id);
        self.watch(id);
    }

    /// Takes a member's connection from it; its session stays.
    pub(super) fn set_away(&mut self, now: Now, id: SessionId) {
        let session = self.members.get_mut(id);
        if session.transient {
            return self.leave(now, id);
        }
        if session.is_present() {
            session.life = Life::Away { since: now.time };
            self.events.push(Event::Away(session.name.clone()));
        }
        self.unbind(id);
        self.mark_to_save(now, id);
        self.watch(id);
    }

    fn unbind(&mut self, id: SessionId) {
        let session = self.members.get_mut(id);
        session.rewind(session.floor);
        self.members.unbind(id);
        self.mark_to_show(id);
    }

    /// Whether there is room to say that a member has left.
    pub(super) fn can_leave(&self, id: SessionId) -> bool {
        self.fits(cost_of_notice(self.members.get(id), LEFT))
    }

    /// Ends a session, and tells everybody in the order; as soon as there is room for that.
    pub(super) fn leave(&mut self, now: Now, id: SessionId) {
        if !self.can_leave(id) {
            self.members.get_mut(id).life = Life::Leaving;
            self.unbind(id);
            return self.to_leave.push(id);
        }
        self.mark_to_show(id);
        let session = self.members.remove(id);
        if !session.transient
            && let Some(chunk) = self.appends.left(session.entry(false))
        {
            self.backlog.push(chunk);
        }
        self.notice(now, &session.name, LEFT);
        self.events.push(Event::Left(session.name));
        self.counters.left += 1;
    }

    /// Ends the sessions that there was no room for.
    pub(super) fn leave_late(&mut self, now: Now) {
        for id in std::mem::take(&mut self.to_leave) {
            // The id may have gone to somebody else.
            let session = self.members.find_mut(id);
            if session.is_some_and(|session| session.life == Life::Leaving) {
                self.leave(now, id);
            }
        }
    }

    /// Looks after a member that has been silent: asks, takes for away, or ends its session.
    pub(super) fn look_after_silent(&mut self, now: Now, id: SessionId) {
        let session = self.members.get_mut(id);
        if let Life::Away { since } = session.life {
            let timeout = self.limits.session_timeout;
            if timeout.is_some_and(|after| since + after <= now.time) {
                self.leave(now, id);
            }
            return;
        }
        let silence = now.time.since(session.heard.time);
        match session.route.clone() {
            Some(_) if session.dialect != Dialect::Native => {}
            Some(_) if silence >= self.limits.away_after => self.set_away(now, id),
            Some(route) if silence >= self.limits.ping_after && session.life == Life::Here => {
                session.life = Life::Asked;
                self.outbox.reply(&route, native::ping());
            }
            _ => {}
        }
    }

    /// Orders a notice of the broker's own.
    fn notice(&mut self, now: Now, name: &Name, what: &str) {
        let text = [name.as_bytes(), what.as_bytes()].concat();
        self.appends.message(Record {
            order: OrderNumber(0),
            client_sequence: ClientSequence::NONE,
            time: now.wall,
            flags: Flags::NOTICE,
            sender: Name::server().as_bytes(),
            payload: &text,
        });
    }
}

/// Bytes in the log of a notice about a session, and of its entry before it.
fn cost_of_notice(session: &Session, what: &str) -> usize {
    let text = session.name.as_bytes().len() + what.len();
    Appends::cost_of_message(&Name::server(), text)
        + Appends::cost_of_entries(&[session.entry(false)])
}
