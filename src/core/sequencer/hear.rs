//! What peers say, and who they are.

use super::commits::About;
use super::heard::Heard;
use super::life::Life;
use super::membership::DISK_FULL;
use super::sitting::Held;
use super::{Event, Packet, Sequencer, Transport, rejection};
use crate::core::order::{Command, MemberId, Order};
use crate::core::{Mutant, Now};
use crate::wire::native::{self, Goodbye};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{Acked, ClientMessage, DecodeError, Dialect, binary, decode, dialect_of};

impl Sequencer {
    /// A ZeroMQ peer has sent a message.
    pub(super) fn packet(&mut self, now: Now, packet: Packet<'_>) {
        let decoded = if packet.excess {
            Err(DecodeError::TooManyFrames)
        } else {
            decode(packet.body)
        };
        let mut heard = Heard {
            packet,
            dialect: dialect_of(packet.body),
            speaker: self.sessions.by_route(Transport::Zmq, packet.id),
        };
        if let Some(denial) = self.denies(&heard, decoded.as_ref().ok()) {
            return self.deny(now, &heard, &denial);
        }
        self.end_other_connection(now, &mut heard);
        let message = match decoded {
            Ok(message) => message,
            Err(error) => return self.undecodable(&heard, error),
        };
        if let Some(at) = self.sits_down(Transport::Zmq, packet.id)
            && !matches!(message, ClientMessage::Hello(_))
        {
            return self.hold(at, Held::packet(&packet));
        }
        match (message, heard.dialect) {
            (ClientMessage::Hello(hello), _) => self.hello(now, &heard, &hello),
            (message, Some(Dialect::Native)) => self.native(now, &heard, &message),
            (message, dialect) => {
                // Of a peer that comes back, too: a probe does not say how it speaks.
                let member = heard.speaker.or_else(|| self.order.by_name(packet.id));
                let known = member.and_then(|id| self.sessions.find(id));
                let dialect = dialect.or(known.map(|session| session.dialect));
                self.fixed(now, &heard, dialect.unwrap_or(Dialect::Binary), message);
            }
        }
        self.bind_to_key(now, &heard);
    }

    /// A native peer speaks, which must have said hello before.
    fn native(&mut self, now: Now, heard: &Heard<'_>, message: &ClientMessage<'_>) {
        let packet = &heard.packet;
        let greeted = heard
            .speaker
            .filter(|&id| self.sessions.get(id).dialect == Dialect::Native);
        let Some(id) = greeted else {
            let why = rejection(Code::NoSession, 0, "say hello first");
            return self.refuse(&packet.route(), Dialect::Native, why);
        };
        self.heard(now, id, Dialect::Native, packet.delimited);
        match message {
            ClientMessage::Publish(_) if Self::is_local(id) => {
                let why = rejection(Code::NotAllowed, 0, "an observer publishes nothing");
                self.refuse(&packet.route(), Dialect::Native, why);
            }
            ClientMessage::Publish(publish) => self.publish(now, id, *publish),
            ClientMessage::Ack(acked) => self.acked(now, id, *acked),
            ClientMessage::Goodbye(_) if Self::is_local(id) => self.observer_goes(now, id, packet),
            ClientMessage::Goodbye(goodbye) => self.goodbye(now, id, packet, *goodbye),
            ClientMessage::Ping => self.answer(&packet.route(), native::pong(), About::Other),
            ClientMessage::Pong | ClientMessage::Probe => {}
            ClientMessage::Hello(_) | ClientMessage::Text(_) => {
                unreachable!("decoded as another dialect, or handled before")
            }
        }
    }

    /// A native peer goes. The answer waits until what it means is committed, so that the peer
    /// need not guess: its session has ended, or its position is kept.
    fn goodbye(&mut self, now: Now, id: MemberId, packet: &Packet<'_>, goodbye: Goodbye) {
        let route = packet.route();
        self.confirm(id);
        let name = &self.sessions.get(id).name;
        let has_room = match goodbye {
            Goodbye::Leave => self.has_room_for_notice(name),
            Goodbye::Away => self.fits(Order::cost_of_entry(name)),
        };
        if !has_room {
            let full = rejection(Code::NoSpace, 0, DISK_FULL);
            return self.refuse(&route, Dialect::Native, full);
        }
        let is_answered_later = self.await_farewell(id, packet, goodbye);
        match goodbye {
            Goodbye::Leave => self.leave(now, id),
            Goodbye::Away => {
                self.set_away(now, id);
                let session = self.sessions.get_mut(id);
                session.marks.to_save = false;
                let position = session.position(now);
                if !Mutant::ForgetAtGoodbye.lives() {
                    self.decide(now, Command::Away(id, position));
                }
            }
        }
        if is_answered_later {
            return;
        }
        self.answer(&route, goodbye.encode(), About::Done);
    }

