//! Members and their seats among several brokers: who is served here, what waits for its seat, and
//! what is told to a connection whose member sits elsewhere.

use super::among::Farewell;
use super::commits::About;
use super::life::Life;
use super::sitting::{Held, Sitting};
use super::{Event, Packet, Route, Sequencer, Session, Transport, rejection};
use crate::core::Now;
use crate::core::order::{Command, MemberId, Position, Rejection, Seat};
use crate::wire::native::{Goodbye, Start};
use crate::wire::reply::{Code, Refusal};
use crate::wire::stream_record::Proposal;
use crate::wire::{Dialect, Name};

/// Bytes that may wait for their senders' seats,
const HELD_BYTES: usize = 16 << 20;
/// and those of one connection, unless it has said one thing only.
const HELD_OF_EACH: usize = 1 << 20;

impl Sequencer {
    /// Puts a session where its member sits.
    pub(super) fn place(&mut self, now: Now, id: MemberId) {
        let Some(member) = self.order.member(id) else {
            return;
        };
        let sits = member.seating().seat().is_some();
        let floor = member.position().floor;
        self.sessions.unbind(now.time, id);
        if let Some(session) = self.sessions.find_mut(id) {
            session.rises = false;
            session.rewind(floor);
            session.life = if sits {
                Life::Elsewhere
            } else {
                Life::away(now.time)
            };
        }
        self.mark_to_show(id);
        self.watch(id);
    }

    /// This broker ends: nobody sits here any more, and the others need not wait for its silence.
    pub(super) fn give_up_seats(&mut self, now: Now) {
        for id in self.sessions.bound().to_vec() {
            if !self.has_seat(id) {
                continue;
            }
            if self.sessions.get(id).transient {
                self.propose(now, Command::Leave(id));
            } else {
                self.tell_away(now, id);
            }
        }
    }

    /// A member sits at another broker now.
    pub(super) fn seated_elsewhere(&mut self, now: Now, id: MemberId, seat: Seat) {
        let Some(among) = &mut self.among else {
            return;
        };
        among.farewells.retain(|farewell| farewell.member != id);
        if seat.writer == among.scribe.writer() {
            // Its connection is gone meanwhile.
            let seat = seat.number;
            return self.say(now, &Proposal::Away { seat });
        }
        let session = self.sessions.get(id);
        if let Some(route) = session.route.clone() {
            let (name, dialect) = (session.name.clone(), session.dialect);
            self.events.push(Event::Superseded(name));
            self.counters.refused(Code::Superseded.name());
            if dialect == Dialect::Native {
                let refusal = Refusal {
                    code: Code::Superseded,
                    detail: 0,
                    text: "another connection has taken this name",
                };
                self.answer(&route, refusal.encode(), About::Other);
            }
        }
        self.place(now, id);
    }

    /// Before a member that came back here is served: what it has had elsewhere counts.
    pub(super) fn take_over(&mut self, now: Now, id: MemberId, start: Start) -> bool {
        if self.among.is_none() {
            return true;
        }
        let end = self.order.next();
        let floor = self.order.member(id).map(|member| member.position().floor);
        let session = self.sessions.get_mut(id);
        session.rises = false;
        if session.life == Life::Elsewhere {
            session.life = Life::away(now.time);
        }
        let floor = floor.unwrap_or_default().max(session.floor);
        session.rewind(floor);
        session.sent = session.sent.max(end);
        !matches!(start, Start::Resume(order) if order > end)
    }

    /// A peer has its seat, but remembers more of the order than there is.
    pub(super) fn refuse_regressed(&mut self, now: Now, id: MemberId, sitting: &Sitting) {
        self.forget_held(sitting);
        let text = "the broker's log ends before what you already have";
        let why = rejection(Code::LogRegressed, self.order.next().0, text);
        self.refuse(&sitting.route, sitting.dialect, why);
        self.tell_away(now, id);
    }

    /// A member is away, wherever it sat.
    pub(super) fn away(&mut self, now: Now, id: MemberId) {
        if self.among.is_some() {
            let session = self.sessions.get(id);
            if session.dialect == Dialect::Native || session.route.is_none() {
                self.place(now, id);
            } else if let Some(session) = self.sessions.find_mut(id) {
                session.life = Life::away(now.time);
                session.rises = false;
                self.watch(id);
            }
        }
        self.answer_farewell(id);
    }

    /// Members have moved on, as their brokers say.
    pub(super) fn moved(&mut self, positions: &[(MemberId, Position)]) {
        for (id, position) in positions {
            if self.seat_of(*id).is_none()
                && let Some(session) = self.sessions.find_mut(*id)
            {
                session.dialect = position.dialect;
                session.rewind(position.floor);
                self.mark_to_show(*id);
            }
        }
    }

    /// Answers a goodbye, now that what it means has happened.
    pub(super) fn answer_farewell(&mut self, id: MemberId) {
        let Some(among) = &mut self.among else {
            return;
        };
        let of_it = |farewell: &Farewell| farewell.member == id;
        if let Some(at) = among.farewells.iter().position(of_it) {
            let Farewell { route, goodbye, .. } = among.farewells.swap_remove(at);
            self.answer(&route, goodbye.encode(), About::Done);
        }
    }

    /// A peer says goodbye; says whether the answer follows when that has happened.
    pub(super) fn await_farewell(
        &mut self,
        id: MemberId,
        packet: &Packet<'_>,
        goodbye: Goodbye,
    ) -> bool {
        let Some(among) = &mut self.among else {
            return false;
        };
        among.farewells.push(Farewell {
            member: id,
            route: packet.route(),
            goodbye,
        });
        true
    }

