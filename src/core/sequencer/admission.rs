//! Who is let in: with keys, nobody is heard whose key does not allow what is said, and nothing
//! is sent to a connection that has not spoken with the right key.
//!
//! What a peer says of itself counts for nothing here: the key is the one it has proved to have.

use std::collections::BTreeSet;
use std::time::Duration;

use super::authority::{Authority, Grants};
use super::closing::Closing;
use super::heard::Heard;
use super::sitting::Sitting;
use super::timers::Timer;
use super::{Proof, Route, Sequencer, Transport, rejection};
use crate::core::order::{Command, Member, MemberId, Rejection};
use crate::core::{Mutant, Now, Time};
use crate::wire::reply::Code;
use crate::wire::{ClientMessage, Dialect, Name, PublicKey};

/// A connection is closed so long after the refusal that says why, which is on its way.
const FAREWELL: Duration = Duration::from_millis(100);

/// Why a peer is not let in.
pub(super) struct Denial {
    why: Rejection,
    /// Whether the connection is worth nothing from now on.
    closes: bool,
}

const UNKNOWN_KEY: Denial = Denial {
    why: rejection(Code::NotAllowed, 0, "this key is not on the broker's list"),
    closes: true,
};
const NAME_OF_OTHERS: Denial = Denial {
    why: rejection(Code::NotAllowed, 0, "this key may not use this name"),
    closes: true,
};
const MAY_NOT_RECEIVE: Denial = Denial {
    why: rejection(Code::NotAllowed, 0, "this key may not receive"),
    closes: false,
};
const MAY_NOT_PUBLISH: Denial = Denial {
    why: rejection(Code::NotAllowed, 0, "this key may not publish"),
    closes: false,
};

