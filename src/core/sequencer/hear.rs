//! What peers say, and who they are.

use super::Sequencer;
use super::membership::DISK_FULL;
use crate::core::members::SessionId;
use crate::core::session::Life;
use crate::core::{Event, Mutant, Now, Packet, Route, Transport};
use crate::wire::native::{self, Goodbye};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{Acked, ClientMessage, DecodeError, Dialect, Name, binary, decode, dialect_of};

impl Sequencer {
    /// A ZeroMQ peer has sent a message.
    pub(super) fn packet(&mut self, now: Now, packet: Packet<'_>) {
        let decoded = if packet.excess {
            Err(DecodeError::TooManyFrames)
        } else {
            decode(packet.body)
        };
        if let Some(denial) = self.denies(now, &packet, decoded.as_ref().ok()) {
            return self.deny(now, &packet, &denial);
        }
        let known = self.members.by_route(Transport::Zmq, packet.id);
        let message = match decoded {
            Ok(message) => message,
            Err(error) => return self.undecodable(known, &packet, error),
        };
        match (message, dialect_of(packet.body)) {
            (ClientMessage::Hello(hello), _) => self.hello(now, &packet, &hello),
            (message, Some(Dialect::Native)) => self.native(now, known, &packet, &message),
            (message, dialect) => {
                // Of somebody who comes back, too: a probe does not say how it speaks.
                let member = known.or_else(|| self.members.by_name(packet.id));
                let known_dialect = member.map(|id| self.members.get(id).dialect);
                let dialect = dialect.or(known_dialect).unwrap_or(Dialect::Binary);
                self.fixed(now, known, &packet, dialect, message);
            }
        }
        self.bind_to_key(&packet);
    }

    /// A native peer speaks, which must have said hello before.
    fn native(
        &mut self,
        now: Now,
        known: Option<SessionId>,
        packet: &Packet<'_>,
        message: &ClientMessage<'_>,
    ) {
        let greeted = known.filter(|&id| self.members.get(id).dialect == Dialect::Native);
        let Some(id) = greeted else {
            let text = "say hello first";
            return self.refuse(&packet.route(), Dialect::Native, Code::NoSession, 0, text);
        };
        self.heard(now, id, Dialect::Native, packet.delimited);
        match message {
            ClientMessage::Publish(publish) => self.publish(now, id, publish),
            ClientMessage::Ack(acked) => self.acked(now, id, *acked),
            ClientMessage::Goodbye(goodbye) => self.goodbye(now, id, packet, *goodbye),
            ClientMessage::Ping => self.outbox.reply(&packet.route(), native::pong()),
            ClientMessage::Pong | ClientMessage::Probe => {}
            ClientMessage::Hello(_) | ClientMessage::Text(_) => {
                unreachable!("decoded as another dialect, or handled before")
            }
        }
    }

    /// A native peer goes. The answer leaves after what it means is durable, so the peer need not
    /// guess.
    fn goodbye(&mut self, now: Now, id: SessionId, packet: &Packet<'_>, goodbye: Goodbye) {
        let route = packet.route();
        self.confirm(id);
        match goodbye {
            Goodbye::Leave if !self.can_leave(id) => {
                return self.refuse(&route, Dialect::Native, Code::NoSpace, 0, DISK_FULL);
            }
            Goodbye::Leave => self.leave(now, id),
            Goodbye::Away => self.set_away(now, id),
        }
        self.outbox.reply(&route, goodbye.encode());
    }

    /// A peer of the binary or JSON dialect speaks; what is heard first makes it a member.
    fn fixed(
        &mut self,
        now: Now,
        known: Option<SessionId>,
        packet: &Packet<'_>,
        dialect: Dialect,
        message: ClientMessage<'_>,
    ) {
        let start = match &message {
            ClientMessage::Ack(Acked::UpTo(order)) if *order < self.appends.next() => {
                Some(order.plus(1))
            }
            _ => None,
        };
        let (id, is_new) = match known {
            Some(id) => (id, false),
            None => match self.join_fixed(now, packet, dialect, start) {
                Some(joined) => joined,
                None => return,
            },
        };
        self.heard(now, id, dialect, packet.delimited);
        self.members.get_mut(id).receives = true;
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

    /// Somebody has connected over plain TCP, which joins.
    pub(super) fn connected(&mut self, now: Now, id: &[u8], name: &str) {
        let route = Route {
            transport: Transport::Tcp,
            id: id.into(),
            delimited: false,
            connection: 0,
        };
        let Ok(mut name) = Name::new(name.as_bytes()) else {
            return self.closes.push(route);
        };
        match self.members.by_name(name.as_bytes()) {
            None => {}
            // The same host and port: the old connection's end is still on its way to us.
            Some(id) if self.members.get(id).transient => self.leave(now, id),
            // Whoever calls itself like that keeps its session.
            Some(_) => name = self.guests.next(),
        }
        match self.join(now, name, Dialect::Raw, None, &route) {
            Some(id) => self.attach(now, id, route),
            None => self.closes.push(route),
        }
    }

    /// Bytes have arrived over plain TCP.
    pub(super) fn bytes(&mut self, now: Now, id: &[u8], bytes: &[u8]) {
        let Some(id) = self.members.by_route(Transport::Tcp, id) else {
            return self.counters.refused("bytes_before_connect");
        };
        self.heard(now, id, Dialect::Raw, false);
        let mut splitter = std::mem::take(&mut self.members.get_mut(id).splitter);
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
        self.members.get_mut(id).splitter = splitter;
    }

    /// Notes that a member lives, and what it speaks.
    fn heard(&mut self, now: Now, id: SessionId, dialect: Dialect, delimited: bool) {
        let session = self.members.get_mut(id);
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
        let session = self.members.get_mut(id);
        let before = std::mem::replace(&mut session.life, Life::Here);
        if before == Life::Here {
            return;
        }
        if let Life::Away { .. } = before {
            let event = Event::Returned(session.name.clone(), dialect);
            self.events.push(event);
            self.mark_to_serve(id);
        }
        // The next question comes before the end of the time that it had to answer this one.
        self.watch(id);
    }

    fn undecodable(&mut self, known: Option<SessionId>, packet: &Packet<'_>, error: DecodeError) {
        self.note_undecodable(known, error);
        if dialect_of(packet.body) == Some(Dialect::Native) {
            let refusal = Refusal {
                code: Code::Malformed,
                detail: 0,
                text: &error.to_string(),
            };
            self.outbox.reply(&packet.route(), refusal.encode());
        }
    }

    fn note_undecodable(&mut self, known: Option<SessionId>, error: DecodeError) {
        self.counters.refused(error.name());
        let name = known.map(|id| self.members.get(id).name.clone());
        self.events.push(Event::Undecodable(name, error));
    }
}
