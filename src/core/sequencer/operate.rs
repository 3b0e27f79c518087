//! What an operator tells the broker to do: end a connection, end a session, go out of service.

use std::time::Duration;

use super::commits::About;
use super::draining::Draining;
use super::life::Life;
use super::timers::Timer;
use super::{Declined, Index, Instruction, Reply, Route, Sequencer, Transport, rejection};
use crate::core::order::{Command, MemberId, Rejection};
use crate::core::{Mutant, Now};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{Dialect, Name};

const REMOVED: &str = "an operator has ended this connection";
const ENDED: &str = "an operator has ended this session";
const GOES_DOWN: &str = "the broker goes down soon";

impl Sequencer {
    /// An operator wants something done.
    pub(super) fn instruct(&mut self, now: Now, ticket: u64, instruction: &Instruction) {
        let result = match instruction {
            Instruction::Kick(name) => self.kick(now, name),
            Instruction::End(name) => self.end(now, name),
            Instruction::Drain(patience) => {
                self.drain(now, *patience);
                Ok(())
            }
        };
        let index = match result {
            Ok(()) => self.commits.latest(self.order.has_pending()),
            Err(_) => Index::default(),
        };
        self.commits.reply(index, Reply { ticket, result });
    }

    fn kick(&mut self, now: Now, name: &Name) -> Result<(), Declined> {
        let id = (self.order.by_name(name.as_bytes())).ok_or(Declined::UnknownMember)?;
        if !self.sessions.get(id).is_present() {
            return Err(Declined::NotConnected);
        }
        self.decide(now, Command::Kick(id));
        Ok(())
    }

    fn end(&mut self, now: Now, name: &Name) -> Result<(), Declined> {
        let id = (self.order.by_name(name.as_bytes())).ok_or(Declined::UnknownMember)?;
        let is_leaving = self.sessions.get(id).life == Life::Leaving;
        if is_leaving || !self.has_room_for_notice(name) {
            return Err(Declined::NoSpace);
        }
        self.decide(now, Command::End(id));
        Ok(())
    }

    /// A member was kicked: if this broker has its connection, that ends.
    pub(super) fn kicked(&mut self, now: Now, id: MemberId) {
        let Some(session) = self.sessions.find(id).filter(|it| it.is_present()) else {
            return;
        };
        let (dialect, route) = (session.dialect, session.route.clone());
        if let Some(route) = route {
            self.confirm(id);
            let why = rejection(Code::Removed, 0, REMOVED);
            self.part(now, &route, dialect, why, About::Other);
        }
        if Mutant::KickForGood.lives() {
            return self.leave(now, id);
        }
        self.set_away(now, id);
    }

    /// A session is about to end, as an operator wants it: its peer hears of it, and its
    /// connection ends.
    pub(super) fn ended(&mut self, now: Now, id: MemberId) {
        let Some(session) = self.sessions.find(id) else {
            return;
        };
        let (dialect, route) = (session.dialect, session.route.clone());
        if let Some(route) = route {
            self.confirm(id);
            let why = rejection(Code::SessionEnded, 0, ENDED);
            self.part(now, &route, dialect, why, About::Done);
        }
    }

    /// Tells a peer why its connection ends, as far as its dialect can say it, and ends it once
    /// that is on its way.
    fn part(&mut self, now: Now, route: &Route, dialect: Dialect, why: Rejection, about: About) {
        let Rejection { code, detail, text } = why;
        // The others have no word to wait for: who comes next under the routing id is not to be
        // taken for this connection.
        if dialect != Dialect::Native || route.transport == Transport::Tcp {
            return self.closes.push(route.clone());
        }
        let refusal = Refusal { code, detail, text };
        self.answer(route, refusal.encode(), about);
        self.close_after_refusal(now, route.clone());
    }

    /// The broker goes out of service. Asked again, it keeps to the earlier end.
    fn drain(&mut self, now: Now, patience: Duration) {
        let until = now.time + patience;
        self.timers.set(Timer::Drain, until);
        if let Some(draining) = &mut self.draining {
            draining.until = draining.until.min(until);
            return;
        }
        let bound = self.sessions.bound().to_vec();
        for &id in &bound {
            self.tell_of_drain(id);
        }
        self.draining = Some(Draining {
            until,
            target: self.order.next(),
            index: self.commits.latest(self.order.has_pending()),
            awaited: bound.into_iter().collect(),
        });
    }

    /// Tells a native member that the broker goes down.
    pub(super) fn tell_of_drain(&mut self, id: MemberId) {
        let session = self.sessions.get(id);
        if session.dialect != Dialect::Native {
            return;
        }
        if let Some(route) = session.route.clone() {
            let refusal = Refusal {
                code: Code::Closing,
                detail: 0,
                text: GOES_DOWN,
            };
            self.answer(&route, refusal.encode(), About::Other);
        }
    }

    /// A member is back: a broker that goes out of service waits for it, too.
    pub(super) fn await_while_draining(&mut self, id: MemberId) {
        if let Some(draining) = &mut self.draining {
            draining.awaited.insert(id);
        }
    }

    /// Whether the broker takes no new members.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// Whether all that was accepted before the broker went out of service is finished, or its
    /// patience is at an end.
    pub(super) fn is_drained(&mut self, now: Now) -> bool {
        let Some(draining) = &mut self.draining else {
            return false;
        };
        self.timers.take_due(Timer::Drain, now.time);
        if draining.until <= now.time || Mutant::DrainAtOnce.lives() {
            return true;
        }
        let sessions = &self.sessions;
        let target = draining.target;
        let is_behind = |id: MemberId| {
            let session = sessions.find(id);
            session.is_some_and(|it| it.is_present() && it.receives && it.floor < target)
        };
        while draining.awaited.last().is_some_and(|&id| !is_behind(id)) {
            draining.awaited.pop_last();
        }
        draining.awaited.is_empty() && self.commits.committed() >= draining.index
    }
}
