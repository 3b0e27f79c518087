//! The sessions of this broker's members, and the connections that they are bound to.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::route::ConnectionKey;
use super::send_queue::SendQueue;
use super::session::{Marks, Session};
use super::{Limits, Route, Transport};
use crate::core::order::MemberId;
use crate::core::{Mutant, Time};

/// From here on are the places of sessions that the order does not know: it has no member there.
const LOCAL: usize = 1 << (usize::BITS - 1);

/// All sessions. Invariant: a connection serves at most one.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// By the member's place in the order.
    slots: Vec<Option<Session>>,
    /// Those that the order does not know, by their place from `LOCAL` on.
    locals: Vec<Option<Session>>,
    free_locals: Vec<usize>,
    /// How many have names that were drawn for one run.
    drawn: usize,
    by_zmq: HashMap<Arc<[u8]>, MemberId>,
    by_tcp: HashMap<Arc<[u8]>, MemberId>,
    /// Those with a route, in no particular order.
    bound: Vec<MemberId>,
    /// Queues of connections that serve no session now.
    parked: HashMap<ConnectionKey, SendQueue>,
    /// The same in the order in which they were parked.
    parkings: VecDeque<(Time, ConnectionKey)>,
}

impl Sessions {
    /// The session that a connection is bound to.
    pub(super) fn by_route(&self, transport: Transport, id: &[u8]) -> Option<MemberId> {
        match transport {
            Transport::Zmq => self.by_zmq.get(id).copied(),
            Transport::Tcp => self.by_tcp.get(id).copied(),
        }
    }

    /// A session that exists.
    ///
    /// # Panics
    /// If it has ended: ids do not outlive their sessions.
    pub(super) fn get(&self, id: MemberId) -> &Session {
        self.find(id).expect("the session has not ended")
    }

    /// A session that exists, to change.
    ///
    /// # Panics
    /// If it has ended: ids do not outlive their sessions.
    pub(super) fn get_mut(&mut self, id: MemberId) -> &mut Session {
        self.find_mut(id).expect("the session has not ended")
    }

    /// A session, unless it has ended.
    pub(super) fn find(&self, id: MemberId) -> Option<&Session> {
        match id.0.checked_sub(LOCAL) {
            Some(place) => self.locals.get(place)?.as_ref(),
            None => self.slots.get(id.0)?.as_ref(),
        }
    }

    /// A session, unless it has ended, to change.
    pub(super) fn find_mut(&mut self, id: MemberId) -> Option<&mut Session> {
        match id.0.checked_sub(LOCAL) {
            Some(place) => self.locals.get_mut(place)?.as_mut(),
            None => self.slots.get_mut(id.0)?.as_mut(),
        }
    }

    /// Whether the order does not know the session.
    pub(super) fn is_local(id: MemberId) -> bool {
        id.0 >= LOCAL
    }

    /// Whether members have names that were drawn for one run.
    pub(super) fn has_drawn(&self) -> bool {
        self.drawn > 0
    }

    /// How many sessions the order does not know.
    pub(super) fn locals(&self) -> usize {
        self.locals.len() - self.free_locals.len()
    }

    /// Adds a session that the order does not know.
    pub(super) fn insert_local(&mut self, session: Session) -> MemberId {
        let place = self.free_locals.pop().unwrap_or(self.locals.len());
        if place == self.locals.len() {
            self.locals.push(None);
        }
        self.locals[place] = Some(session);
        MemberId(LOCAL + place)
    }

    /// A session that the order did not know is that of a member from now on.
    pub(super) fn make_member(&mut self, local: MemberId, id: MemberId) {
        let mut session = self.take(local).expect("the session has not ended");
        // The lists have its old id, and perhaps the new one.
        session.marks = self
            .take(id)
            .map_or(Marks::default(), |before| before.marks);
        if let Some(route) = &session.route {
            let (transport, connection) = (route.transport, Arc::clone(&route.id));
            self.map(transport).insert(connection, id);
            self.bound[session.bound_at] = id;
        }
        self.insert(id, session);
    }

