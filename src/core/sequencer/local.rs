//! Sessions of this broker alone, of which the order knows nothing: connections over plain TCP
//! that have said nothing yet, and observers. They are served like members; no notice tells of
//! them, no snapshot holds them, and no status counts them.
//!
//! Whoever probes a port connects and goes. Were each probe a member, health checks would order
//! two notices each, for ever. So a connection over plain TCP becomes a member with its first
//! bytes, or once it has stayed.

use std::time::Duration;

use super::commits::About;
use super::draining::CLOSING;
use super::heard::Heard;
use super::session::Session;
use super::sessions::Sessions;
use super::sitting::Held;
use super::unannounced::Unannounced;
use super::{Packet, Route, Sequencer, Transport, rejection};
use crate::core::Now;
use crate::core::order::{MemberId, Position, Rejection, Sit};
use crate::wire::native::{Goodbye, Hello, Start};
use crate::wire::reply::Code;
use crate::wire::{Dialect, Name, OrderNumber};

/// How long a connection over plain TCP may stay without a byte before it is a member.
const ANNOUNCED_AFTER: Duration = Duration::from_secs(3);

impl Sequencer {
    /// A peer has connected over plain TCP. It is served from now on.
    pub(super) fn connected(&mut self, now: Now, id: &[u8], name: &str) {
        let route = Route {
            transport: Transport::Tcp,
            id: id.into(),
            delimited: false,
            connection: 0,
        };
        let Ok(name) = Name::new(name.as_bytes()) else {
            return self.closes.push(route);
        };
        if let Some(why) = self.takes_no_more() {
            self.refuse(&route, Dialect::Raw, why);
            return self.closes.push(route);
        }
        if let Some(holder) = self.order.by_name(name.as_bytes()) {
            let session = self.sessions.get(holder);
            let same_socket = |route: &Route| route.transport == Transport::Tcp;
            if session.transient && session.route.as_ref().is_some_and(same_socket) {
                // The same host and port: the old connection's end is still on its way to us.
                self.leave(now, holder);
            }
        }
        let begin = self.order.next();
        let id = self.admit(now, name, begin, &route, Dialect::Raw);
        let until = now.time + ANNOUNCED_AFTER;
        self.sessions.get_mut(id).unannounced = Some(Unannounced { until, begin });
        self.watch(id);
    }

    /// Makes a member of a connection over plain TCP, unless none can be made: then it is closed.
    pub(super) fn announce(&mut self, now: Now, id: MemberId) -> Option<MemberId> {
        let session = self.sessions.get_mut(id);
        let mut name = session.name.clone();
        let floor = session.floor;
        let route = session.route.clone()?;
        if let Some(unannounced) = &mut session.unannounced {
            unannounced.until = now.time + ANNOUNCED_AFTER; // if it comes to nothing, once more
        }
        if self.order.by_name(name.as_bytes()).is_some() {
            // The peer that calls itself like that keeps its session.
            name = self.draw_guest();
        }
        if self.sit_plain(now, &route, &name, floor) {
            return self.sessions.by_route(route.transport, &route.id);
        }
        if self.sits_down(route.transport, &route.id).is_none() {
            self.leave(now, id);
            self.closes.push(route);
        }
        None
    }

    /// Asks for a name on behalf of a connection over plain TCP, see [`sit`](Self::sit).
    pub(super) fn sit_plain(
        &mut self,
        now: Now,
        route: &Route,
        name: &Name,
        floor: OrderNumber,
    ) -> bool {
        let sit = |seat| Sit {
            seat,
            name,
            dialect: Dialect::Raw,
            delimited: false,
            start: Some(floor),
            transient: true,
            life: 0,
            attempt: 0,
            key: None,
            owned: false,
        };
        self.sit(now, route, Start::Now, true, sit)
    }