impl Sequencer {
    /// Lets nobody in without one of these keys, from the start on: to be called before anything
    /// else. Members of the fixed dialects wait until they speak, as their routing ids prove
    /// nothing.
    #[must_use]
    pub fn guarded_by(mut self, grants: Grants) -> Self {
        self.authority = Authority::Keys(grants);
        for id in self.sessions.bound().to_vec() {
            self.sessions.unbind(Time::default(), id);
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
        &self,
        heard: &Heard<'_>,
        message: Option<&ClientMessage<'_>>,
    ) -> Option<Denial> {
        let Authority::Keys(grants) = &self.authority else {
            return None;
        };
        let Some(proof) = heard.packet.proof else {
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
            // It takes no name.
            Some(ClientMessage::Hello(hello)) if hello.observe => {
                return (!grant.may.receive).then_some(MAY_NOT_RECEIVE);
            }
            Some(ClientMessage::Hello(hello)) => Some(hello.name.clone()),
            _ => self.claimed_by_routing_id(heard, proof),
        };
        match claimed {
            Some(name) => self.denies_name(grants, &proof, &name),
            None if !is_guest(heard) => None,
            None if grant.names.is_empty() => self.denies_another_name(&proof, None),
            None => Some(NAME_OF_OTHERS),
        }
    }

    /// The name that a packet of a fixed dialect asks for, unless its connection has it already.
    fn claimed_by_routing_id(&self, heard: &Heard<'_>, proof: Proof) -> Option<Name> {
        if heard.dialect == Some(Dialect::Native) || heard.packet.is_generated() {
            return None;
        }
        match heard.speaker {
            Some(id) if self.speaks_for(proof, id) => None,
            _ => Name::new(heard.packet.id).ok(),
        }
    }

    /// The key that a peer has proved to have, and whether the list gives it the name.
    pub(super) fn proven(&self, proof: Option<Proof>, name: &Name) -> (Option<PublicKey>, bool) {
        let (Authority::Keys(grants), Some(proof)) = (&self.authority, proof) else {
            return (None, false);
        };
        let known = self.order.by_name(name.as_bytes());
        let holder = known.and_then(|id| self.order.member(id)?.key());
        let listed = (grants.get(&proof.key)).is_some_and(|grant| grant.names.contains(name));
        let is_free = holder.is_some_and(|holder| grants.get(&holder).is_none());
        (Some(proof.key), listed || is_free)
    }

    /// Whether a connection is the one that a session is bound to.
    fn speaks_for(&self, proof: Proof, id: MemberId) -> bool {
        let route = self.sessions.get(id).route.as_ref();
        let number = route.map(|route| route.connection);
        number == Some(proof.connection) && self.key(id) == Some(proof.key)
    }

    /// The key that a session was last spoken for with.
    fn key(&self, id: MemberId) -> Option<PublicKey> {
        let session = self.sessions.get(id);
        session.key.or(self.order.member(id).and_then(Member::key))
    }

    fn denies_name(&self, grants: &Grants, proof: &Proof, name: &Name) -> Option<Denial> {
        let known = self.order.by_name(name.as_bytes());
        let holder = known.and_then(|id| self.order.member(id)?.key());
        if !grants.allows(&proof.key, name, holder.as_ref()) {
            return Some(NAME_OF_OTHERS);
        }
        if holder == Some(proof.key) {
            return None;
        }
        self.denies_another_name(proof, Some(name))
    }

    fn denies_another_name(&self, proof: &Proof, name: Option<&Name>) -> Option<Denial> {
        let most = self.limits.names_per_key;
        let text = "this key has as many names as it can have";
        let names = self.order.names_of(&proof.key) + self.names_asked(proof, name);
        (names >= most).then_some(Denial {
            why: rejection(Code::LimitReached, most as u64, text),
            closes: false,
        })
    }

    /// How many other names a key has asked for over other connections, and does not have yet.
    fn names_asked(&self, proof: &Proof, name: Option<&Name>) -> usize {
        let is_new = |asked: &Name| {
            let known = self.order.by_name(asked.as_bytes());
            known.and_then(|id| self.order.member(id)?.key()) != Some(proof.key)
        };
        let others = self.sitting.iter().filter(|sitting| {
            sitting.key == Some(proof.key) && sitting.route.connection != proof.connection
        });
        let names = others.map(|sitting| &sitting.name);
        let names: BTreeSet<_> = names
            .filter(|&asked| Some(asked) != name && is_new(asked))
            .map(Name::as_bytes)
            .collect();
        names.len()
    }

    /// With keys, a routing id says nothing of who is behind it now: what it was bound to before
    /// ends, unless the connection is the same.
    pub(super) fn end_other_connection(&mut self, now: Now, heard: &mut Heard<'_>) {
        if let (Some(id), Some(proof)) = (heard.speaker, heard.packet.proof)
            && self.is_guarded()
            && !self.speaks_for(proof, id)
        {
            self.set_away(now, id);
            heard.speaker = None;
        }
    }

    /// Binds the session that a packet speaks for to the key that it was spoken with.
    pub(super) fn bind_to_key(&mut self, now: Now, heard: &Heard<'_>) {
        let (Authority::Keys(grants), Some(proof)) = (&self.authority, heard.packet.proof) else {
            return;
        };
        let route = &heard.packet;
        let Some(member) = self.sessions.by_route(Transport::Zmq, route.id) else {
            return;
        };
        let grant = grants.get(&proof.key);
        let receives = grant.is_some_and(|grant| grant.may.receive);
        self.sessions.get_mut(member).receives &= receives;
        let key = proof.key;
        if Self::is_local(member) {
            self.sessions.get_mut(member).key = Some(key);
            return;
        }
        if self.order.member(member).and_then(Member::key) != Some(key) {
            self.decide(now, Command::Own { member, key });
        }
    }

    /// Why a peer does not get the seat that it has asked for. Among several brokers that was a
    /// while ago: the list may be another one by now.
    pub(super) fn denies_seat(&self, sitting: &Sitting) -> Option<Denial> {
        let Authority::Keys(grants) = &self.authority else {
            return None;
        };
        if sitting.route.transport == Transport::Tcp {
            return None; // there are no keys
        }
        let Some(key) = sitting.key.filter(|key| grants.get(key).is_some()) else {
            return Some(UNKNOWN_KEY);
        };
        let is_allowed = grants.allows(&key, &sitting.name, Some(&key));
        (!is_allowed).then_some(NAME_OF_OTHERS)
    }

    /// Whether a peer that has asked for a seat may be delivered anything.
    pub(super) fn may_receive(&self, sitting: &Sitting) -> bool {
        let Authority::Keys(grants) = &self.authority else {
            return true;
        };
        let grant = sitting.key.and_then(|key| grants.get(&key));
        sitting.route.transport == Transport::Tcp || grant.is_some_and(|grant| grant.may.receive)
    }

    pub(super) fn deny_seat(&mut self, now: Now, sitting: &Sitting, denial: &Denial) {
        let route = sitting.route.clone();
        self.refuse(&route, sitting.dialect, denial.why);
        self.close_after_refusal(now, route);
    }

    /// Tells a peer that is not let in, as far as its dialect can say it.
    pub(super) fn deny(&mut self, now: Now, heard: &Heard<'_>, denial: &Denial) {
        let route = heard.packet.route();
        let dialect = heard.dialect.unwrap_or(Dialect::Binary);
        // Said once to a connection that is about to end, so that a refused peer cannot be used
        // as an amplifier.
        if self.is_closing(&route) {
            return self.counters.refused(denial.why.code.name());
        }
        self.refuse(&route, dialect, denial.why);
        if denial.closes {
            self.close_after_refusal(now, route);
        }
    }

    /// The access list was reloaded: members that may no longer be what they are lose their
    /// connections.
    pub(super) fn regrant(&mut self, now: Now, grants: Grants) {
        for id in self.sessions.bound().to_vec() {
            let session = self.sessions.get(id);
            let key = self.key(id);
            let (Some(route), Some(key)) = (session.route.clone(), key) else {
                continue;
            };
            let (dialect, receives) = (session.dialect, session.receives);
            let may_receive = grants.get(&key).is_some_and(|grant| grant.may.receive);
            let may_use = Self::is_local(id) || grants.allows(&key, &session.name, Some(&key));
            if may_use && (may_receive || !receives) {
                continue;
            }
            let why = rejection(Code::NotAllowed, 0, "this key may no longer do this");
            self.refuse(&route, dialect, why);
            self.set_away(now, id);
            self.close_after_refusal(now, route);
        }
        self.authority = Authority::Keys(grants);
        let asked = std::mem::take(&mut self.sitting);
        for sitting in asked {
            let Some(denial) = self.denies_seat(&sitting) else {
                self.sitting.push(sitting);
                continue;
            };
            // If the seat comes, it is given back.
            self.forget_held(&sitting);
            self.deny_seat(now, &sitting, &denial);
        }
    }

    fn is_closing(&self, route: &Route) -> bool {
        let same = |closing: &Closing| closing.route.is_same_connection(route);
        self.closing.iter().any(same)
    }

    pub(super) fn close_after_refusal(&mut self, now: Now, route: Route) {
        let at = now.time + FAREWELL;
        let index = self.commits.latest(self.order.has_pending());
        self.closing.push_back(Closing { at, index, route });
        self.timers.set(Timer::Closing, at);
    }

    /// Closes the connections that have had the time to hear why.
    pub(super) fn close_refused(&mut self, now: Now) {
        let committed = self.commits.committed();
        while let Some(closing) = self.closing.front()
            && closing.at <= now.time
            && closing.index <= committed
        {
            let due = self.closing.pop_front();
            self.closes.extend(due.map(|closing| closing.route));
        }
        self.timers.clear(Timer::Closing);
        if let Some(closing) = self.closing.front() {
            // One that waits for the log is looked at again when that is as far.
            let again = now.time + FAREWELL;
            let at = if closing.at > now.time {
                closing.at
            } else {
                again
            };
            self.timers.set(Timer::Closing, at);
        }
    }
}

/// Whether a packet would make its peer a member under a random name.
fn is_guest(heard: &Heard<'_>) -> bool {
    let fixed = heard.dialect != Some(Dialect::Native);
    fixed && heard.speaker.is_none() && heard.packet.is_generated()
}
