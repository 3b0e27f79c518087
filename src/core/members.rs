//! The table of sessions: by name, by connection, and those that are served.

use std::collections::HashMap;
use std::sync::Arc;

use super::session::Session;
use super::{Mutant, Route, Transport};
use crate::wire::{Name, PublicKey};

/// A session's place in the table. Reused once its session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub usize);

/// All sessions. Invariant: a route is bound to at most one session, a name belongs to one.
#[derive(Debug, Default)]
pub(super) struct Members {
    slots: Vec<Option<Session>>,
    free: Vec<usize>,
    by_name: HashMap<Name, SessionId>,
    by_zmq: HashMap<Arc<[u8]>, SessionId>,
    by_tcp: HashMap<Arc<[u8]>, SessionId>,
    /// How many sessions each key has.
    by_key: HashMap<PublicKey, usize>,
    /// Those with a route, in no particular order.
    bound: Vec<SessionId>,
}

impl Members {
    /// How many there are, present or away.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The session of a name.
    pub(super) fn by_name(&self, name: &[u8]) -> Option<SessionId> {
        self.by_name.get(name).copied()
    }

    /// The session that a connection is bound to.
    pub(super) fn by_route(&self, transport: Transport, id: &[u8]) -> Option<SessionId> {
        match transport {
            Transport::Zmq => self.by_zmq.get(id).copied(),
            Transport::Tcp => self.by_tcp.get(id).copied(),
        }
    }

    /// A session that exists.
    ///
    /// # Panics
    /// If it has ended: ids do not outlive their sessions.
    pub(super) fn get(&self, id: SessionId) -> &Session {
        self.slots[id.0]
            .as_ref()
            .expect("the session has not ended")
    }

    /// A session that exists, to change.
    ///
    /// # Panics
    /// If it has ended: ids do not outlive their sessions.
    pub(super) fn get_mut(&mut self, id: SessionId) -> &mut Session {
        self.slots[id.0]
            .as_mut()
            .expect("the session has not ended")
    }

    /// A session, unless it has ended.
    pub(super) fn find(&self, id: SessionId) -> Option<&Session> {
        self.slots.get(id.0)?.as_ref()
    }

    /// A session, unless it has ended, to change.
    pub(super) fn find_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.slots.get_mut(id.0)?.as_mut()
    }

    /// Adds a session whose name is not taken and that is bound to no connection yet.
    pub(super) fn insert(&mut self, session: Session) -> SessionId {
        let id = SessionId(self.free.pop().unwrap_or(self.slots.len()));
        let before = self.by_name.insert(session.name.clone(), id);
        assert!(before.is_none(), "a name belongs to one session");
        if id.0 == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[id.0] = Some(session);
        id
    }

    /// How many sessions a key has.
    pub(super) fn names_of(&self, key: &PublicKey) -> usize {
        self.by_key.get(key).copied().unwrap_or(0)
    }

    /// Gives a session to a key.
    pub(super) fn give(&mut self, id: SessionId, key: Option<PublicKey>) {
        let before = std::mem::replace(&mut self.get_mut(id).key, key);
        if before == key {
            return;
        }
        if let Some(key) = key {
            *self.by_key.entry(key).or_default() += 1;
        }
        if let Some(before) = before
            && let Some(count) = self.by_key.get_mut(&before)
        {
            *count -= 1;
            if *count == 0 {
                self.by_key.remove(&before);
            }
        }
    }

    /// Takes a session out.
    pub(super) fn remove(&mut self, id: SessionId) -> Session {
        self.unbind(id);
        self.give(id, None);
        let session = self.slots[id.0].take().expect("the session has not ended");
        self.by_name.remove(&session.name);
        self.free.push(id.0);
        session
    }

    /// Binds a session to a connection, which must be bound to no other.
    pub(super) fn bind(&mut self, id: SessionId, route: Route) {
        self.unbind(id);
        let before = self.map(route.transport).insert(Arc::clone(&route.id), id);
        let is_free = before.is_none() || Mutant::HearTheSuperseded.lives();
        assert!(is_free, "a connection serves one session");
        self.get_mut(id).route = Some(route);
        self.bound.push(id);
    }

    /// Takes a session's connection from it, if it has one.
    pub(super) fn unbind(&mut self, id: SessionId) -> Option<Route> {
        let route = self.get_mut(id).route.take()?;
        if !Mutant::HearTheSuperseded.lives() {
            self.map(route.transport).remove(&route.id);
        }
        self.bound.retain(|&bound| bound != id);
        Some(route)
    }

    /// The sessions that are bound to a connection.
    pub(super) fn bound(&self) -> &[SessionId] {
        &self.bound
    }

    /// All sessions.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        let in_use =
            |(at, slot): (usize, &'_ Option<Session>)| slot.as_ref().map(|_| SessionId(at));
        self.slots
            .iter()
            .enumerate()
            .filter_map(in_use)
            .map(|id| (id, self.get(id)))
    }

    fn map(&mut self, transport: Transport) -> &mut HashMap<Arc<[u8]>, SessionId> {
        match transport {
            Transport::Zmq => &mut self.by_zmq,
            Transport::Tcp => &mut self.by_tcp,
        }
    }
}