    /// A connection over plain TCP is gone.
    pub(super) fn disconnected(&mut self, now: Now, id: &[u8]) {
        if let Some(at) = self.sits_down(Transport::Tcp, id) {
            self.hold(at, Held::End);
        } else if let Some(member) = self.sessions.by_route(Transport::Tcp, id) {
            self.sessions.drop_queue(member);
            self.leave(now, member);
        }
    }

    /// Makes a member of a connection that has stayed long enough.
    pub(super) fn announce_if_due(&mut self, now: Now, id: MemberId) {
        let session = self.sessions.find(id);
        let unannounced = session.and_then(|session| session.unannounced);
        let Some(unannounced) = unannounced.filter(|unannounced| unannounced.until <= now.time)
        else {
            return;
        };
        let route = self.sessions.get(id).route.as_ref();
        let sits = route.is_some_and(|route| self.sits_down(Transport::Tcp, &route.id).is_some());
        if sits {
            let until = now.time + ANNOUNCED_AFTER;
            self.sessions.get_mut(id).unannounced = Some(Unannounced {
                until,
                ..unannounced
            });
        } else {
            self.announce(now, id);
        }
    }

    /// The session that a connection had before it became a member, if it had one.
    pub(super) fn unannounced(&self, route: &Route) -> Option<MemberId> {
        let id = self.sessions.by_route(route.transport, &route.id)?;
        self.sessions.get(id).unannounced.map(|_| id)
    }

    /// A connection's session goes on as that of a member, whose joining was just ordered.
    pub(super) fn become_member(&mut self, local: MemberId, id: MemberId) {
        let member = self.order.member(id).expect("it has just joined");
        let name = member.name().clone();
        self.sessions.make_member(local, id);
        let session = self.sessions.get_mut(id);
        session.name = name;
        let notice = OrderNumber(self.order.next().0 - 1);
        if let Some(Unannounced { begin, .. }) = session.unannounced.take()
            && begin == notice
        {
            // It was sent nothing yet: its deliveries begin behind its joining, as always. If it
            // was, there must be no gap for it.
            session.rewind(notice.plus(1));
        }
        self.mark_to_serve(id);
        self.watch(id);
    }

    /// A native peer wants to read, and nothing else.
    pub(super) fn observe(&mut self, now: Now, heard: &Heard<'_>, hello: &Hello) {
        let route = heard.packet.route();
        if let Some(why) = self.takes_no_more() {
            return self.refuse(&route, Dialect::Native, why);
        }
        if let Some(before) = heard.speaker {
            self.forget_confirmations(before, &route);
        }
        let begin = self.start(hello.start).unwrap_or(self.order.next());
        let id = self.admit(now, hello.name.clone(), begin, &route, Dialect::Native);
        self.sessions.get_mut(id).served_after = self.commits.latest(self.order.has_pending());
        self.welcome(id, false, &route);
    }

    /// An observer goes: nothing of it is kept.
    pub(super) fn observer_goes(&mut self, now: Now, id: MemberId, packet: &Packet<'_>) {
        self.leave(now, id);
        self.answer(&packet.route(), Goodbye::Leave.encode(), About::Other);
    }

    fn admit(
        &mut self,
        now: Now,
        name: Name,
        floor: OrderNumber,
        route: &Route,
        dialect: Dialect,
    ) -> MemberId {
        let position = Position {
            dialect,
            delimited: route.delimited,
            floor,
            heard: now.wall,
            away: false,
        };
        let id = self
            .sessions
            .insert_local(Session::local(name, position, now));
        self.attach(now, id, route.clone());
        id
    }

    /// Why there can be no further session, if that is so: they count like members.
    fn takes_no_more(&self) -> Option<Rejection> {
        let most = self.limits.members;
        if self.is_draining() {
            return Some(rejection(Code::Closing, 0, CLOSING));
        }
        let text = "the broker has as many members as it takes";
        let count = self.order.len() + self.sessions.locals();
        (count >= most).then_some(rejection(Code::LimitReached, most as u64, text))
    }

    /// Whether a session is of this broker alone.
    pub(super) fn is_local(id: MemberId) -> bool {
        Sessions::is_local(id)
    }
}
