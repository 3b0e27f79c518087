//! Who is let in: with keys, nobody is heard whose key does not allow what is said, and nothing
//! is sent to a connection that has not spoken with the right key.
//!
//! What a peer says of itself counts for nothing here: the key is the one it has proved to have.

use std::time::Duration;

use super::Sequencer;
use crate::core::authority::{Authority, Grants};
use crate::core::members::SessionId;
use crate::core::{Mutant, Now, Packet, Proof, Route, Transport};
use crate::wire::reply::Code;
use crate::wire::{ClientMessage, Dialect, Name, dialect_of};

/// A connection is closed so long after the refusal that says why, which is on its way.
const FAREWELL: Duration = Duration::from_millis(100);

/// Why somebody is not let in.
pub(super) struct Denial {
    code: Code,
    detail: u64,
    text: &'static str,
    /// Whether the connection is worth nothing from now on.
    closes: bool,
}

const UNKNOWN_KEY: Denial = Denial {
    code: Code::NotAllowed,
    detail: 0,
    text: "this key is not on the broker's list",
    closes: true,
};
const NAME_OF_OTHERS: Denial = Denial {
    code: Code::NotAllowed,
    detail: 0,
    text: "this key may not use this name",
    closes: true,
};
const MAY_NOT_PUBLISH: Denial = Denial {
    code: Code::NotAllowed,
    detail: 0,
    text: "this key may not publish",
    closes: false,
};

impl Sequencer {
    /// Lets nobody in without one of these keys, from the start on: to be called before anything
    /// else. Members of the fixed dialects wait until they speak, as their routing ids prove
    /// nothing.
    #[must_use]
    pub fn guarded_by(mut self, grants: Grants) -> Self {
        self.authority = Authority::Keys(grants);
        for id in self.members.bound().to_vec() {
            self.members.unbind(id);
            self.mark_to_show(id);
        }
        self
    }

    /// Whether keys decide who is served.
    pub(super) fn is_guarded(&self) -> bool {
        matches!(self.authority, Authority::Keys(_))
    }

    /// Why a packet, and the message in it if it is one, is not to be heard.
    pub(super) fn denies(
        &mut self,
        now: Now,
        packet: &Packet<'_>,
        message: Option<&ClientMessage<'_>>,
    ) -> Option<Denial> {
        let Authority::Keys(grants) = &self.authority else {
            return None;
        };
        let Some(proof) = packet.proof else {
            return Some(UNKNOWN_KEY);
        };
        let Some(grant) = grants.get(&proof.key) else {
            return Some(UNKNOWN_KEY);
        };
        if !grant.may.publish
            && let Some(ClientMessage::Publish(_) | ClientMessage::Text(_)) = message
        {
            return Some(MAY_NOT_PUBLISH);
        }
        let is_careless = match message {
            Some(ClientMessage::Ack(_)) => Mutant::AckWithAnyKey.lives(),
            Some(ClientMessage::Text(_)) => Mutant::PublishWithAnyKey.lives(),
            _ => false,
        };
        if is_careless {
            return None;
        }
        let claimed = match message {
            Some(ClientMessage::Hello(hello)) => Some(hello.name.clone()),
            _ => self.claimed_by_routing_id(packet, proof),
        };
        let denial = match claimed {
            Some(name) => self.denies_name(grants, &proof, &name),
            None if !self.is_guest(packet) => None,
            None if grant.names.is_empty() => self.denies_another_name(&proof),
            None => Some(NAME_OF_OTHERS),
        };
        if denial.is_none() {
            self.end_other_connection(now, packet, proof);
        }
        denial
    }

    /// The name that a packet of a fixed dialect asks for, unless its connection has it already.
    fn claimed_by_routing_id(&self, packet: &Packet<'_>, proof: Proof) -> Option<Name> {
        if dialect_of(packet.body) == Some(Dialect::Native) || packet.is_generated() {
            return None;
        }
        match self.members.by_route(Transport::Zmq, packet.id) {
            Some(id) if self.speaks_for(proof, id) => None,
            _ => Name::new(packet.id).ok(),
        }
    }