    /// A peer of the binary or JSON dialect speaks; what is heard first makes it a member.
    fn fixed(&mut self, now: Now, heard: &Heard<'_>, dialect: Dialect, message: ClientMessage<'_>) {
        let start = match &message {
            ClientMessage::Ack(Acked::UpTo(order)) if *order < self.order.next() => {
                Some(order.plus(1))
            }
            _ => None,
        };
        let (id, is_new) = match heard.speaker {
            Some(id) if self.has_seat(id) => (id, false),
            _ => {
                let Some(joined) = self.join_fixed(now, &heard.packet, dialect, start) else {
                    if let Some(at) = self.sits_down(Transport::Zmq, heard.packet.id) {
                        self.hold(at, Held::packet(&heard.packet));
                    }
                    return;
                };
                joined
            }
        };
        self.heard(now, id, dialect, heard.packet.delimited);
        if dialect != Dialect::Native {
            self.sessions.get_mut(id).receives = true;
        }
        match message {
            ClientMessage::Text(payload) => self.text(now, id, &payload),
            // A new member's first ACK has said where it begins: there is nothing more to it,
            // unless it lies in the future.
            ClientMessage::Ack(_) if is_new && start.is_some() => {}
            ClientMessage::Ack(Acked::Nothing) if is_new => {}
            ClientMessage::Ack(acked) => self.acked(now, id, acked),
            _ => {}
        }
    }

    /// Bytes have arrived over plain TCP.
    pub(super) fn bytes(&mut self, now: Now, id: &[u8], bytes: &[u8]) {
        if let Some(at) = self.sits_down(Transport::Tcp, id) {
            return self.hold(at, Held::Bytes(bytes.to_vec()));
        }
        let connection = id;
        let Some(mut id) = self.sessions.by_route(Transport::Tcp, id) else {
            return self.counters.refused("bytes_before_connect");
        };
        if Self::is_local(id) {
            let Some(member) = self.announce(now, id) else {
                if let Some(at) = self.sits_down(Transport::Tcp, connection) {
                    self.hold(at, Held::Bytes(bytes.to_vec()));
                }
                return;
            };
            id = member;
        }
        self.heard(now, id, Dialect::Raw, false);
        let mut splitter = std::mem::take(&mut self.sessions.get_mut(id).splitter);
        splitter.feed(bytes);
        let mut late = None;
        while let Some(frame) = splitter.next_frame() {
            match frame.and_then(binary::decode) {
                Ok(ClientMessage::Text(payload)) if Mutant::OrderLate.lives() && late.is_none() => {
                    late = Some(payload.into_owned());
                }
                Ok(ClientMessage::Text(payload)) => self.text(now, id, &payload),
                Ok(ClientMessage::Ack(acked)) => self.acked(now, id, acked),
                Ok(_) => {}
                Err(error) => self.note_undecodable(Some(id), error),
            }
        }
        if let Some(payload) = late {
            self.text(now, id, &payload);
        }
        self.sessions.get_mut(id).splitter = splitter;
    }

    /// Notes that a member lives, and what it speaks.
    fn heard(&mut self, now: Now, id: MemberId, dialect: Dialect, delimited: bool) {
        let session = self.sessions.get_mut(id);
        session.heard = now;
        if (session.dialect, session.delimited) != (dialect, delimited) {
            session.dialect = dialect;
            session.delimited = delimited;
            if let Some(route) = &mut session.route {
                route.delimited = delimited;
            }
            // A broker that is started anew has to speak to it before it is heard.
            self.mark_to_save(now, id);
        }
        let session = self.sessions.get_mut(id);
        let before = std::mem::replace(&mut session.life, Life::Here);
        if before == Life::Here {
            return;
        }
        if let Life::Away { .. } | Life::Unseen { .. } = before {
            // Its time away is over, also for a broker that is started anew.
            self.mark_to_save(now, id);
        }
        let session = self.sessions.get_mut(id);
        if let Life::Away { .. } = before {
            let event = Event::Returned(session.name.clone(), dialect);
            session.is_put_off = false;
            self.events.push(event);
            self.await_while_draining(id);
            self.mark_to_serve(id);
        }
        // The next question comes before the end of the time that it had to answer this one.
        self.watch(id);
    }

    fn undecodable(&mut self, heard: &Heard<'_>, error: DecodeError) {
        self.note_undecodable(heard.speaker, error);
        if heard.dialect == Some(Dialect::Native) {
            let refusal = Refusal {
                code: Code::Malformed,
                detail: 0,
                text: &error.to_string(),
            };
            let route = heard.packet.route();
            self.answer(&route, refusal.encode(), About::Other);
        }
    }

    pub(super) fn note_undecodable(&mut self, known: Option<MemberId>, error: DecodeError) {
        self.counters.refused(error.name());
        let name = known.map(|id| self.sessions.get(id).name.clone());
        self.events.push(Event::Undecodable(name, error));
    }
}