    /// A peer has not got its name.
    pub(super) fn unseated(&mut self, now: Now, sitting: Sitting, why: Rejection) {
        self.forget_held(&sitting);
        if self.among.is_none() || sitting.route.transport != Transport::Tcp {
            return self.refuse(&sitting.route, sitting.dialect, why);
        }
        // Two brokers have given the name of one host and port, or of a member that has it.
        let name = self.draw_guest();
        let Some(local) = self.unannounced(&sitting.route) else {
            return;
        };
        let floor = self.sessions.get(local).floor;
        self.sit_plain(now, &sitting.route, &name, floor);
        for held in sitting.held {
            if let Some(at) = self.sits_down(Transport::Tcp, &sitting.route.id) {
                self.hold(at, held);
            }
        }
    }

    /// A plain TCP peer whose session has ended is worth no connection.
    pub(super) fn close_plain(&mut self, id: MemberId) {
        if self.among.is_none() {
            return;
        }
        let route = self
            .sessions
            .find(id)
            .and_then(|session| session.route.clone());
        self.closes
            .extend(route.filter(|route| route.transport == Transport::Tcp));
    }

    /// Whether a newer connection than this one has asked for the name.
    pub(super) fn newer_one_sits_down(&self, name: &Name, route: &Route) -> bool {
        let newer =
            |sitting: &Sitting| sitting.name == *name && route.is_older_than(&sitting.route);
        self.sitting.iter().any(newer)
    }

    /// Whether a connection waits for its seat.
    pub(super) fn sits_down(&self, transport: Transport, id: &[u8]) -> Option<usize> {
        let of =
            |sitting: &Sitting| sitting.route.transport == transport && *sitting.route.id == *id;
        self.sitting.iter().position(of)
    }

    /// Keeps what a connection says until it has its seat, as far as there is room. Were nothing
    /// taken in instead, one peer could keep all others from being heard.
    pub(super) fn hold(&mut self, at: usize, held: Held) {
        let (Some(among), sitting) = (&mut self.among, &mut self.sitting[at]) else {
            return;
        };
        let bytes = held.len();
        let is_first = sitting.held.is_empty();
        let has_room = among.held_bytes + bytes <= HELD_BYTES
            && (is_first || sitting.held_bytes + bytes <= HELD_OF_EACH);
        let is_end = matches!(held, Held::End);
        if is_end || (has_room && !sitting.is_full) {
            among.held_bytes += bytes;
            sitting.held_bytes += bytes;
            return sitting.held.push(held);
        }
        let was_full = std::mem::replace(&mut sitting.is_full, true);
        let (route, dialect) = (sitting.route.clone(), sitting.dialect);
        let text = "too much waits for this connection's name";
        self.refuse(&route, dialect, rejection(Code::NoSpace, 0, text));
        if route.transport == Transport::Tcp && !was_full {
            // What follows a hole in its bytes cannot be cut into messages.
            self.closes.push(route);
        }
    }

    /// A connection has its seat: hears what it has said meanwhile.
    pub(super) fn hear_held(&mut self, now: Now, sitting: Sitting) {
        let Sitting { route, held, .. } = sitting;
        for held in held {
            if let Some(among) = &mut self.among {
                among.held_bytes = among.held_bytes.saturating_sub(held.len());
            }
            match held {
                Held::Packet {
                    delimited,
                    body,
                    proof,
                } => self.packet(
                    now,
                    Packet {
                        id: &route.id,
                        delimited,
                        body: &body,
                        excess: false,
                        proof,
                    },
                ),
                Held::Bytes(bytes) => self.bytes(now, &route.id, &bytes),
                Held::End => self.disconnected(now, &route.id),
            }
        }
    }

    /// Drops a name that was asked for, and what its connection has said since.
    pub(super) fn forget_held(&mut self, sitting: &Sitting) {
        if let Some(among) = &mut self.among {
            among.held_bytes = among.held_bytes.saturating_sub(sitting.held_bytes);
        }
    }

    /// The session of a member that is new to the order.
    pub(super) fn begin_session(&mut self, now: Now, id: MemberId) {
        let member = self.order.member(id).expect("it has just joined");
        let (session, dialect) = (Session::new(member, now), member.position().dialect);
        self.sessions.insert(id, session);
        let name = self.sessions.get(id).name.clone();
        self.events.push(Event::Joined(name, dialect));
        self.counters.joined += 1;
        self.note_absence_later(now);
        if self.among.is_some() {
            self.place(now, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Now;
    use crate::core::order::Recovered;
    use crate::core::sequencer::Limits;
    use crate::wire::LogId;

    #[test]
    fn what_waits_for_a_seat_is_counted_until_it_is_dropped() {
        let (now, log) = (Now::default(), Recovered::nothing(LogId(1), 1));
        let name = Name::new(b"madrid").unwrap();
        let machine = Sequencer::new(now, Limits::default(), log, [0; 32]);
        let mut machine = machine.among(now, name.clone(), None);
        let seat = machine.next_seat();
        machine.sitting.push(Sitting {
            seat,
            name,
            route: Route {
                transport: Transport::Tcp,
                id: b"ana".as_slice().into(),
                delimited: false,
                connection: 0,
            },
            dialect: Dialect::Raw,
            start: Start::Now,
            receives: true,
            key: None,
            held: Vec::new(),
            held_bytes: 0,
            is_full: false,
        });
        let held = |machine: &Sequencer| machine.among.as_ref().unwrap().held_bytes;
        for count in 1..=3 {
            machine.hold(0, Held::Bytes(vec![0; 10]));
            assert_eq!(held(&machine), count * Held::Bytes(vec![0; 10]).len());
        }
        let sitting = machine.sitting.swap_remove(0);
        machine.forget_held(&sitting);
        assert_eq!(held(&machine), 0);
    }
}
