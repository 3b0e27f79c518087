//! What an operator tells the broker to do: end a connection, end a session, go out of service.

use std::time::Duration;

use super::among::Asked;
use super::commits::About;
use super::draining::{Draining, GOES_DOWN};
use super::life::Life;
use super::timers::Timer;
use super::{Declined, Index, Instruction, Reply, Route, Sequencer, Transport, rejection};
use crate::core::order::{Command, MemberId, Rejection};
use crate::core::{Mutant, Now};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{Dialect, Name};

const REMOVED: &str = "an operator has ended this connection";
const ENDED: &str = "an operator has ended this session";

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
        let is_proposed = result.is_ok() && !matches!(instruction, Instruction::Drain(_));
        if is_proposed && let Some(among) = &mut self.among {
            let record = among.scribe.last_number();
            let instruction = instruction.clone();
            return among.asked.push(Asked {
                record,
                ticket,
                instruction,
            });
        }
        self.reply(ticket, result);
    }

    fn reply(&mut self, ticket: u64, result: Result<(), Declined>) {
        let index = match result {
            Ok(()) => self.commits.latest(self.order.has_pending()),
            Err(_) => Index::default(),
        };
        self.commits.reply(index, Reply { ticket, result });
    }

    /// An own record was applied: what operators have asked for with it, or before, is done.
    pub(super) fn answer_operators(&mut self, record: u64) {
        let Some(among) = &mut self.among else {
            return;
        };
        let done: Vec<_> = (among.asked)
            .extract_if(.., |asked| asked.record <= record)
            .collect();
        for Asked { ticket, .. } in done {
            self.reply(ticket, Ok(()));
        }
    }

    /// This broker goes on under another writer: what was proposed before does not count.
    pub(super) fn instruct_again(&mut self, now: Now) {
        let among = self.among.as_mut();
        let asked = among.map(|among| std::mem::take(&mut among.asked));
        for Asked {
            ticket,
            instruction,
            ..
        } in asked.unwrap_or_default()
        {
            self.instruct(now, ticket, &instruction);
        }
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
        if session.life == Life::Elsewhere {
            return;
        }
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
            self.tell_closing(id, GOES_DOWN);
        }
        self.draining = Some(Draining {
            until,
            target: self.order.next(),
            index: self.commits.latest(self.order.has_pending()),
            awaited: bound.into_iter().collect(),
        });
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