    /// Whether a connection is the one that a session is bound to.
    fn speaks_for(&self, proof: Proof, id: SessionId) -> bool {
        let session = self.members.get(id);
        let number = session.route.as_ref().map(|route| route.connection);
        number == Some(proof.connection) && session.key == Some(proof.key)
    }

    /// Whether a packet would make somebody a member under a random name.
    fn is_guest(&self, packet: &Packet<'_>) -> bool {
        let fixed = dialect_of(packet.body) != Some(Dialect::Native);
        let known = self.members.by_route(Transport::Zmq, packet.id);
        fixed && known.is_none() && packet.is_generated()
    }

    fn denies_name(&self, grants: &Grants, proof: &Proof, name: &Name) -> Option<Denial> {
        let known = self.members.by_name(name.as_bytes());
        let holder = known.and_then(|id| self.members.get(id).key);
        if !grants.allows(&proof.key, name, holder.as_ref()) {
            return Some(NAME_OF_OTHERS);
        }
        if holder == Some(proof.key) {
            return None;
        }
        self.denies_another_name(proof)
    }

    fn denies_another_name(&self, proof: &Proof) -> Option<Denial> {
        let most = self.limits.names_per_key;
        (self.members.names_of(&proof.key) >= most).then_some(Denial {
            code: Code::LimitReached,
            detail: most as u64,
            text: "this key has as many names as it can have",
            closes: false,
        })
    }

    /// A routing id says nothing of who is behind it now: what it was bound to before ends.
    fn end_other_connection(&mut self, now: Now, packet: &Packet<'_>, proof: Proof) {
        if let Some(id) = self.members.by_route(Transport::Zmq, packet.id)
            && !self.speaks_for(proof, id)
        {
            self.set_away(now, id);
        }
    }

    /// Binds the session that a packet speaks for to the key that it was spoken with.
    pub(super) fn bind_to_key(&mut self, packet: &Packet<'_>) {
        let (Authority::Keys(grants), Some(proof)) = (&self.authority, packet.proof) else {
            return;
        };
        if let Some(id) = self.members.by_route(Transport::Zmq, packet.id) {
            let receives = grants
                .get(&proof.key)
                .is_some_and(|grant| grant.may.receive);
            self.members.give(id, Some(proof.key));
            self.members.get_mut(id).receives &= receives;
        }
    }

    /// Tells somebody who is not let in, as far as its dialect can say it.
    pub(super) fn deny(&mut self, now: Now, packet: &Packet<'_>, denial: &Denial) {
        let route = packet.route();
        let dialect = dialect_of(packet.body).unwrap_or(Dialect::Binary);
        // Said once to a connection that is about to end: nobody gets more than he sends.
        if self.is_closing(&route) {
            return self.counters.refused(denial.code.name());
        }
        self.refuse(&route, dialect, denial.code, denial.detail, denial.text);
        if denial.closes {
            self.close_after_refusal(now, route);
        }
    }

    /// Keys have changed: whoever may no longer be what it is loses its connection.
    pub(super) fn regrant(&mut self, now: Now, grants: Grants) {
        for id in self.members.bound().to_vec() {
            let session = self.members.get(id);
            let (Some(route), Some(key)) = (session.route.clone(), session.key) else {
                continue;
            };
            let (dialect, receives) = (session.dialect, session.receives);
            let may_receive = grants.get(&key).is_some_and(|grant| grant.may.receive);
            if grants.allows(&key, &session.name, Some(&key)) && (may_receive || !receives) {
                continue;
            }
            let text = "this key may no longer do this";
            self.refuse(&route, dialect, Code::NotAllowed, 0, text);
            self.set_away(now, id);
            self.close_after_refusal(now, route);
        }
        self.authority = Authority::Keys(grants);
    }

    fn is_closing(&self, route: &Route) -> bool {
        let same = |(_, closing): &(_, Route)| closing.is_same_connection(route);
        self.closing.iter().any(same)
    }

    fn close_after_refusal(&mut self, now: Now, route: Route) {
        self.closing.push_back((now.time + FAREWELL, route));
    }

    /// Closes the connections that have had the time to hear why.
    pub(super) fn close_refused(&mut self, now: Now) {
        while let Some((at, _)) = self.closing.front()
            && *at <= now.time
        {
            let due = self.closing.pop_front();
            self.closes.extend(due.map(|(_, route)| route));
        }
    }
}