    fn take(&mut self, id: MemberId) -> Option<Session> {
        let Some(place) = id.0.checked_sub(LOCAL) else {
            let session = self.slots.get_mut(id.0)?.take()?;
            self.drawn -= usize::from(session.name.is_drawn());
            return Some(session);
        };
        let session = self.locals.get_mut(place)?.take()?;
        self.free_locals.push(place);
        Some(session)
    }

    /// Adds the session of a member, which has none yet.
    pub(super) fn insert(&mut self, id: MemberId, session: Session) {
        if self.slots.len() <= id.0 {
            self.slots.resize_with(id.0 + 1, || None);
        }
        self.drawn += usize::from(session.name.is_drawn());
        let before = self.slots[id.0].replace(session);
        assert!(before.is_none(), "a member has one session");
    }

    /// Takes a session out.
    pub(super) fn remove(&mut self, now: Time, id: MemberId) -> Option<Session> {
        self.unbind(now, id);
        self.take(id)
    }

    /// Binds a session to a connection, whose session until now is returned: it is bound to none.
    pub(super) fn bind(&mut self, now: Time, id: MemberId, route: Route) -> Option<MemberId> {
        let same = |bound: &Route| bound.is_same_connection(&route);
        if self.get(id).route.as_ref().is_some_and(same) {
            self.get_mut(id).route = Some(route);
            return None;
        }
        let before = self.by_route(route.transport, &route.id);
        if let Some(before) = before
            && !Mutant::HearTheSuperseded.lives()
        {
            self.unbind(now, before);
        }
        self.unbind(now, id);
        let mut queue = self.parked.remove(&route.key()).unwrap_or_default();
        queue.change_hands();
        self.map(route.transport).insert(Arc::clone(&route.id), id);
        let bound_at = self.bound.len();
        self.bound.push(id);
        let session = self.get_mut(id);
        session.queue = queue;
        session.route = Some(route);
        session.bound_at = bound_at;
        before
    }

    /// Takes a session's connection from it, if it has one.
    pub(super) fn unbind(&mut self, now: Time, id: MemberId) -> Option<Route> {
        let session = self.find_mut(id)?;
        let route = session.route.take()?;
        let queue = std::mem::take(&mut session.queue);
        let at = session.bound_at;
        if !Mutant::HearTheSuperseded.lives() {
            self.map(route.transport).remove(&route.id);
        }
        self.bound.swap_remove(at);
        if let Some(&moved) = self.bound.get(at) {
            self.get_mut(moved).bound_at = at;
        }
        if !queue.is_empty() {
            self.parkings.push_back((now, route.key()));
            self.parked.insert(route.key(), queue);
        }
        Some(route)
    }

    /// A connection is gone, and what was queued for it.
    pub(super) fn drop_queue(&mut self, id: MemberId) {
        self.get_mut(id).queue = SendQueue::default();
    }

    /// Forgets the queues of connections that must have ended, see [`SendQueue::expire`].
    pub(super) fn expire_queues(&mut self, now: Time, limits: &Limits) {
        while let Some((at, connection)) = self.parkings.front()
            && now.since(*at) >= limits.queue_lifetime
        {
            let queue = self.parked.get(connection);
            if queue.is_some_and(|queue| queue.is_expired(now, limits)) {
                self.parked.remove(connection);
            }
            self.parkings.pop_front();
        }
    }

    /// The sessions that are bound to a connection.
    pub(super) fn bound(&self) -> &[MemberId] {
        &self.bound
    }

    /// All sessions, also those that the order does not know.
    pub(super) fn all(&self) -> Vec<MemberId> {
        let bound = self.bound.iter().copied();
        let locals = bound.filter(|&id| Self::is_local(id));
        self.iter().map(|(id, _)| id).chain(locals).collect()
    }

    /// The sessions of members.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MemberId, &Session)> {
        let places = self.slots.iter().enumerate();
        places.filter_map(|(at, slot)| Some((MemberId(at), slot.as_ref()?)))
    }

    fn map(&mut self, transport: Transport) -> &mut HashMap<Arc<[u8]>, MemberId> {
        match transport {
            Transport::Zmq => &mut self.by_zmq,
            Transport::Tcp => &mut self.by_tcp,
        }
    }
}
